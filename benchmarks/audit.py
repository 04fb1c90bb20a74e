"""How near an audit's lower bound comes to the claim, how long it takes, and whether 1 % too little noise is seen.

    python -m benchmarks.audit [--quick]

One core, CPU time. The bound holds with 99.9 % confidence; `ratio` is what it is of the claim. A planted mechanism
claims as much as the honest one above it, and draws noise of a scale 1 % smaller.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from rich.console import Console
from rich.progress import track
from rich.table import Table

from pets import Mechanism
from pets.dp import Audit, DiscreteGaussian, DiscreteLaplace, audit
from pets.guarantee import Guarantee, PureDP, ZeroConcentratedDP

QUICK = 2_000_000


@dataclass(frozen=True)
class Case:
    """A mechanism, what it claims, and whether the claim is true."""

    name: str
    mechanism: Mechanism
    claim: Guarantee | None = None


def cases() -> Iterator[Case]:
    for epsilon in (Fraction(1, 10), Fraction(1, 2), Fraction(1), Fraction(3)):
        yield Case(f"discrete Laplace, epsilon {float(epsilon):g}", DiscreteLaplace(epsilon=epsilon))
        less = DiscreteLaplace(epsilon=epsilon / Fraction(99, 100))
        yield Case("  planted: scale 1 % too small", less, PureDP(epsilon))
    for rho in (Fraction(1, 200), Fraction(1, 8), Fraction(1, 2)):
        yield Case(f"discrete Gaussian, rho {float(rho):g}", DiscreteGaussian(rho=rho))
        less_g = DiscreteGaussian(rho=rho / Fraction(99, 100) ** 2)
        yield Case("  planted: scale 1 % too small", less_g, ZeroConcentratedDP(rho))


def seconds_and(case: Case, draws: int | None) -> tuple[float, Audit]:
    started = time.process_time()
    found = audit(case.mechanism, case.claim, draws=draws)
    return time.process_time() - started, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK:,} draws of each instead of the default")
    draws = QUICK if parser.parse_args().quick else None
    table = Table("mechanism", "claimed", "lower bound", "ratio", "verdict", "CPU s", title="Audits at 99.9 %")
    for case in track(list(cases()), "auditing", console=Console(stderr=True)):
        seconds, found = seconds_and(case, draws)
        claimed = float(found.claimed)
        row = (f"{claimed:.5g}", f"{found.lower:.6g}", f"{found.lower / claimed:.5f}", found.verdict, f"{seconds:.1f}")
        table.add_row(case.name, *row)
    Console().print(table)


if __name__ == "__main__":
    main()
