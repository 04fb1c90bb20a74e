"""Tables with margins: `pets.dp.marginals` beside one noise per table, and beside equal noise with least squares.

Run with ``python -m benchmarks.marginals [--quick]``. CPU time, best of several repetitions, after the samplers' tables
are built (the first release of a plan builds them once; shown apart). What others do: OpenDP, Tumult and PipelineDP
split the budget evenly over the tables, each with its own noise; the best of them then make the tables consistent by
generalised least squares (private-pgm, the Census). Both are given here by their closed forms, at the same rho: mean
variance of a cell, mean over the tables.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod

import numpy as np
from rich.console import Console
from rich.table import Table

import pets
from pets.datasets import ci5_children
from pets.dp.marginals import ResidualPlanner, YearlyTotals, fit_nonnegative
from pets.query import BoundQuery
from pets.tally import Tally

RHO = 0.5


@dataclass(frozen=True)
class Case:
    """A workload: all tables over so many of the attributes."""

    name: str
    labels: dict[str, int]
    most: int

    def query(self) -> BoundQuery:
        labels = {name: [f"{name}{i}" for i in range(n)] for name, n in self.labels.items()}
        domain = pets.Domain({name: pets.Categorical(own, invalid="error") for name, own in labels.items()})
        names = list(self.labels)
        return pets.Marginals([c for k in range(self.most + 1) for c in combinations(names, k)]).bind(domain)


CASES = (
    Case("30 x 20 x 12, all margins", {"site": 30, "registry": 20, "year": 12}, 3),
    Case("30 x 20 x 12 x 2 x 5, up to three-way", {"site": 30, "registry": 20, "year": 12, "sex": 2, "age": 5}, 3),
    Case("CI5: 61 sites x 25 registries x 2 x 4, all", {"site": 61, "registry": 25, "sex": 2, "age": 4}, 4),
    Case("CI5: one- and two-way", {"site": 61, "registry": 25, "sex": 2, "age": 4}, 2),
)


def best(work: Callable[[], object], times: int) -> float:
    """Return the least CPU time in milliseconds."""
    found = float("inf")
    for _ in range(times):
        start = time.process_time()
        work()
        found = min(found, time.process_time() - start)
    return 1000 * found


def equal_noise_least_squares(query: BoundQuery) -> float:
    """Return the mean variance after generalised least squares on independent, equal noise in every table.

    The contrasts of a component are seen in each table that holds it, with the variance of a sum over its other cells.
    """
    tables = [frozenset(axis.name for axis in block.axes) for block in query.blocks]
    sizes = {axis.name: len(axis) for block in query.blocks for axis in block.axes}
    variance = len(tables) / (2 * RHO)
    inside = {frozenset(c) for t in tables for k in range(len(t) + 1) for c in combinations(sorted(t), k)}
    parts = {a: 1 / sum(1 / (variance * prod(sizes[n] for n in t - a)) for t in tables if a <= t) for a in inside}
    means = [
        sum(
            v * prod(1 - 1 / sizes[n] for n in a) / prod(sizes[n] ** 2 for n in t - a)
            for a, v in parts.items()
            if a <= t
        )
        for t in tables
    ]
    return float(np.mean(means))


def tally(query: BoundQuery) -> Tally:
    """Return made-up counts: every table holds the same ones on its first cells."""
    parts = [np.full(block.size, 3) for block in query.blocks]
    return Tally(np.concatenate(parts).astype(np.int64), query.signature)


def compare(cases: Sequence[Case], times: int, console: Console) -> None:
    shown = Table(title=f"rho = {RHO}")
    for heading in (
        "workload",
        "cells",
        "plan ms",
        "first ms",
        "release ms",
        "ours",
        "ours, max",
        "split",
        "split + LS",
    ):
        shown.add_column(heading, justify="left" if heading == "workload" else "right")
    for case in cases:
        query = case.query()
        mechanism, total = ResidualPlanner(rho=RHO), tally(query)
        planned = best(lambda m=mechanism, q=query: m.plan(q), 1)  # type: ignore[misc]
        first = best(lambda m=mechanism, q=query, t=total: m.release(t, q), 1)  # type: ignore[misc]
        release = best(lambda m=mechanism, q=query, t=total: m.release(t, q), times)  # type: ignore[misc]
        ours = mechanism.plan(query).table_variances()
        largest = max(ResidualPlanner(rho=RHO, objective="max").plan(query).table_variances())
        figures = (planned, first, release, np.mean(ours), largest)
        split, joint = len(query.blocks) / (2 * RHO), equal_noise_least_squares(query)
        assert np.mean(ours) < joint < split
        row = [f"{value:.3g}" for value in (*figures, split, joint)]
        shown.add_row(case.name, f"{query.size:,}", *row)
    console.print(shown)


def years(console: Console) -> None:
    query = pets.Count().bind(pets.Domain(patient=["yes"]))
    shown = Table(title=f"running totals, rho = {RHO}: largest variance")
    for heading in ("years", "ours", "a noise a year", "binary tree"):
        shown.add_column(heading, justify="right")
    for horizon in (5, 10, 20, 50):
        ours = max(YearlyTotals(RHO, horizon).law(query, year).variance for year in range(1, horizon + 1))
        tree = max(year.bit_count() for year in range(1, horizon + 1)) * horizon.bit_length() / (2 * RHO)
        shown.add_row(str(horizon), f"{ours:.2f}", f"{horizon / (2 * RHO):.2f}", f"{tree:.2f}")
    console.print(shown)


def phantoms(console: Console) -> None:
    """One rare site in 25 registries at epsilon 1: what clamping at zero adds, and what the joint fit does."""
    frame = ci5_children()
    frame = frame[frame["site"] == "Other thoracic organs"]
    domain = pets.Domain(
        registry=sorted(frame["registry"].unique()), sex=["female", "male"], age_group=["0-4", "5-9", "10-14", "15-19"]
    )
    query = pets.Count(by=["registry", "sex", "age_group"]).bind(domain)
    lookup = frame.set_index(["registry", "sex", "age_group"])["cases"]
    counts = [int(lookup[key]) for key in zip(*query_keys(query), strict=True)]
    total = Tally(np.array([*counts, *[0] * (query.size - len(counts))]), query.signature)
    mechanism, rounds = pets.dp.DiscreteLaplace(epsilon=1), 50
    clamped = fitted = plain = 0.0
    for _ in range(rounds):
        release = mechanism.release(total, query)
        values = release.to_columns()["value"]
        plain += values.sum() / rounds
        clamped += np.maximum(values, 0).sum() / rounds
        fitted += fit_nonnegative(release).to_columns()["fitted"].sum() / rounds
    empty = sum(count == 0 for count in counts)
    console.print(
        f"Other thoracic organs, {len(counts)} cells of which {empty} empty: {sum(counts)} patients. At epsilon 1: "
        f"unbiased {plain:.0f}, clamped at zero {clamped:.0f}, fitted jointly {fitted:.0f} (mean of {rounds} releases)."
    )


def query_keys(query: BoundQuery) -> list[np.ndarray]:
    from pets.query.estimate import key_columns

    return list(key_columns(query.blocks[0].axes).values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    quick = parser.parse_args().quick
    console = Console(width=140)
    compare(CASES, 5 if quick else 30, console)
    years(console)
    phantoms(console)


if __name__ == "__main__":
    main()
