"""Do rare combinations, rates and survival survive synthesis?

Each synthesizer is fitted at least 200 times with the reproducible test generator. Rows: 12 cancers by sex and age in
Ireland; errors of cells of 1, about 5 and about 20 cases, how many combinations that exist are found again,
and how large a sample of the real rows would be as good. Survival: a thousand children of the National Wilms Tumor
Study; relapse-free survival and the log hazard ratio of unfavourable histology. Real rows again (a bootstrap), and a
table of suppressed counts, are the baselines.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd

import pets
from benchmarks.harness import points
from benchmarks.harness.results import Found
from benchmarks.harness.running import Amount
from benchmarks.harness.techniques import NONE, SAMPLING, TODAY
from benchmarks.suites.material import CELLS, DELTA, Study, ireland
from pets.synthetic import AIM, CART, MST, SDV, Adaptive, Independent, Survival
from pets.synthetic.draws import Draws
from pets.synthetic.encoding import Encoding

Points = Iterator[points.Point]
KINDS: dict[str, Any] = {"Independent": Independent, "MST": MST, "AIM": AIM, "Adaptive": Adaptive}
QUICK = dict.fromkeys(KINDS, (1.0,))
FULL = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
BUCKETS = {1: (1, 1), 2: (2, 4), 5: (5, 9), 10: (10, 19), 20: (20, 10**6)}
YEARS = np.arange(0.5, 10.01, 0.5)


def run(amount: Amount) -> Found:
    """Return the points."""
    found, study, fits = Found(), ireland(), 200
    seeds = [amount.seed + i for i in range(fits)]
    budgets = dict.fromkeys(KINDS, FULL) if amount.full else QUICK
    encoding = Encoding.of(study.domain)
    codes = encoding.encode(study.frame)
    for name, epsilons in budgets.items():
        for epsilon in epsilons:
            made = KINDS[name](epsilon=str(epsilon), delta=DELTA)
            tables = [_table(study, _rows(made, encoding, codes, seed, len(study.frame))) for seed in seeds]
            found.update(_cells(name, study, tables, epsilon))
    found.update(_cells("CART", study, [_table(study, _refit(study)) for _ in seeds], None))
    generator = np.random.default_rng(amount.seed)
    again = [generator.multinomial(study.counts.sum(), study.counts / study.counts.sum()) for _ in seeds]
    found.update(_cells(SAMPLING, study, again, None))
    hidden = np.where(study.counts < 5, 0, study.counts)
    found.update(_recall(TODAY, study, [hidden], None))
    found.update(points.exact(NONE, "rmse", 0, cell=size) for size in CELLS)
    found.update(_survival(amount, seeds))
    if not amount.full:
        found.not_run["other budgets than epsilon 1, and survival by AIM, Adaptive"] = "only with --full"
    if find_spec("sdv") is None:
        found.not_run["SDV"] = "the extra is not installed: pip install 'pets[synthetic]'; see the suite `peers`"
    else:  # pragma: no cover - needs the extra
        found.update(_cells("SDV", study, [_table(study, _copula(study)) for _ in seeds], None))
    return found


def _rows(made: Any, encoding: Encoding, codes: Any, seed: int, number: int) -> pd.DataFrame:
    # The reproducible generator instead of the secure one: this is a simulation, and nothing of it is released.
    return made._drawn(encoding, codes, Draws.insecure(seed)).sample(number, seed=seed)


def _refit(study: Study) -> pd.DataFrame:
    return CART().fit(study.frame, study.domain).sample(len(study.frame))


def _copula(study: Study) -> pd.DataFrame:  # pragma: no cover - needs the extra
    return SDV("gaussian_copula").fit(study.frame, study.domain).sample(len(study.frame))


def _table(study: Study, rows: pd.DataFrame) -> np.ndarray:
    names = ("site", "sex", "age_group")
    labels = [list(study.domain[name].labels) for name in names]
    codes = [pd.Categorical(rows[name], listed).codes for name, listed in zip(names, labels, strict=True)]
    places = np.ravel_multi_index([code.astype(np.int64) for code in codes], [len(listed) for listed in labels])
    return np.bincount(places, minlength=len(study.counts))


def _cells(name: str, study: Study, tables: list[np.ndarray], epsilon: float | None) -> Points:
    for size in CELLS:
        chosen = study.bucket(size)
        squares = [np.mean((table[chosen] - study.counts[chosen]) ** 2.0) for table in tables]
        at = {"epsilon": epsilon, "cell": size, "n": int(chosen.sum())}
        yield points.root_mean(name, "rmse", squares, **at)
    yield from _recall(name, study, tables, epsilon)
    distance = np.array([np.abs(table - study.counts).sum() / 2 / study.counts.sum() for table in tables])
    yield points.mean(name, "total variation", distance, epsilon=epsilon)
    # A sample of share x is off by sqrt(1/x - 1) times what a sample of the same size is (its finite-population error).
    alike = _sample_error(study)
    off = points.mean(name, "", distance)
    high, value, low = (1 / (1 + (max(0.0, x) / alike) ** 2) for x in (off.low, off.value, off.high))
    at = {"epsilon": epsilon, "setting": "share of the rows that, as a sample, would be as far off"}
    yield points.Point(name, "as good as a sample", value, low, high, "replicates", len(tables), **at)


@lru_cache(maxsize=4)
def _sample_error(study: Study) -> float:
    """Return the mean distance of a half sample, scaled up, from the whole: a share x is off by sqrt(1/x - 1) of it."""
    generator, n = np.random.default_rng(0), int(study.counts.sum())
    owners = np.repeat(np.arange(len(study.counts)), study.counts)
    found = []
    for _ in range(200):
        half = np.bincount(generator.choice(owners, n // 2, replace=False), minlength=len(study.counts))
        found.append(np.abs(half * n / (n // 2) - study.counts).sum() / 2 / n)
    return float(np.mean(found))


def _recall(name: str, study: Study, tables: list[np.ndarray], epsilon: float | None) -> Points:
    for size, (low, high) in BUCKETS.items():
        cells = (study.counts >= low) & (study.counts <= high)
        if not cells.any():
            continue
        at = {"epsilon": epsilon, "cell": size, "setting": f"{low} to {high}" if high < 10**6 else f"{low} and more"}
        found = [np.mean(table[cells] > 0) for table in tables]
        if len(found) == 1:
            yield points.exact(name, "combinations found again", found[0], **at)
        else:
            yield points.mean(name, "combinations found again", found, **at)


# ------------------------------------------------------------------------------------------------- survival


@lru_cache(maxsize=1)
def wilms() -> tuple[pd.DataFrame, pets.Domain, Survival]:
    """Return a thousand children with time to relapse, histology and stage."""
    frame = pets.datasets.wilms()[["time", "status", "histology", "stage"]].sample(1000, random_state=1)
    ends = [0, 182, 365, 547, 730, 1095, 1460, 1825, 2555, 3650, 6300]
    domain = pets.Domain(
        time=pets.Integer(0, 6300, bins=ends), status=["censored", "relapse"],
        histology=["favourable", "unfavourable"], stage=["I", "II", "III", "IV"],
    )  # fmt: skip
    return frame.reset_index(drop=True), domain, Survival("time", "status", by=["histology", "stage"])


def _survival(amount: Amount, seeds: list[int]) -> Points:
    frame, domain, survival = wilms()
    encoding = Encoding.of(domain, [survival])
    codes, real = encoding.encode(frame), summary(frame)
    generator = np.random.default_rng(amount.seed)
    ways: list[tuple[str, float | None]] = [(SAMPLING, None), ("CART", None)]
    ways += [(kind, e) for kind in (KINDS if amount.full else ("MST",)) for e in (FULL if amount.full else (1.0,))]
    for name, epsilon in ways:
        made = KINDS[name](epsilon=str(epsilon), delta=DELTA, survival=survival) if name in KINDS else None
        curves, ratios = [], []
        for seed in seeds:
            if name == SAMPLING:
                rows = frame.iloc[generator.integers(0, len(frame), len(frame))]
            elif name == "CART":
                rows = CART(survival=survival).fit(frame, domain).sample(len(frame))
            else:
                rows = _rows(made, encoding, codes, seed, len(frame))
            curve, ratio = summary(rows)
            curves.append(np.abs(curve - real[0]).max())
            ratios.append(ratio - real[1])
        at = {"epsilon": epsilon, "n": len(frame)}
        yield points.mean(name, "largest error of the Kaplan-Meier curve", curves, **at)
        yield points.mean(name, "bias of the log hazard ratio", ratios, **at)
        yield points.root_mean(name, "error of the log hazard ratio", np.square(ratios), **at)
    yield points.exact(NONE, "largest error of the Kaplan-Meier curve", 0)
    yield points.exact(NONE, "error of the log hazard ratio", 0)


def summary(rows: pd.DataFrame) -> tuple[np.ndarray, float]:
    """Return relapse-free survival on a grid, and the log hazard ratio of histology by occurrence over exposure."""
    time = rows["time"].to_numpy(dtype=float)
    died = (rows["status"] == "relapse").to_numpy()
    bad = (rows["histology"] == "unfavourable").to_numpy()
    order = np.argsort(time, kind="stable")
    at_risk = np.arange(len(time), 0, -1)
    steps = np.cumprod(np.where(died[order], 1 - 1 / at_risk, 1.0))
    curve = np.concatenate([[1.0], steps])[np.searchsorted(time[order], YEARS * 365.25, side="right")]
    early = 3 * 365.25
    hazards = []
    for group in (bad, ~bad):
        events = float(np.sum(died[group] & (time[group] <= early))) + 0.5
        hazards.append(events / (np.minimum(time[group], early).sum() + 1.0))
    return curve, math.log(hazards[0] / hazards[1])
