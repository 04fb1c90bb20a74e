"""Rates from noisy counts: coverage of their intervals, widening, and the headline total of 21 registries.

    python -m benchmarks.rates [--quick]

1. Coverage of 95 % intervals of one noisy count (crude rate and SIR, Garwood's interval with the noise in it), exactly:
   the Poisson law and the law of the noise are added up, nothing is drawn. One noise, and ten (a noise at each of ten
   registries).
   In brackets how much wider the noise makes the interval: where this is a multiple, there is coverage and no
   information.
2. Coverage of standardised rates (Tiwari, Fay-Feuer) over three age groups, with the shares and weights (Segi) of
   liver cancer, by simulation, with the Monte-Carlo interval of the coverage (Wilson, 95 %).
3. Liver cancer at ages 0-14 in 21 European registries (CI5 XII) by sex and age, through a masked sum with the noise in
   shares, epsilon 1 in all: standard error of the total as the release states it, by the closed form, and measured.
4. The registry simulator against what it is calibrated to, and a million patients.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import nbinom, poisson

import pets
from pets.datasets import simulate_registries
from pets.datasets.simulate_calibration import tumours
from pets.demo.material import AGES, Material, load
from pets.epi import SEGI_1960, age_standardised_rate, crude_rate, kaplan_meier, standardised_incidence_ratio
from pets.epi.survival import EventCounts
from pets.pipeline import Pipeline

Floats = NDArray[np.float64]
EPSILONS = (0.1, 0.3, 0.5, 1.0, 2.0)
EXPECTED = (5, 16, 30, 100, 1000)
LEVEL = 0.95
LIVER = np.array([231, 37, 26]) / 294
YEARS = np.array([40.0e6, 42.0e6, 41.0e6])
WEIGHTS = SEGI_1960.weights(["0-4", "5-9", "10-14"])
TOTAL = 294


def laplace_variance(epsilon: float) -> float:
    return float(0.5 / np.sinh(epsilon / 2) ** 2)


def noise_law(epsilon: float, noises: int) -> tuple[NDArray[np.int64], Floats]:
    """Return the law of a sum of discrete Laplace noises: support and probabilities."""
    span = int(40 * (noises * laplace_variance(epsilon)) ** 0.5 / 4 + 40 / epsilon)
    reach = np.arange(-span, span + 1)
    q = np.exp(-epsilon)
    one = (1 - q) / (1 + q) * q ** np.abs(reach)
    law = np.array([1.0])
    for _ in range(noises):
        law = np.convolve(law, one)
        middle = len(law) // 2
        law = law[max(middle - span, 0) : middle + span + 1]
    return reach, law


Interval = Callable[[int, float], tuple[float, float]]


def crude_limits(count: int, variance: float) -> tuple[float, float]:
    rate = crude_rate(count, 1, noise_variance=variance, per=1, level=LEVEL)
    return rate.low, rate.high


def sir_limits(count: int, variance: float) -> tuple[float, float]:
    ratio = standardised_incidence_ratio(count, 2.0, noise_variance=variance, level=LEVEL)
    return 2 * ratio.low, 2 * ratio.high


def exact_coverage(expected: float, epsilon: float, noises: int, limits: Interval) -> tuple[float, float]:
    """Return the coverage and the mean width of the interval of one noisy count, without drawing anything."""
    reach, law = noise_law(epsilon, noises)
    counts = np.arange(int(expected + 12 * expected**0.5 + 30))
    seen = np.convolve(poisson.pmf(counts, expected), law)
    values = np.arange(reach[0], reach[0] + len(seen))
    kept = np.flatnonzero(seen > 1e-9)
    variance = noises * laplace_variance(epsilon)
    covered = width = 0.0
    for place in kept:
        low, high = limits(int(values[place]), variance)
        covered += float(seen[place]) * (low <= expected <= high)
        width += float(seen[place]) * (high - low)
    return covered / float(seen[kept].sum()), width


def wilson(hits: int, size: int) -> tuple[float, float]:
    z, p = 1.959964, hits / size
    middle, half = (p + z * z / (2 * size)), z * (p * (1 - p) / size + z * z / (4 * size**2)) ** 0.5
    return (middle - half) / (1 + z * z / size), (middle + half) / (1 + z * z / size)


def simulated_coverage(
    expected: float, epsilon: float, method: str, repetitions: int, rng: np.random.Generator
) -> tuple[int, float]:
    """Return how often the interval of a standardised rate covers, and its mean width."""
    means = expected * LIVER
    truth = float((WEIGHTS / WEIGHTS.sum()) @ (means / YEARS)) * 1e6
    p, variance = 1 - np.exp(-epsilon), laplace_variance(epsilon)
    cases = rng.poisson(means, (repetitions, 3))
    noisy = cases + rng.geometric(p, cases.shape) - rng.geometric(p, cases.shape)
    hits, width = 0, 0.0
    for row in noisy:
        rate = age_standardised_rate(row, YEARS, WEIGHTS, method=method, noise_variance=variance, level=LEVEL)  # type: ignore[arg-type]
        hits += rate.low <= truth <= rate.high
        width += rate.high - rate.low
    return hits, width / repetitions


def one_count() -> Table:
    table = Table(title="Exact coverage of 95 % limits of one noisy count, % (mean width against no noise)")
    for name in ("interval", "noises", "expected cases", *(f"epsilon {epsilon:g}" for epsilon in EPSILONS)):
        table.add_column(name, justify="right")
    for noises in (1, 10):
        variance = noises * laplace_variance(0.5)
        assert all(np.allclose(crude_limits(count, variance), sir_limits(count, variance)) for count in (-3, 0, 7, 120))
        for expected in EXPECTED:
            plain = poisson_width(expected, crude_limits)
            cells = []
            for epsilon in EPSILONS:
                covered, width = exact_coverage(expected, epsilon, noises, crude_limits)
                cells.append(f"{100 * covered:.1f} (x{width / plain:.2f})")
            table.add_row("Garwood: crude, SIR", str(noises), f"{expected:,}", *cells)
    return table


def poisson_width(expected: float, limits: Interval) -> float:
    counts = np.arange(int(expected + 12 * expected**0.5 + 30))
    chances = poisson.pmf(counts, expected)
    widths = [np.subtract(*limits(int(count), 0.0)[::-1]) for count in counts]
    return float(chances @ np.array(widths))


def standardised(repetitions: int) -> Table:
    table = Table(
        title=f"Coverage of 95 % limits of standardised rates, %, {repetitions:,} draws [Monte-Carlo interval]"
    )
    for name in ("interval", "expected cases", *(f"epsilon {epsilon:g}" for epsilon in EPSILONS)):
        table.add_column(name, justify="right")
    rng = np.random.default_rng(13)
    for method, name in (("tiwari", "Tiwari"), ("fay_feuer", "Fay-Feuer")):
        for expected in EXPECTED:
            cells = []
            for epsilon in EPSILONS:
                hits, _ = simulated_coverage(expected, epsilon, method, repetitions, rng)
                low, high = wilson(hits, repetitions)
                cells.append(f"{100 * hits / repetitions:.1f} [{100 * low:.1f}-{100 * high:.1f}]")
            table.add_row(name, f"{expected:,}", *cells)
    return table


# ------------------------------------------------------------------------------------------- 21 registries

SETTINGS: tuple[tuple[str, int | None, int | None], ...] = (
    ("nobody drops out, nobody tells", 21, 0),
    ("nobody drops out, up to 6 tell their noise", 21, 6),
    ("nobody drops out, up to 9 tell", 21, 9),
    ("up to 7 drop out, up to 6 tell (the default)", None, None),
)


def masked(material: Material, ledger: Path, threshold: int | None, colluding: int | None) -> Pipeline:
    """Return the study of the headline: a masked sum over 21 registries, the noise in shares, epsilon 1 in all."""
    return Pipeline(
        material.query.query,
        material.query.domain,
        aggregator=pets.mpc.MaskedSum(threshold=threshold),
        mechanism=pets.dp.DiscreteLaplace(epsilon=1),
        noise_at="sites",
        ledger=pets.Ledger(ledger, limit=pets.PureDP(1)),
        site_bound=1000,
        colluding_sites=colluding,
    )


def closed_form(honest: int, sites: int = 21, cells: int = 6, epsilon: float = 1.0) -> float:
    """Return the standard error of the total: a cell holds all sites' shares, of which any `honest` make one noise."""
    return float((cells * laplace_variance(epsilon) * sites / honest) ** 0.5)


def headline(repetitions: int) -> Table:
    table = Table(
        title=f"Liver cancer, ages 0-14, 21 registries, {TOTAL} cases by sex and age: masked sum, epsilon 1 in all"
    )
    for name in ("assumption", "total", "stated s.e.", "closed form", "measured", "rate per million (95 % CI)"):
        table.add_column(name, justify="right")
    material = load()
    mechanism = pets.dp.DiscreteLaplace(epsilon=1)
    for name, threshold, colluding in SETTINGS:
        with tempfile.TemporaryDirectory() as folder:
            plan = masked(material, Path(folder) / "ledger.sqlite", threshold, colluding)
            release = plan.run(material.frames)
        total, by_age = release.margin([]), release.margin(["age_group"])
        fewest = 21 if threshold else 14
        honest = fewest - ((fewest - 1) // 2 if colluding is None else colluding)
        cells = material.query.blocks[0].cells  # the tally counts rows outside the domain as well
        noise = [
            sum(int(mechanism.noise_share(material.query, 21, honest).values[:cells].sum()) for _ in range(21))
            for _ in range(repetitions)
        ]
        rate = age_standardised_rate(
            by_age["value"], material.person_years, SEGI_1960.weights(AGES), noise_variance=by_age["stderr"] ** 2
        )
        table.add_row(
            name,
            f"{int(total['value'][0])}",
            f"{float(total['stderr'][0]):.2f} = {100 * float(total['stderr'][0]) / TOTAL:.2f} %",
            f"{100 * closed_form(honest) / TOTAL:.2f} %",
            f"{100 * float(np.sqrt(np.mean(np.square(noise)))) / TOTAL:.2f} %",
            f"{rate.value:.2f} ({rate.low:.2f}-{rate.high:.2f})",
        )
    return table


# ------------------------------------------------------------------------------------------- the simulator

CELL_SIZES = {
    "usa": (44, (26, 36, 15, 6, 17)),
    "europe": (21, (31, 33, 15, 6, 15)),
    "world": (400, (59, 30, 6, 2, 3)),
}


def sparsity(like: str, count: int) -> Floats:
    """Return the expected shares of cells with 0, 1-4, 5-10, 11-15 and 16 or more cases, in %."""
    cases = simulate_registries(count, like=like, insecure_seed=1).expected.query("age_group != '15-19'").cases  # type: ignore[arg-type]
    shape = 0.7**-2
    below = [
        float((nbinom.cdf(k, shape, shape / (shape + cases)) if like == "world" else poisson.cdf(k, cases)).mean())
        for k in (0, 4, 10, 15)
    ]
    return 100 * np.diff([0.0, *below, 1.0])


def simulator(patients: int) -> Table:
    table = Table(title="The registry simulator against what was published")
    for name in ("what", "published", "simulated"):
        table.add_column(name, justify="right")
    for like, (count, published) in CELL_SIZES.items():
        found = "/".join(f"{share:.0f}" for share in sparsity(like, count))
        table.add_row(f"cells of 0/1-4/5-10/11-15/16+ cases, {like}, %", "/".join(map(str, published)), found)
    registries = simulate_registries(44, patients=patients, insecure_seed=1)
    question = pets.EventTable("time", "event", by=["diagnosis"]).bind(registries.domain)
    seen = []
    tallies, rows, drawing = [], 0, 0.0
    for name in registries:
        begin = time.perf_counter()
        frame = registries[name]
        drawing, rows = drawing + time.perf_counter() - begin, rows + len(frame)
        seen.append(frame.groupby(["sex", "age_group"], observed=False).size())
        tallies.append(question.tally(frame))
    expected = registries.expected.groupby(["sex", "age_group"]).cases.sum()
    found = pd.concat(seen).groupby(level=[0, 1], observed=False).sum()
    worst = max(abs(float(found[cell]) / float(expected[cell]) - 1) for cell in expected.index)
    table.add_row("difference of a rate by sex and age, expected", "2 % allowed", "0 % (tests/datasets)")
    table.add_row(f"the same of {rows:,} patients, largest", "2 % allowed", f"{100 * worst:.2f} %")
    known, error, spread = tumours(), 0.0, 0.0
    for curve in kaplan_meier(EventCounts.exact(question, reduce(add, tallies))):
        if known.published[place := known.name.index(str(curve.labels[0]))]:
            alive = float(np.interp(5 * 365.25, curve.times, curve.value))
            error = max(error, abs(alive - known.survival[place]))
            spread = max(spread, float(curve.stderr_sampling.max()))
    text = f"{100 * error:.2f} points (largest s.e. {100 * spread:.2f})"
    table.add_row("largest difference of a published 5-year survival", "2 points allowed", text)
    table.add_row("time to draw them", "", f"{drawing:.1f} s")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    console = Console(width=140)
    console.print(one_count())
    console.print(standardised(500 if quick else 20_000))
    console.print(headline(20 if quick else 400))
    console.print(simulator(1_000_000 if quick else 10_000_000))


if __name__ == "__main__":
    main()
