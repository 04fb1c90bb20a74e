"""Speed of one site's noise share, one core, CPU time.

    python -m benchmarks.noise_shares [--quick]

Shares of discrete Laplace noise for 10,000 and 1,000,000 cells at epsilon 1 and 0.1 (and 0.001, which takes the path
for wide laws) and of zero-concentrated noise at rho 0.5 and 0.005, for 4, 10 and 100 honest sites. The best of several
repetitions counts; beside it numpy's negative binomials from a predictable generator, a yardstick for speed only.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from rich.console import Console
from rich.table import Table

from pets.csprng import secure_random
from pets.dp.distributed import PolyaShares, Shares, concentrated_shares

HONEST = (4, 10, 100)
SIZES = (10_000, 1_000_000)
GOALS_MS = {10_000: 0.5, 1_000_000: 30.0}


def milliseconds(work: Callable[[], object], repetitions: int) -> float:
    """Return the least CPU time of several repetitions, after one that warms up."""
    work()
    best = math.inf
    for _ in range(repetitions):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return 1000 * best


def cases() -> list[tuple[str, int, Shares, float | None]]:
    """Return a name, the honest sites, the shares and, for discrete Laplace noise, epsilon."""
    found: list[tuple[str, int, Shares, float | None]] = []
    for epsilon in ("1", "0.1", "0.001"):
        found += [(f"epsilon {epsilon}", h, PolyaShares(1 / Fraction(epsilon), h), float(epsilon)) for h in HONEST]
    for rho in ("0.5", "0.005"):
        found += [(f"rho {rho}", h, concentrated_shares(1 / (2 * Fraction(rho)), h), None) for h in HONEST]
    return found


def numpy_share(epsilon: float, honest: int, size: int) -> object:
    generator = np.random.default_rng(0)
    p = -math.expm1(-epsilon)
    return generator.negative_binomial(1 / honest, p, size) - generator.negative_binomial(1 / honest, p, size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    repetitions = 2 if parser.parse_args().quick else 7
    table = Table(title="one site's noise share, ms of CPU time")
    for heading in ("noise", "honest", "shares", "10^4 cells", "10^6 cells", "numpy 10^4", "numpy 10^6"):
        table.add_column(heading, justify="left" if heading in ("noise", "shares") else "right", no_wrap=True)
    for name, honest, shares, epsilon in cases():
        ours = [milliseconds(lambda s=shares, n=n: s.draw(n, secure_random()), repetitions) for n in SIZES]
        marks = [f"{ms:.3g}{'' if ms <= GOALS_MS[n] else ' !'}" for ms, n in zip(ours, SIZES, strict=True)]
        peer = ["", ""]
        if epsilon is not None:
            peer = [f"{milliseconds(lambda n=n, e=epsilon, h=honest: numpy_share(e, h, n), 2):.3g}" for n in SIZES]
        table.add_row(name, str(honest), type(shares).__name__, *marks, *peer)
    console = Console(width=100)
    console.print(table)
    console.print("Goals: 0.5 ms for 10,000 cells, 30 ms for 1,000,000 (! above it).")


if __name__ == "__main__":
    main()
