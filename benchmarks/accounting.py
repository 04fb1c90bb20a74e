"""What a thousand mechanisms cost together: `pets.dp.accounting` beside dp-accounting, in one process on one core.

Run with ``python -m benchmarks.accounting [--quick]``. CPU time, ours the best of several repetitions; descriptions of
the losses are built beforehand, their distributions are not. dp-accounting runs at its default discretisation of 1e-4,
pessimistic: its epsilon is an upper bound, as ours. It rounds discrete losses up to its grid, which adds half a step
each; that is why ours is lower by more than the tolerance where there are many of them.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from pets.dp.accounting import (
    DiscreteGaussianLoss,
    DiscreteLaplaceLoss,
    ExponentialMechanismLoss,
    GaussianLoss,
    LaplaceLoss,
    Loss,
    PureLoss,
    Repeated,
    Subsampled,
    account,
)

DELTA = 1e-6
Work = Callable[[], float]


@dataclass(frozen=True)
class Case:
    """One composition: our losses, and the peer's way to the same epsilon (None where it has none)."""

    name: str
    losses: Sequence[Loss]
    peer: Work | None


def pld() -> Any:
    from dp_accounting.pld import privacy_loss_distribution

    return privacy_loss_distribution


def folded(parts: Callable[[], list[Any]]) -> Work:
    """Return the peer's composition of distinct distributions, one after the other."""

    def work() -> float:
        first, *rest = parts()
        for part in rest:
            first = first.compose(part)
        return float(first.get_epsilon_for_delta(DELTA))

    return work


def repeated(make: Callable[[], Any], times: int) -> Work:
    return lambda: float(make().self_compose(times).get_epsilon_for_delta(DELTA))


def scales(n: int) -> list[float]:
    """Return n distinct noise scales whose losses add up as much at any n."""
    return [float(s) * math.sqrt(n / 1000) for s in np.linspace(60, 140, n)]


def cases(n: int) -> list[Case]:
    ours = scales(n)
    half = n // 2
    sigmas, widths = scales(n)[:half], scales(n)[half:]
    fifth = n // 5
    kinds = [scales(n)[i * fifth : (i + 1) * fifth] for i in range(5)]
    laws = pld()
    return [
        Case(
            f"{n} identical Gaussians", [GaussianLoss(ours[0])] * n,
            repeated(lambda: laws.from_gaussian_mechanism(ours[0]), n),
        ),
        Case(
            f"{n} distinct Gaussians", [GaussianLoss(s) for s in ours],
            folded(lambda: [laws.from_gaussian_mechanism(s) for s in ours]),
        ),
        Case(f"{n} identical Laplace", [Repeated(LaplaceLoss(ours[0]), n)],
             repeated(lambda: laws.from_laplace_mechanism(ours[0]), n)),
        Case(
            f"{half} distinct Gaussians + {half} distinct Laplace",
            [GaussianLoss(s) for s in sigmas] + [LaplaceLoss(b) for b in widths],
            folded(lambda: [laws.from_gaussian_mechanism(s) for s in sigmas]
                   + [laws.from_laplace_mechanism(b) for b in widths]),
        ),
        Case(f"{n} distinct Laplace", [LaplaceLoss(b) for b in ours],
             folded(lambda: [laws.from_laplace_mechanism(b) for b in ours])),
        Case(
            f"{fifth} each: Gaussian, Laplace, discrete Gaussian, discrete Laplace (2), randomised response",
            [GaussianLoss(s) for s in kinds[0]] + [LaplaceLoss(s) for s in kinds[1]]
            + [DiscreteGaussianLoss(s * s) for s in kinds[2]] + [DiscreteLaplaceLoss(s, 2) for s in kinds[3]]
            + [PureLoss(1 / s) for s in kinds[4]],
            folded(lambda: [laws.from_gaussian_mechanism(s) for s in kinds[0]]
                   + [laws.from_laplace_mechanism(s) for s in kinds[1]]
                   + [laws.from_discrete_gaussian_mechanism(s) for s in kinds[2]]
                   + [laws.from_discrete_laplace_mechanism(1 / s, sensitivity=2) for s in kinds[3]]
                   + [laws.from_randomized_response(2 / (math.exp(1 / s) + 1), 2) for s in kinds[4]]),
        ),
        Case(
            f"{half} Laplace + {half} exponential mechanisms, all distinct",
            [LaplaceLoss(s) for s in sigmas] + [ExponentialMechanismLoss(1 / s) for s in widths], None,
        ),
        Case(
            f"{n} x Gaussian (sigma 1) on a sample of 1 %", [Repeated(Subsampled(GaussianLoss(1), "0.01"), n)],
            repeated(lambda: laws.from_gaussian_mechanism(1.0, sampling_prob=0.01), n),
        ),
    ]  # fmt: skip


def best(work: Callable[[], float], repetitions: int) -> tuple[float, float]:
    """Return the answer and the smallest CPU seconds."""
    seconds, answer = math.inf, math.nan
    for _ in range(repetitions):
        start = time.process_time()
        answer = work()
        seconds = min(seconds, time.process_time() - start)
    return answer, seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100 mechanisms instead of 1,000")
    n = 100 if parser.parse_args().quick else 1000
    table = Table(title=f"epsilon at delta = {DELTA:g}, CPU time on one core")
    for column in (
        "composition",
        "bound",
        "pets ms",
        "dp-accounting ms",
        "ratio",
        "pets epsilon",
        "dp-accounting",
        "relative",
    ):
        table.add_column(column, justify="left" if column in {"composition", "bound"} else "right")
    for case in cases(n):
        found = account(case.losses, delta=DELTA)
        value, seconds = best(lambda case=case: float(account(case.losses, delta=DELTA).epsilon), 7)
        cells = ["-"] * 4
        if case.peer is not None:
            theirs, peer_seconds = best(case.peer, 1)
            cells = [
                f"{1e3 * peer_seconds:,.0f}",
                f"{peer_seconds / seconds:,.0f}x",
                f"{theirs:.7f}",
                f"{value / theirs - 1:+.1e}",
            ]
        table.add_row(case.name, found.bound, f"{1e3 * seconds:.2f}", *cells[:2], f"{value:.7f}", *cells[2:])
    console = Console(width=170)
    console.print(table)
    textbook = 0.05 + 2 * math.sqrt(0.05 * math.log(1e6))
    losses = [Repeated(GaussianLoss(100), 1000)]
    names = ("gaussian", "loss distribution", "renyi", "zcdp")
    console.print(
        "1,000 Gaussians, sigma 100: "
        + ", ".join(f"{name} {float(account(losses, delta=DELTA, bound=name).epsilon):.7f}" for name in names)
        + f", textbook zCDP {textbook:.7f}"
    )


if __name__ == "__main__":
    main()
