"""How accurate and how fast the synthesizers are, on Adult and on the National Wilms Tumor Study.

    nice python -m benchmarks.synthetic                          # everything, 5 seeds: about half an hour
    nice python -m benchmarks.synthetic nwtsco --seeds 3
    nice python -m benchmarks.synthetic adult --epsilon 1 --seeds 2
    nice python -m benchmarks.synthetic small
    nice python -m benchmarks.synthetic across                   # three sites against all rows in one place
    nice python -m benchmarks.synthetic adult-across --seeds 1   # the same on Adult
    nice python -m benchmarks.synthetic wide                     # 100,000 rows of 15 columns

CPU seconds; set OMP_NUM_THREADS=1 for those of one thread. Noise comes from the reproducible test generator, by the
same exact samplers. ``tv`` is the mean over 64 random triples of columns of half the L1 distance of normalised tables;
``km`` the mean absolute difference of relapse-free survival over ten years, ``km uh`` the same in children with
unfavourable histology; ``cox`` the mean error of six coefficients in standard errors of the real fit; ``ci`` the mean
overlap of their 95 % intervals; ``bad`` the rows in which the two clocks contradict each other; ``sums`` how many
secure sums a fit took. In ``across`` the same children are dealt to three sites, ``colluding`` of which may tell the
noise they added.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from itertools import combinations, product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import pets
from benchmarks.synthetic_wide import wide
from pets.csprng import InsecureRandom
from pets.synthetic import AIM, MST, Adaptive, Independent, Survival
from pets.synthetic.across import Arrangement
from pets.synthetic.across.joint_fit import JointFit
from pets.synthetic.across.sums import SiteSums
from pets.synthetic.draws import Draws
from pets.synthetic.encoding import Encoding
from pets.synthetic.synthesizer import Synthesizer
from pets.synthetic.tables import count

DATA = Path(__file__).parent / "data"
KINDS = {"independent": Independent, "mst": MST, "aim": AIM, "adaptive": Adaptive}
GOALS = {("tv", "0.1"): 0.165, ("tv", "1"): 0.065, ("tv", "10"): 0.037,
         ("km", "0.1"): 0.020, ("km", "1"): 0.005, ("km", "10"): 0.002, ("km uh", "1"): 0.045, ("km uh", "10"): 0.02,
         ("cox", "1"): 1.5, ("cox", "10"): 0.9, ("ci", "1"): 0.60, ("ci", "10"): 0.78}  # fmt: skip
YEARS = [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 25]


def adult() -> tuple[pd.DataFrame, pets.Domain]:
    frame = pd.read_csv(DATA / "adult.csv.gz")
    sizes = [85, 9, 100, 16, 7, 15, 6, 5, 2, 100, 100, 99, 42, 2]
    numbers = {"age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"}
    columns = {
        name: pets.Integer(0, size - 1) if name in numbers else list(range(size))
        for name, size in zip(frame.columns, sizes, strict=True)
    }
    return frame, pets.Domain(columns)


def nwtsco() -> tuple[pd.DataFrame, pets.Domain, list[Survival]]:
    def number(low: float, high: float, unit: str, bins: list[Any]) -> pets.Numeric:
        return pets.Numeric(low, high, resolution=unit, bins=bins, invalid="clamp")

    domain = pets.Domain(
        trel=number(0, 25, "0.01", YEARS), tsur=number(0, 25, "0.01", YEARS), relaps=[0, 1], dead=[0, 1],
        study=[3, 4], stage=[1, 2, 3, 4], histol=[0, 1], instit=[0, 1],
        age=number(0, 20, "0.01", [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 10, 12, 20]),
        yr=pets.Integer(1975, 2000, bins=[*range(1975, 2000, 2), 2000]),
        specwgt=number(0, 5000, "1", [*range(0, 1001, 100), 1250, 1500, 2000, 3000, 5000]),
        tumdiam=number(0, 40, "0.1", [0, 2, 4, 6, *range(8, 17), 18, 20, 25, 30, 40]),
    )  # fmt: skip
    frame = pd.read_csv(DATA / "nwtsco.csv.gz")
    relapse = Survival("trel", "relaps", by=["histol", "stage", "age", "tumdiam"])
    return frame, domain, [relapse, Survival("tsur", "dead", after="trel")]


def triples(sizes: tuple[int, ...]) -> list[tuple[int, ...]]:
    """64 random triples of at most 10,000 cells, always the same."""
    small = [axes for axes in combinations(range(len(sizes)), 3) if prod(sizes[a] for a in axes) <= 10_000]
    return [small[i] for i in np.random.default_rng(0).choice(len(small), 64, replace=False)]


def total_variation(real: Any, synthetic: Any, sizes: tuple[int, ...], tables: list[tuple[int, ...]]) -> float:
    def shares(codes: Any, axes: tuple[int, ...]) -> Any:
        return count(codes, sizes, axes) / codes.shape[1]

    return float(np.mean([np.abs(shares(real, t) - shares(synthetic, t)).sum() / 2 for t in tables]))


def kaplan_meier(time_: Any, event: Any, grid: Any) -> Any:
    order = np.argsort(time_, kind="stable")
    times, events = np.asarray(time_)[order], np.asarray(event)[order]
    moments, first = np.unique(times, return_index=True)
    died = np.add.reduceat(events, first)
    survival = np.cumprod(1 - died / (len(times) - first))
    at = np.searchsorted(moments, grid, side="right")
    return np.concatenate([[1.0], survival])[at]


def cox(time_: Any, event: Any, x: Any) -> tuple[Any, Any]:
    """Newton's method on Breslow's partial likelihood: coefficients and standard errors."""
    order = np.argsort(-np.asarray(time_), kind="stable")
    times, events, x = np.asarray(time_)[order], np.asarray(event)[order].astype(bool), x[order]
    last = np.searchsorted(-times, -times, side="right") - 1
    beta = np.zeros(x.shape[1])
    information = np.eye(x.shape[1])
    for _ in range(30):
        weight = np.exp(x @ beta)
        s0 = np.cumsum(weight)[last]
        s1 = np.cumsum(weight[:, None] * x, axis=0)[last]
        s2 = np.cumsum(weight[:, None, None] * x[:, :, None] * x[:, None, :], axis=0)[last]
        mean = s1 / s0[:, None]
        score = (x - mean)[events].sum(axis=0)
        information = (s2 / s0[:, None, None] - mean[:, :, None] * mean[:, None, :])[events].sum(axis=0)
        # A little ridge and a bound: in a small or noisy table a group may have no event at all.
        step = np.linalg.solve(information + 1e-3 * np.eye(len(beta)), score)
        beta = np.clip(beta + np.clip(step, -1, 1), -6, 6)
        if np.abs(step).max() < 1e-9:
            break
    return beta, np.sqrt(np.diag(np.linalg.inv(information + 1e-3 * np.eye(len(beta)))))


def covariates(frame: pd.DataFrame) -> Any:
    columns = [frame.histol, *(frame.stage == k for k in (2, 3, 4)), frame.age, frame.tumdiam]
    return np.column_stack([np.asarray(c, dtype=float) for c in columns])


def survival_scores(real: pd.DataFrame, synthetic: pd.DataFrame) -> dict[str, float]:
    grid = np.linspace(0, 10, 401)

    def curve(frame: pd.DataFrame) -> Any:
        return kaplan_meier(frame.trel, frame.relaps, grid)

    high_real, high = real[real.histol == 1], synthetic[synthetic.histol == 1]
    b0, e0 = cox(real.trel, real.relaps, covariates(real))
    b1, e1 = cox(synthetic.trel, synthetic.relaps, covariates(synthetic))
    low, top = np.maximum(b0 - 1.96 * e0, b1 - 1.96 * e1), np.minimum(b0 + 1.96 * e0, b1 + 1.96 * e1)
    shared = np.maximum(top - low, 0)
    wrong = (synthetic.trel > synthetic.tsur) | ((synthetic.relaps == 0) & (synthetic.trel != synthetic.tsur))
    return {
        "km": float(np.abs(curve(real) - curve(synthetic)).mean()),
        "km uh": float(np.abs(curve(high_real) - curve(high)).mean()) if len(high) else 1.0,
        "cox": float((np.abs(b0 - b1) / e0).mean()),
        "ci": float((shared / (3.92 * e0) + shared / (3.92 * e1)).mean() / 2),
        "bad": float(wrong.sum()),
    }


def fitted(synthesizer: Synthesizer, encoding: Encoding, frame: pd.DataFrame, seed: int) -> tuple[Any, float]:
    begin = time.process_time()
    model = synthesizer._drawn(encoding, encoding.encode(frame), Draws.insecure(seed))
    return model, time.process_time() - begin


def rows_of_adult(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    frame, domain = adult()
    encoding = Encoding.of(domain)
    real, tables = encoding.encode(frame), triples(encoding.sizes)
    workload = [[encoding.names[a] for a in axes] for axes in tables]
    for epsilon in arguments.epsilon:
        for kind in arguments.kinds:
            for seed in range(arguments.seeds):
                made = KINDS[kind](epsilon=epsilon, delta=arguments.delta or "1e-9", workload=workload)
                model, seconds = fitted(made, encoding, frame, seed)
                synthetic = encoding.encode(model.sample(len(frame), seed=seed))
                tv = total_variation(real, synthetic, encoding.sizes, tables)
                yield {"data": "adult", "kind": kind, "epsilon": epsilon, "tv": tv, "cpu s": seconds}


def rows_of_nwtsco(arguments: argparse.Namespace, size: int | None = None) -> Iterator[dict[str, Any]]:
    whole, domain, survival = nwtsco()
    encoding = Encoding.of(domain, survival)
    for epsilon in arguments.epsilon:
        for kind in arguments.kinds:
            for seed in range(arguments.seeds):
                frame = whole if size is None else whole.sample(size, random_state=100 + seed)
                delta = arguments.delta or ("1e-9" if size is None else "1e-5")
                made = KINDS[kind](epsilon=epsilon, delta=delta, survival=survival)
                model, seconds = fitted(made, encoding, frame, seed)
                found = survival_scores(frame, model.sample(len(frame), seed=seed))
                name = "nwtsco" if size is None else f"nwtsco {size}"
                yield {"data": name, "kind": kind, "epsilon": epsilon} | found | {"cpu s": seconds}


PLACES = {None: "one place", 0: "three sites, 0 colluding", 1: "three sites, 1 colluding"}


def fitted_across(
    made: Synthesizer, encoding: Encoding, codes: Any, colluding: int | None, seed: int
) -> tuple[Any, dict[str, Any]]:
    """Fit to all rows in one place (None), or dealt to three sites of which so many may tell the noise they added."""
    begin, asked = time.process_time(), 0
    if colluding is None:
        model = made._drawn(encoding, codes, Draws.insecure(seed))
    else:
        dealt = {f"site {i}": codes[:, i::3] for i in range(3)}
        place = Arrangement.of(encoding, pets.mpc.MaskedSum(), tuple(dealt), "sites", colluding, None)
        sums = SiteSums(place, dealt, source=InsecureRandom(insecure_seed=seed))
        model, asked = JointFit(made, encoding, place).run(sums, Draws.insecure(seed)), sums.asked
    return model, {"sums": asked, "cpu s": time.process_time() - begin}


def rows_of_across(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    frame, domain, survival = nwtsco()
    encoding = Encoding.of(domain, survival)
    codes = encoding.encode(frame)
    for epsilon, kind, colluding in product(arguments.epsilon, arguments.kinds, PLACES):
        for seed in range(arguments.seeds):
            made = KINDS[kind](epsilon=epsilon, delta=arguments.delta or "1e-9", survival=survival)
            model, cost = fitted_across(made, encoding, codes, colluding, seed)
            found = survival_scores(frame, model.sample(len(frame), seed=seed))
            yield {"data": PLACES[colluding], "kind": kind, "epsilon": epsilon} | found | cost


def rows_of_adult_across(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    frame, domain = adult()
    encoding = Encoding.of(domain)
    real, tables = encoding.encode(frame), triples(encoding.sizes)
    workload = [[encoding.names[a] for a in axes] for axes in tables]
    for epsilon, kind, colluding in product(arguments.epsilon, arguments.kinds, PLACES):
        for seed in range(arguments.seeds):
            made = KINDS[kind](epsilon=epsilon, delta=arguments.delta or "1e-9", workload=workload)
            model, cost = fitted_across(made, encoding, real, colluding, seed)
            synthetic = encoding.encode(model.sample(len(frame), seed=seed))
            tv = total_variation(real, synthetic, encoding.sizes, tables)
            yield {"data": PLACES[colluding], "kind": kind, "epsilon": epsilon, "tv": tv} | cost


def rows_of_wide(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    frame, domain = wide(100_000)
    encoding = Encoding.of(domain)
    real, tables = encoding.encode(frame), triples(encoding.sizes)
    for epsilon, kind in product(arguments.epsilon, arguments.kinds):
        for seed in range(arguments.seeds):
            made = KINDS[kind](epsilon=epsilon, delta=arguments.delta or "1e-9")
            model, seconds = fitted(made, encoding, frame, seed)
            synthetic = encoding.encode(model.sample(len(frame), seed=seed))
            tv = total_variation(real, synthetic, encoding.sizes, tables)
            yield {"data": "wide", "kind": kind, "epsilon": epsilon, "triples": tv, "cpu s": seconds}


def rows_of_small(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for size in (200, 500, 1000):
        yield from rows_of_nwtsco(arguments, size)


TASKS: dict[str, Callable[[argparse.Namespace], Iterator[dict[str, Any]]]] = {
    "nwtsco": rows_of_nwtsco, "small": rows_of_small, "adult": rows_of_adult, "across": rows_of_across,
    "adult-across": rows_of_adult_across,
    "wide": rows_of_wide,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", choices=[*TASKS, []], default=list(TASKS))
    parser.add_argument("--epsilon", nargs="*", default=["0.1", "1", "10"])
    parser.add_argument("--delta")
    parser.add_argument("--kinds", nargs="*", choices=list(KINDS), default=["independent", "mst", "aim"])
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    Adaptive(epsilon=1)
    fitted(Independent(epsilon=1), Encoding.of(adult()[1].select(["sex"])), adult()[0][["sex"]], 0)  # imports
    for task in arguments.tasks or TASKS:
        rows = pd.DataFrame(TASKS[task](arguments))
        table = rows.groupby(["data", "epsilon", "kind"], sort=False).mean()
        for (measure, epsilon), goal in GOALS.items():
            if measure in table and task != "small":
                chosen = table.index.get_level_values("epsilon") == epsilon
                table.loc[chosen, f"{measure} goal"] = goal
        print(table.round(4).to_string(), flush=True)


if __name__ == "__main__":
    main()
