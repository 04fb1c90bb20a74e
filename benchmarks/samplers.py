"""Speed of the noise samplers beside their peers, one core, CPU time, ratios within one run.

    python -m benchmarks.samplers [--quick]

Each peer adds noise of the same scale to as many int64 cells. The best of several repetitions counts. Slow peers are
measured on fewer cells and scaled up (marked x): they are loops, hence linear. A peer that is not installed, or that
cannot be imported here, is skipped with a note.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from pets.csprng import SecureRandom, secure_random
from pets.dp import samplers
from pets.dp.engines import OpenDPEngine
from pets.dp.samplers import Law, discrete_gaussian, discrete_laplace, draw
from pets.errors import MissingExtra

SCALE = 10
SIZES = (100_000, 1_000_000)
SWEEP = (Fraction(1, 1000), 1, Fraction(10, 3), 10, 100, 256, 257, 1000, 12345.678, 2**20, 2**40)
Work = Callable[[int], object]


@dataclass(frozen=True)
class Contender:
    """One implementation: its name, what it promises, and the most cells it is asked for."""

    name: str
    exact: str
    generator: str
    laplace: Work
    gaussian: Work
    most: int = 10**9


def seconds(work: Callable[[], object], repetitions: int) -> float:
    """Return the least CPU time of several repetitions, after one that warms up."""
    work()
    best = float("inf")
    for _ in range(repetitions):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def ours() -> Contender:
    cells = {n: np.zeros(n, dtype=np.int64) for n in SIZES}

    def add(noise: np.ndarray) -> np.ndarray:
        noise += cells[noise.size]
        return noise

    return Contender(
        "pets",
        "yes",
        "AES-256-CTR",
        lambda n: add(discrete_laplace(SCALE, n)),
        lambda n: add(discrete_gaussian(SCALE, n)),
    )


def numpy_floats() -> Contender:
    """No privacy: a predictable generator and floating-point inversion. A yardstick for speed only."""
    generator = np.random.default_rng()
    p = -np.expm1(-1 / SCALE)
    return Contender(
        "numpy (not for privacy)",
        "no",
        "PCG64",
        lambda n: generator.geometric(p, n) - generator.geometric(p, n),
        lambda n: np.rint(generator.normal(0, SCALE, n)).astype(np.int64),
    )


def opendp(most: int) -> Contender:
    engine = OpenDPEngine()
    return Contender(
        "opendp",
        "yes",
        "OpenSSL",
        lambda n: engine.discrete_laplace(Fraction(SCALE), n),
        lambda n: engine.discrete_gaussian(Fraction(SCALE) ** 2, n),
        most,
    )


def python_dp(most: int) -> Contender:
    """Google's C++ mechanisms through their Python binding, one call a cell."""
    mechanisms = importlib.import_module("pydp.algorithms.numerical_mechanisms")
    laplace = mechanisms.LaplaceMechanism(epsilon=1 / SCALE, sensitivity=1.0)
    # delta for which its calibration gives a standard deviation near the scale; the cost does not depend on it
    gaussian = mechanisms.GaussianMechanism(epsilon=0.5, delta=1e-6, sensitivity=1.0)
    return Contender(
        "python-dp",
        "rounded",
        "BoringSSL",
        lambda n: [laplace.add_noise(0) for _ in range(n)],
        lambda n: [gaussian.add_noise(0) for _ in range(n)],
        most,
    )


def diffprivlib(most: int) -> Contender:
    """Its mechanisms alone: the package itself cannot be imported beside a recent scikit-learn."""
    mechanisms = _diffprivlib_mechanisms()
    laplace = mechanisms.Geometric(epsilon=1 / SCALE, sensitivity=1)
    gaussian = mechanisms.GaussianDiscrete(epsilon=0.5, delta=1e-6, sensitivity=1)
    return Contender(
        "diffprivlib",
        "no",
        "SystemRandom",
        lambda n: [laplace.randomise(0) for _ in range(n)],
        lambda n: [gaussian.randomise(0) for _ in range(n)],
        most // 5,
    )


def _diffprivlib_mechanisms() -> types.ModuleType:
    try:
        return importlib.import_module("diffprivlib.mechanisms")
    except ImportError:
        found = importlib.util.find_spec("diffprivlib")
        if found is None or found.origin is None:
            raise
        for name in [n for n in sys.modules if n.partition(".")[0] == "diffprivlib"]:
            del sys.modules[name]
        bare = types.ModuleType("diffprivlib")
        bare.__path__ = [str(Path(found.origin).parent)]
        sys.modules["diffprivlib"] = bare  # a package whose own __init__, which imports the models, is left out
        return importlib.import_module("diffprivlib.mechanisms")


def contenders(most: int, console: Console) -> Iterator[Contender]:
    yield ours()
    yield numpy_floats()
    for make in (opendp, python_dp, diffprivlib):
        try:
            yield make(most)
        except (ImportError, MissingExtra, AttributeError) as why:
            console.print(f"[yellow]skipped {make.__name__}: {why}[/]")


def peer_table(kind: str, entrants: list[Contender], repetitions: int) -> Table:
    table = Table(title=f"discrete {kind}, scale {SCALE}, int64 cells")
    for heading in ("implementation", "exact", "generator"):
        table.add_column(heading)
    for n in SIZES:
        for heading in (f"{n:,} cells", "samples/s", "pets is faster by"):
            table.add_column(heading, justify="right")
    reference: dict[int, float] = {}
    for entrant in entrants:
        work: Work = getattr(entrant, kind)
        row = [entrant.name, entrant.exact, entrant.generator]
        for n in SIZES:
            asked = min(n, entrant.most)
            fast = entrant.most > max(SIZES)
            taken = seconds(lambda: work(asked), repetitions if fast else 2) * n / asked  # noqa: B023
            reference.setdefault(n, taken)
            mark = "" if asked == n else " (x)"
            row += [f"{taken * 1e3:,.3f} ms{mark}", f"{n / taken / 1e6:,.3g} M", f"{taken / reference[n]:,.1f}"]
        table.add_row(*row)
    return table


class Counting(SecureRandom):
    """The secure generator with a meter."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn = 0

    def fill(self, buffer: Any) -> None:
        self.drawn += memoryview(buffer).nbytes
        super().fill(buffer)


def sweep_table(repetitions: int) -> Table:
    table = Table(title="any rational scale, 1,000,000 draws")
    table.add_column("scale")
    for kind in ("Laplace", "Gaussian"):
        for heading in (f"{kind}: first draw", "samples/s", "bytes a sample"):
            table.add_column(heading, justify="right")
    n = max(SIZES)
    for scale in SWEEP:
        row = [f"{scale}"]
        for law in (Law.laplace(Fraction(scale)), Law.gaussian(Fraction(scale) ** 2)):
            samplers._sampler.cache_clear()
            start = time.process_time()
            draw(law, 1, secure_random())
            cold = time.process_time() - start
            taken = seconds(lambda: draw(law, n, secure_random()), repetitions)  # noqa: B023
            meter = Counting()
            draw(law, n, meter)
            row += [f"{cold * 1e3:.1f} ms", f"{n / taken / 1e6:,.0f} M", f"{meter.drawn / n:.2f}"]
        table.add_row(*row)
    return table


def generator_table(repetitions: int) -> Table:
    table = Table(title="generator")
    table.add_column("request")
    table.add_column("time", justify="right")
    table.add_column("GB/s", justify="right")
    for size in (8, 2**16, 2**20, 2**24):
        buffer = bytearray(size)
        taken = seconds(lambda: secure_random().fill(buffer), 10 * repetitions)  # noqa: B023
        table.add_row(f"{size:,} bytes", f"{taken * 1e6:,.1f} us", f"{size / taken / 1e9:.2f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer repetitions; slow peers on 5,000 cells")
    quick = parser.parse_args().quick
    console = Console(width=max(Console().width, 150))
    repetitions, most = (10, 5_000) if quick else (40, 100_000)
    entrants = list(contenders(most, console))
    for kind in ("laplace", "gaussian"):
        console.print(peer_table(kind, entrants, repetitions))
    console.print(sweep_table(max(3, repetitions // 4)))
    console.print(generator_table(repetitions))


if __name__ == "__main__":
    main()
