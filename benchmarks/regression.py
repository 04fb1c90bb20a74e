"""Regressions fitted to one noisy table through a secure sum, beside the pooled fit on exact counts.

    python -m benchmarks.regression [--quick]

The third and fourth National Wilms Tumor Studies (4,028 children, 571 relapses), dealt to five sites; discrete Laplace
noise inside a masked sum, epsilon in all. RMSE over coefficients against the fit on exact counts; in brackets the
standard error that the sample itself leaves. AUC on the children themselves. Small samples show where it fails.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

import pets
from pets.datasets import wilms
from pets.epi import Regression, hazard_ratios, logistic_regression
from pets.errors import InvalidArgument

SITES = 5
EPSILONS = ("0.1", "0.3", "1", "3")
DOMAIN = pets.Domain(
    histology=["favourable", "unfavourable"],
    stage=["I", "II", "III", "IV"],
    status=["censored", "relapse"],
    age_months=pets.Integer(0, 191, bins=[0, 12, 24, 36, 48, 72, 191]),
    time=pets.Integer(0, 6300, bins=[0, 183, 365, 730, 1826, 6300]),
)
Fit = Callable[[pets.Release], Regression]


@dataclass(frozen=True)
class Model:
    """A model: the table that it needs, and its fit."""

    name: str
    query: pets.Query
    fit: Fit


MODELS = (
    Model(
        "logistic, histology + stage + age (linear)",
        pets.Count(by=["histology", "stage", "age_months", "status"]),
        lambda release: logistic_regression(release, "status", linear=["age_months"]),
    ),
    Model(
        "logistic, histology + stage + six age groups",
        pets.Count(by=["histology", "stage", "age_months", "status"]),
        lambda release: logistic_regression(release, "status"),
    ),
    Model(
        "hazards, histology + stage, five bins",
        pets.EventTable("time", "status", ["histology", "stage"]),
        hazard_ratios,
    ),
)


def release(model: Model, sites: dict[str, pd.DataFrame], epsilon: str) -> pets.Release:
    plan = pets.Pipeline(
        model.query,
        DOMAIN,
        aggregator=pets.mpc.MaskedSum(),
        mechanism=pets.dp.DiscreteLaplace(epsilon=epsilon),
        noise_at="sites",
    )
    return plan.run(sites)


def auc(score: NDArray[np.float64], ill: NDArray[np.bool_]) -> float:
    """Return the chance that an ill child scores higher than a well one."""
    ranks = pd.Series(score).rank().to_numpy()
    wells, ills = int((~ill).sum()), int(ill.sum())
    return float((ranks[ill].sum() - ills * (ills + 1) / 2) / (wells * ills))


def rows_of(model: Regression, children: pd.DataFrame) -> NDArray[np.float64]:
    """Return the design matrix of children for a model."""
    edges = [0, 12, 24, 36, 48, 72, 192]
    middles = [6, 18, 30, 42, 60, 131.5]
    labels = ["0-11", "12-23", "24-35", "36-47", "48-71", "72-191"]
    group = pd.cut(children.age_months, edges, right=False, labels=labels).astype(str)
    frame = children.assign(age_group=group)
    columns = []
    for name in model.names:
        attribute, _, label = name.partition("=")
        if name == "intercept":
            columns.append(np.ones(len(frame)))
        elif not label:
            columns.append(frame.age_group.map(dict(zip(labels, middles, strict=True))).to_numpy(float))
        else:
            column = "age_group" if attribute == "age_months" else attribute
            columns.append((frame[column] == label).to_numpy(float))
    return np.column_stack(columns)


def attempt(model: Model, sites: dict[str, pd.DataFrame], epsilon: str) -> Regression | None:
    try:
        return model.fit(release(model, sites, epsilon))
    except InvalidArgument:
        return None


def deal(children: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {f"site {i + 1}": children.iloc[i::SITES] for i in range(SITES)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 releases of each instead of 200")
    runs = 20 if parser.parse_args().quick else 200
    warnings.simplefilter("ignore", pets.errors.UnrecordedReleaseWarning)
    children = wilms()
    table = Table(
        "model", "children", "epsilon", "RMSE", "sample's own", "AUC lost", "no estimate", title=f"{runs} releases each"
    )
    cases = [(model, len(children), epsilon) for model in MODELS for epsilon in EPSILONS]
    cases += [(model, n, epsilon) for model in MODELS[::2] for n in (300, 30) for epsilon in ("1", "0.1")]
    for model, n, epsilon in track(cases, "fitting", console=Console(stderr=True)):
        some = children.sample(n, random_state=1)
        sites = deal(some)
        exact = model.fit(release(model, sites, "1000")) if n > 100 else None
        fits = [attempt(model, sites, epsilon) for _ in range(runs)]
        done = [found for found in fits if found is not None]
        row = [model.name, f"{n:,}", epsilon]
        if exact is None or not done:
            table.add_row(*row, "-", "-", "-", f"{100 * (runs - len(done)) / runs:.0f} %")
            continue
        off = np.array([found.coefficients - exact.coefficients for found in done])
        lost = "-"
        if exact.model == "logistic":
            ill, design = (some.status == "relapse").to_numpy(), rows_of(exact, some)
            best = auc(exact.predict(design), ill)
            lost = f"{best - np.mean([auc(found.predict(design), ill) for found in done]):.4f}"
        row += [f"{np.sqrt(np.mean(off**2)):.3f}", f"{np.sqrt(np.mean(exact.stderr**2)):.3f}", lost]
        table.add_row(*row, f"{100 * (runs - len(done)) / runs:.0f} %")
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
