"""Survival from noisy event tables: error, coverage, type I error, speed.

    python -m benchmarks.survival [--quick]

1. Error of the Kaplan-Meier curve on the 228 patients of the NCCTG lung study, 24 bins of 45 days: root mean square
   difference from the exact Kaplan-Meier curve of all 228 at the ends of the bins, over all 24 bins, beside what was
   published for these data. Also: the same noise with counts clipped at zero, and the released counts as they are.
2. The same by bins of a quarter, a month and half of that; and cohorts of 30 to 600, where it fails.
3. What to measure: the same budget spent on a histogram, on prefix sums, and on a binary tree of sums.
4. Coverage of the true survival, restricted mean and median by their 95 % limits, in simulated cohorts.
5. Type I error and power of the log-rank test at a nominal 5 %, also where the strata are censored differently.
6. Net survival by sex and age of simulated adults: noise, and coverage of the true excess mortality.
7. A million patients: tally, noise and curve.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import pets
from pets.epi import LifeTable, finland_life_table, net_survival
from pets.epi.survival import EventCounts, kaplan_meier, log_rank, median_survival, restricted_mean

Floats = NDArray[np.float64]
EPSILONS = (0.1, 0.3, 0.5, 1, 2, 10)
PUBLISHED = {10: "0.04, Veeraragavan et al. 2024"}
HORIZON, WIDTH, BINS = 1080, 45, 24


def lung_question() -> pets.query.BoundQuery:
    domain = pets.Domain(time=pets.Integer(0, HORIZON), status=["censored", "dead"])
    return pets.EventTable("time", "status", bins=range(0, HORIZON + 1, WIDTH)).bind(domain)


def exact_curve() -> Floats:
    """Return the Kaplan-Meier curve of the lung study at the end of each bin, computed patient by patient."""
    lung = pets.datasets.lung()
    days, died = lung.time.to_numpy(), (lung.status == "dead").to_numpy()
    curve, ends = 1.0, [*range(WIDTH - 1, HORIZON - 1, WIDTH), HORIZON]
    ends[-1] = HORIZON
    found, position = [], 0
    events = np.unique(days[died])
    for end in ends:
        while position < len(events) and events[position] <= end:
            at = events[position]
            curve *= 1 - ((days == at) & died).sum() / (days >= at).sum()
            position += 1
        found.append(curve)
    return np.array(found)


def product_limit(events: Floats, censored: Floats) -> Floats:
    """Return the textbook estimate, nothing fitted: what a first attempt would do with noisy counts."""
    at_risk = np.cumsum((events + censored)[::-1])[::-1]
    hazard = np.divide(events, at_risk, out=np.zeros_like(events), where=at_risk > 0)
    return np.cumprod(1 - np.clip(hazard, 0, 1))


def errors(repetitions: int) -> Table:
    question, truth = lung_question(), exact_curve()
    tally = question.tally(pets.datasets.lung())
    table = Table(title=f"RMSE of survival, NCCTG lung, n = 228, {BINS} bins, {repetitions} repetitions")
    for name in ("epsilon", "pets", "mean of RMSE", "clipped at 0", "as released", "study's prototype", "published"):
        table.add_column(name, justify="right")
    prototype = {0.5: "0.049", 1: "0.029", 2: "0.015", 10: "0.0033"}
    for epsilon in EPSILONS:
        mechanism = pets.dp.DiscreteLaplace(epsilon=epsilon)
        squares: dict[str, list[Floats]] = {"pets": [], "clipped": [], "raw": []}
        for _ in range(repetitions):
            counts = EventCounts.of(mechanism.release(tally, question))
            curve = kaplan_meier(counts).curves[0]
            events, censored = counts.events[0, :, 0], counts.censored[0]
            squares["pets"].append((curve.value - truth) ** 2)
            squares["clipped"].append((product_limit(np.maximum(events, 0), np.maximum(censored, 0)) - truth) ** 2)
            squares["raw"].append((product_limit(events, censored) - truth) ** 2)
        overall = {name: float(np.mean(values)) ** 0.5 for name, values in squares.items()}
        typical = float(np.mean([value.mean() ** 0.5 for value in squares["pets"]]))
        table.add_row(
            f"{epsilon:g}",
            f"{overall['pets']:.4f}",
            f"{typical:.4f}",
            f"{overall['clipped']:.4f}",
            f"{overall['raw']:.4f}",
            prototype.get(epsilon, ""),
            PUBLISHED.get(epsilon, ""),
        )
    return table


def product_limit_at(days: NDArray[np.int64], died: NDArray[np.bool_], ends: Floats) -> Floats:
    """Return the Kaplan-Meier curve of these patients at the end of each bin, patient by patient."""
    events = np.unique(days[died])
    at_risk = np.array([(days >= day).sum() for day in events])
    deaths = np.array([((days == day) & died).sum() for day in events])
    curve = np.concatenate([[1.0], np.cumprod(1 - deaths / at_risk)])
    return curve[np.searchsorted(events, ends, side="right")]


def grids(repetitions: int) -> Table:
    """Return the error on the lung study by width of the bins: RMSE at the ends of the bins, over all of them."""
    lung = pets.datasets.lung()
    days, died = lung.time.to_numpy(), (lung.status == "dead").to_numpy()
    table = Table(
        title=f"RMSE of survival, NCCTG lung, n = 228, {repetitions} repetitions (wanted at 1: 0.02 and 0.04)"
    )
    for name in ("bins", *(f"epsilon {epsilon:g}" for epsilon in (0.1, 0.3, 1.0, 3.0))):
        table.add_column(name, justify="right")
    for name, width in (("12 of 90 days", 90), ("36 of 30 days", 30), ("72 of 15 days", 15)):
        domain = pets.Domain(time=pets.Integer(0, HORIZON), status=["censored", "dead"])
        question = pets.EventTable("time", "status", bins=range(0, HORIZON + 1, width)).bind(domain)
        tally = question.tally(lung)
        cells = []
        for epsilon in (0.1, 0.3, 1.0, 3.0):
            errors = squared_errors(question, tally, days, died, epsilon, repetitions)
            cells.append(f"{(errors.mean(axis=1) ** 0.5).mean():.4f} ({errors.mean() ** 0.5:.4f})")
        table.add_row(name, *cells)
    return table


def squared_errors(
    question: pets.query.BoundQuery,
    tally: pets.Tally,
    days: NDArray[np.int64],
    died: NDArray[np.bool_],
    epsilon: float,
    repetitions: int,
) -> Floats:
    mechanism, squares = pets.dp.DiscreteLaplace(epsilon=epsilon), []
    truth = product_limit_at(days, died, EventCounts.exact(question, tally).times)
    for _ in range(repetitions):
        curve = kaplan_meier(mechanism.release(tally, question)).curves[0]
        squares.append((curve.value - truth) ** 2)
    return np.array(squares)


def small(repetitions: int) -> Table:
    """Return the error on cohorts as small as one country's rare tumour: survival of half, yearly bins, five years."""
    table = Table(
        title=f"Small cohorts, 5 yearly bins, hazard 0.16 a year, {repetitions} cohorts each: RMSE by noise "
        "(share of releases in which all five years stand out of it)"
    )
    for name in ("patients", "sampling s.e.", *(f"epsilon {epsilon:g}" for epsilon in (0.1, 0.3, 1.0, 3.0))):
        table.add_column(name, justify="right")
    domain = pets.Domain(time=pets.Integer(0, 2200, invalid="clamp"), status=["censored", "dead"])
    question = pets.EventTable("time", "status", bins=range(0, 1826, 365)).bind(domain)
    rng = np.random.default_rng(17)
    for patients in (30, 60, 150, 600):
        cells, errors = [], []
        for epsilon in (0.1, 0.3, 1.0, 3.0):
            mechanism, squares, whole = pets.dp.DiscreteLaplace(epsilon=epsilon), [], 0
            for _ in range(repetitions):
                death, left = rng.exponential(365 / 0.16, patients), rng.uniform(700, 3000, patients)
                days, died = np.minimum(death, left), death <= left
                bin_ = np.minimum((days / 365).astype(int), 5)
                tally = pets.Tally(np.bincount(bin_ * 2 + died, minlength=question.size), question.signature)
                exact = kaplan_meier(EventCounts.exact(question, tally)).curves[0]
                curve = kaplan_meier(mechanism.release(tally, question)).curves[0]
                squares.append((curve.value - exact.value) ** 2)
                errors.append(exact.stderr_sampling.mean())
                whole += bool(curve.reliable.all())
            cells.append(f"{np.mean(squares) ** 0.5:.3f} ({100 * whole / repetitions:.0f} %)")
        table.add_row(str(patients), f"{np.mean(errors):.3f}", *cells)
    return table


def net(repetitions: int) -> Table:
    """Return what noise does to net survival: adults of 60-84 in five bands, both sexes, half-year bins, excess 0.1."""
    table = Table(
        title=f"Net survival (Pohar-Perme) after five years, {repetitions} cohorts each: coverage of 95 % limits"
    )
    for name in (
        "patients",
        "epsilon",
        "mean",
        "truth",
        "sampling s.e.",
        "noise s.e.",
        "covered, all bins",
        "at 5 years",
    ):
        table.add_column(name, justify="right")
    population, rng, excess = finland_life_table(), np.random.default_rng(19), 0.1
    domain = pets.Domain(
        time=pets.Integer(0, 1900, invalid="clamp"),
        status=["censored", "dead"],
        sex=list(population.sexes),
        age=pets.Integer(60, 84, bins=[60, 65, 70, 75, 80, 84]),
    )
    question = pets.EventTable("time", "status", by=["sex", "age"], bins=[*range(0, 1826, 183), 1826]).bind(domain)
    for patients in (500, 2000, 10_000):
        for epsilon in (None, 2.0, 1.0, 0.5):
            hits, ends, values, sampling, noise = 0.0, 0, [], [], []
            for _ in range(repetitions):
                tally = question.tally(mortal(rng, patients, population, excess))
                curve = net_survival(counts_of(mechanism_of(epsilon), question, tally), population, year=2003).curves[0]
                truth = np.exp(-excess * curve.times / 365.25)
                inside = (curve.low <= truth) & (truth <= curve.high)
                hits, ends = hits + inside.mean(), ends + bool(inside[-1])
                values.append(curve.value[-1])
                sampling.append(curve.stderr_sampling[-1])
                noise.append(curve.stderr_noise[-1])
            table.add_row(
                f"{patients:,}",
                "none" if epsilon is None else f"{epsilon:g}",
                f"{np.mean(values):.3f}",
                f"{truth[-1]:.3f}",
                f"{np.mean(sampling):.3f}",
                f"{np.mean(noise):.3f}",
                f"{100 * hits / repetitions:.1f} %",
                f"{100 * ends / repetitions:.1f} %",
            )
    return table


def mortal(rng: np.random.Generator, size: int, population: LifeTable, excess: float) -> pd.DataFrame:
    """Return adults diagnosed in 2003 who die of their population's hazards, and of a constant excess hazard."""
    age, codes = rng.uniform(60, 85, size), rng.integers(0, 2, size)
    death = rng.exponential(size=size) / excess
    for start in np.arange(0, 5.2, 0.1):
        hazard = population.hazard(codes, age + start + 0.05, np.full(size, 2003.5 + start + 0.05))
        natural = start + rng.exponential(size=size) / hazard
        death = np.where((natural < start + 0.1) & (natural < death), natural, death)
    left = rng.uniform(2, 12, size)
    end = np.minimum(np.minimum(death, left), 5.19)
    died = (death <= left) & (death < 5.19)
    columns = {"time": (end * 365.25).astype(int), "age": age.astype(int)}
    labels = {"sex": np.array(population.sexes)[codes], "status": np.where(died, "dead", "censored")}
    return pd.DataFrame(columns | labels)


def strategies() -> Table:
    """Return the standard error of a number at risk under three ways to spend epsilon 1, from the laws alone."""
    table = Table(title="Standard error of a number at risk, epsilon 1, mean over bins")
    for name in ("bins", "histogram of (bin, event)", "binary tree of sums", "every number at risk itself"):
        table.add_column(name, justify="right")
    for bins in (12, 24, 60, 240, 1000):
        cells = 2 * np.arange(1, bins + 1)
        levels = int(np.ceil(np.log2(bins))) + 1
        nodes = np.array([bin(k).count("1") for k in range(1, bins + 1)])
        histogram = (cells * laplace_variance(1)) ** 0.5
        # one patient is in one node a level, so each level has epsilon / levels
        tree = (nodes * laplace_variance(1 / levels)) ** 0.5
        # one patient is at risk in up to all bins
        direct = laplace_variance(1 / bins) ** 0.5
        table.add_row(str(bins), f"{histogram.mean():.1f}", f"{tree.mean():.1f}", f"{direct:.1f}")
    return table


def laplace_variance(epsilon: float) -> float:
    return float(0.5 / np.sinh(epsilon / 2) ** 2)


@dataclass(frozen=True)
class Cohort:
    """Weibull survival (scale 420, shape 1.3) with uniform censoring, in one or two strata."""

    patients: int
    share: float | None = None
    censor_second: bool = False
    hazard_ratio: float = 1.0

    def question(self) -> pets.query.BoundQuery:
        domain = pets.Domain(
            time=pets.Numeric(0, 2 * HORIZON, resolution="0.001", invalid="clamp"),
            status=["censored", "dead"],
            group=["a", "b"],
        )
        return pets.EventTable(
            "time", "status", by=[] if self.share is None else ["group"], bins=range(0, HORIZON + 1, WIDTH)
        ).bind(domain)

    def draw(self, rng: np.random.Generator, question: pets.query.BoundQuery) -> pets.Tally:
        second = rng.random(self.patients) >= (1 if self.share is None else self.share)
        death = 420 * (rng.exponential(size=self.patients) / np.where(second, self.hazard_ratio, 1)) ** (1 / 1.3)
        left = rng.uniform(200, 1300, self.patients)
        if self.censor_second:
            left = np.where(second, rng.uniform(50, 500, self.patients), left)
        end, died = np.minimum(death, left), death <= left
        bin_ = np.minimum((end / WIDTH).astype(int), BINS)  # the last one holds all who were followed beyond
        values = np.bincount((second * (BINS + 1) + bin_) * 2 + died, minlength=question.size)
        return pets.Tally(values.astype(np.int64), question.signature)


def true_survival(days: Floats) -> Floats:
    return np.exp(-((days / 420) ** 1.3))


def counts_of(
    mechanism: pets.dp.DiscreteLaplace | None, question: pets.query.BoundQuery, tally: pets.Tally
) -> EventCounts:
    return (
        EventCounts.exact(question, tally) if mechanism is None else EventCounts.of(mechanism.release(tally, question))
    )


def mechanism_of(epsilon: float | None) -> pets.dp.DiscreteLaplace | None:
    return None if epsilon is None else pets.dp.DiscreteLaplace(epsilon=epsilon)


def coverage(repetitions: int) -> Table:
    table = Table(title=f"Coverage of 95 % limits, {BINS} bins, {repetitions} cohorts each (reliable bins only)")
    for name in ("patients", "epsilon", "band", "lowest bin", "highest bin", "band without noise", "mean", "median"):
        table.add_column(name, justify="right")
    horizon, rng = 720, np.random.default_rng(7)
    grid = np.linspace(0, horizon, 4001)
    mean, middle = float(np.trapezoid(true_survival(grid), grid)), 420 * np.log(2) ** (1 / 1.3)
    for patients in (100, 228, 1000, 10_000):
        for epsilon in (None, 10.0, 2.0, 1.0, 0.5):
            cohort, mechanism = Cohort(patients), mechanism_of(epsilon)
            question = cohort.question()
            hits, naive, seen, means, medians = np.zeros(BINS), 0, np.zeros(BINS), 0, 0
            for _ in range(repetitions):
                counts = counts_of(mechanism, question, cohort.draw(rng, question))
                curve = kaplan_meier(counts).curves[0]
                truth = true_survival(curve.times)
                hits += curve.reliable & (curve.low <= truth) & (truth <= curve.high)
                within = (curve.low_sampling <= truth) & (truth <= curve.high_sampling)
                naive += int((curve.reliable & within).sum())
                seen += curve.reliable
                area, half = restricted_mean(counts, horizon)[0], median_survival(counts)[0]
                means += area.low <= mean <= area.high
                medians += half.low <= middle <= half.high
            often = seen > repetitions / 2
            shares = hits[often] / seen[often]
            table.add_row(
                f"{patients:,}",
                "none" if epsilon is None else f"{epsilon:g}",
                f"{100 * hits.sum() / seen.sum():.1f} %",
                f"{100 * shares.min():.1f} %",
                f"{100 * shares.max():.1f} %",
                f"{100 * naive / seen.sum():.1f} %",
                f"{100 * means / repetitions:.1f} %",
                f"{100 * medians / repetitions:.1f} %",
            )
    return table


def rejections(repetitions: int) -> Table:
    scenes = {
        "228 patients, halves": Cohort(228, 0.5),
        "228, three quarters": Cohort(228, 0.75),
        "228, second censored early": Cohort(228, 0.5, censor_second=True),
        "1,000, nine tenths": Cohort(1000, 0.9),
        "5,000, 95 %, censored early": Cohort(5000, 0.95, censor_second=True),
        "power: 228, hazard ratio 1.6": Cohort(228, 0.5, hazard_ratio=1.6),
        "power: 1,000, hazard ratio 1.4": Cohort(1000, 0.5, hazard_ratio=1.4),
    }
    epsilons = (None, 10.0, 2.0, 1.0, 0.5, 0.2)
    table = Table(title=f"Log-rank test, share of p < 0.05, {repetitions} cohorts each (published: below 15 % at 0.5)")
    table.add_column("cohort")
    for epsilon in epsilons:
        table.add_column("no noise" if epsilon is None else f"{epsilon:g}", justify="right")
    rng = np.random.default_rng(11)
    for name, cohort in scenes.items():
        question, shares = cohort.question(), []
        for epsilon in epsilons:
            mechanism = mechanism_of(epsilon)
            found = [
                log_rank(counts_of(mechanism, question, cohort.draw(rng, question))).p_value < 0.05
                for _ in range(repetitions)
            ]
            shares.append(f"{100 * np.mean(found):.1f} %")
        table.add_row(name, *shares)
    return table


def speed(patients: int = 1_000_000, rounds: int = 7) -> Table:
    import polars as pl

    rng = np.random.default_rng(3)
    frame = pl.DataFrame(
        {
            "time": rng.integers(0, 1080, patients),
            "status": pl.Series(["censored", "dead"]).gather(rng.integers(0, 2, patients)),
        }
    )
    coded = frame.with_columns(pl.col("status").cast(pl.Enum(["censored", "dead"])))
    question, mechanism = lung_question(), pets.dp.DiscreteLaplace(epsilon=1)
    table = Table(title=f"{patients:,} patients, {BINS} bins: best of {rounds}, ms")
    for name in ("Polars column of events", "tally", "noise and curve", "all", "CPU"):
        table.add_column(name, justify="right")
    for name, source in (("text", frame), ("Enum", coded)):
        laps = []
        for _ in range(rounds):
            start, cpu = time.perf_counter(), time.process_time()
            tally = question.tally(source)
            middle = time.perf_counter()
            kaplan_meier(mechanism.release(tally, question))
            end = time.perf_counter()
            laps.append((middle - start, end - middle, end - start, time.process_time() - cpu))
        best = min(laps, key=lambda lap: lap[2])
        table.add_row(name, *(f"{1000 * part:.1f}" for part in best))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    console = Console(width=132)
    console.print(errors(200 if quick else 2000))
    console.print(grids(100 if quick else 1000))
    console.print(small(100 if quick else 1000))
    console.print(strategies())
    console.print(coverage(100 if quick else 1000))
    console.print(rejections(200 if quick else 2000))
    console.print(net(40 if quick else 1000))
    console.print(speed())


if __name__ == "__main__":
    main()
