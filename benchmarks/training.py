"""Training in noisy rounds, beside diffprivlib, against the fit on exact sums.

    python -m benchmarks.training [--quick] [--peer PYTHON]

Adult (48,842 people, income above 50,000 dollars): six categorical covariates and three numbers, 42 coefficients; a
table of them all would have more than a billion cells. The Wilms tumour studies (4,028 children): histology, stage, age
in months. Three sites, a masked sum with the noise inside, delta 1e-6. AUC on the rows themselves; RMSE over the
coefficients of scaled columns that have a sampling error below 1. diffprivlib (objective perturbation, pure epsilon,
pooled rows) gets the same columns, scaled to its norm bound, from the interpreter PYTHON, which must have it.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

import pets
from pets.datasets import wilms
from pets.training import TrainedRegression, train_logistic

EPSILONS = ("0.1", "0.3", "1", "3")
DELTA = "1e-6"
ADULT = Path(__file__).parent / "data" / "adult.csv.gz"
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """A regression and the rows that it is fitted to."""

    name: str
    rows: pd.DataFrame
    domain: pets.Domain
    outcome: str
    categories: dict[str, list[object]]
    numbers: list[str]

    @property
    def sites(self) -> dict[str, pd.DataFrame]:
        return {f"site {i + 1}": self.rows.iloc[i::3] for i in range(3)}

    @property
    def design(self) -> Array:
        """Columns in the order of the coefficients."""
        columns = [np.ones(len(self.rows))]
        columns += [self.rows[name] == label for name, labels in self.categories.items() for label in labels[1:]]
        columns += [self.rows[name] for name in self.numbers]
        return np.column_stack(columns).astype(float)

    @property
    def ill(self) -> NDArray[np.bool_]:
        return np.asarray(self.rows[self.outcome] == self.domain[self.outcome].labels[1])

    def fit(self, **budget: str) -> TrainedRegression:
        return train_logistic(
            self.sites, self.domain, self.outcome, [*self.categories, *self.numbers], linear=self.numbers,
            aggregator=pets.mpc.MaskedSum(), noise_at="sites", **budget,
        )  # fmt: skip


def adult() -> Task:
    sizes = {"workclass": 9, "marital-status": 7, "occupation": 15, "relationship": 6, "race": 5, "sex": 2}
    numbers = {"age": 84, "education-num": 15, "hours-per-week": 98}
    categories: dict[str, list[object]] = {name: list(range(size)) for name, size in sizes.items()}
    domain = pets.Domain(
        {
            **{name: pets.Categorical(labels) for name, labels in categories.items()},
            **{name: pets.Integer(0, most) for name, most in numbers.items()},
            "income>50K": pets.Categorical([0, 1]),
        }
    )
    return Task("Adult", pd.read_csv(ADULT), domain, "income>50K", categories, list(numbers))


def tumours() -> Task:
    categories: dict[str, list[object]] = {
        "histology": ["favourable", "unfavourable"],
        "stage": ["I", "II", "III", "IV"],
    }
    domain = pets.Domain(
        {**categories, "status": ["censored", "relapse"], "age_months": pets.Integer(0, 191)}  # type: ignore[dict-item]
    )
    return Task("Wilms", wilms(), domain, "status", categories, ["age_months"])


def auc(score: Array, ill: NDArray[np.bool_]) -> float:
    """Return the chance that an ill one scores higher than a well one."""
    ranks = pd.Series(score).rank().to_numpy()
    wells, ills = int((~ill).sum()), int(ill.sum())
    return float((ranks[ill].sum() - ills * (ills + 1) / 2) / (wells * ills))


def peer_auc(task: Task, epsilon: str, runs: int, python: str) -> float:
    """Return the mean AUC of diffprivlib's fits."""
    columns = task.design[:, 1:]
    columns = columns / np.abs(columns).max(axis=0).clip(1)
    norm = np.sqrt(len(task.categories) + len(task.numbers))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "columns.npz"
        np.savez(path, columns=columns, ill=task.ill, norm=norm)
        script = Path(__file__).parent / "peers" / "diffprivlib_logistic.py"
        done = subprocess.run([python, script, path, epsilon, str(runs)], capture_output=True, text=True, check=True)
    return float(np.mean([float(line) for line in done.stdout.split()]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3 trainings of each instead of 20")
    parser.add_argument("--peer", metavar="PYTHON", help="interpreter that has diffprivlib")
    options = parser.parse_args()
    runs = 3 if options.quick else 20
    warnings.simplefilter("ignore")
    table = Table(
        "rows", "epsilon", "AUC exact", "AUC lost", "diffprivlib lost", "RMSE", "sample's own", "weak directions",
        title=f"logistic training, {runs} runs each",
    )  # fmt: skip
    tasks = [tumours(), adult()]
    exact = {task.name: task.fit(rho="1000000") for task in tasks}
    for task, epsilon in track(
        [(task, epsilon) for task in tasks for epsilon in EPSILONS], "training", console=Console(stderr=True)
    ):
        truth, design, ill = exact[task.name], task.design, task.ill
        best = auc(design @ truth.coefficients, ill)
        fits = [task.fit(epsilon=epsilon, delta=DELTA) for _ in range(runs)]
        lost = best - np.mean([auc(design @ fit.coefficients, ill) for fit in fits])
        peer = "-" if options.peer is None else f"{best - peer_auc(task, epsilon, runs, options.peer):.4f}"
        scale = np.r_[np.ones(len(truth.coefficients) - len(task.numbers)), [
            float(task.domain[name].upper - task.domain[name].lower) / 2 for name in task.numbers  # type: ignore[union-attr]
        ]]  # fmt: skip
        off = np.array([(fit.coefficients - truth.coefficients) * scale for fit in fits])
        usual = truth.stderr * scale < 1
        table.add_row(
            f"{task.name}, {len(task.rows):,}", epsilon, f"{best:.4f}", f"{lost:.4f}", peer,
            f"{np.sqrt(np.mean(off[:, usual] ** 2)):.3f}",
            f"{np.sqrt(np.mean((truth.stderr * scale)[usual] ** 2)):.3f}",
            f"{np.mean([fit.weak for fit in fits]):.0f} of {len(truth.coefficients)}",
        )  # fmt: skip
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
