"""Train on artificial rows, test on real ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pets.synthetic.fidelity.metric import Line, NotComputableError
from pets.synthetic.fidelity.rows import Rows

Array = NDArray[np.float64]

_RIDGE = 1.0
_STEPS = 30
_FEWEST = 10
_ONE_HOT = 60


class Prediction:
    """Loss of discrimination when a logistic regression is trained on artificial instead of real rows.

    One half of the real rows is for training, the other for testing. For each label of the target with ten rows or more
    in either half, the area under the ROC curve of label against rest; averaged by how common the labels are.
    Explanatory are all other columns except times and events of survivals.

    Parameters
    ----------
    real
        The real rows.
    target
        A categorical column.
    order
        The real rows in random order, by which they are halved.
    """

    def __init__(self, real: Rows, target: str, order: NDArray[np.int64]) -> None:
        clocks = {name for pair in real.schema.survival for name in (pair.time, pair.event)}
        self.target = target
        self._columns = [n for n in real.schema.names if n != target and n not in clocks]
        if not self._columns:
            raise NotComputableError(f"no column is left to predict {target!r} from")
        half = real.n // 2
        self.pool: NDArray[np.int64] | None = order[:half]
        train, test = real.take(order[:half]), real.take(order[half:])
        counts = [np.bincount(r.column(target), minlength=real.schema.encoding.sizes[real.schema.axis(target)])
                  for r in (train, test)]  # fmt: skip
        labels = np.flatnonzero(np.minimum(*counts) >= _FEWEST)
        labels = labels[labels > 0] if len(labels) == 2 else labels
        if not len(labels) or (counts[1][labels] == test.n).any():
            raise NotComputableError(f"{target!r} has no two labels with {_FEWEST} rows in each half of the real rows")
        self._labels, self._weights = labels, counts[1][labels] / counts[1][labels].sum()
        self._test, self._truth = features(test, self._columns), test.column(target)
        self._best = self._auc(train)
        self._line = Line("loss of AUC, trained on these rows and tested on real ones", f"{target} ({self._best:.3f})")

    @property
    def lines(self) -> tuple[Line, ...]:
        """The loss; the target names the area that training on real rows reaches."""
        return (self._line,)

    def scores(self, rows: Rows) -> Mapping[Line, float]:
        """Return the loss; below 0 if the rows train better than the real half."""
        return {self._line: self._best - self._auc(rows)}

    def _auc(self, train: Rows) -> float:
        x, y = features(train, self._columns), train.column(self.target)
        found = []
        for label in self._labels:
            hit = y == label
            if hit.all() or not hit.any():
                raise NotComputableError(f"the training rows hold only one kind of {self.target!r}")
            found.append(auc(self._test @ logistic(x, hit), self._truth == label))
        return float(self._weights @ np.array(found))


def features(rows: Rows, columns: list[str]) -> Array:
    """Return an intercept, numbers scaled to their declared range, and indicators of categories and missing values."""
    parts = [np.ones((rows.n, 1))]
    for name in columns:
        axis = rows.schema.axis(name)
        size, codes = rows.schema.encoding.sizes[axis], rows.codes[axis]
        if rows.schema.is_categorical(name) and size <= _ONE_HOT:
            parts.append((codes[:, None] == np.arange(1, size)).astype(np.float64))
        else:
            parts.append(codes[:, None] / max(size - 1, 1))
    return np.concatenate(parts, axis=1)


def logistic(x: Array, y: NDArray[np.bool_]) -> Array:
    """Return the coefficients of a ridge-penalised logistic regression, by Newton's method; the first is free."""
    beta = np.zeros(x.shape[1])
    penalty = np.full(x.shape[1], _RIDGE)
    penalty[0] = 1e-6
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        gradient = x.T @ (y - p) - penalty * beta
        step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty), gradient)
        beta = beta + np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-6:
            break
    return beta


def auc(score: Array, hit: NDArray[np.bool_]) -> float:
    """Return the chance that a hit scores above a miss, ties half (Mann and Whitney)."""
    _, place, ties = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[place]
    hits = int(hit.sum())
    misses = len(hit) - hits
    return float((ranks[hit].sum() - hits * (hits + 1) / 2) / (hits * misses))
