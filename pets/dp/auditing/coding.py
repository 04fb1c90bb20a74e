"""Outcomes as small numbers that can be counted: a post-processing of what is released, so it can only lose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Lanes = NDArray[np.int64]
"""Draws of shape (n, cells): the values of the cells in which the two data sets differ."""

_BINS = {1: 4096, 2: 96}
"""Most bins of a cell, by how many cells an outcome has; further cells enter through a score."""

_SCORE_BINS, _SCORED = 512, 128


@dataclass(frozen=True, slots=True)
class _Window:
    """Equal bins of one cell, with one more on either side."""

    start: int
    width: int
    bins: int

    @classmethod
    def of(cls, values: NDArray[np.int64], most: int) -> _Window:
        low, high = (int(np.quantile(values, level, method="nearest")) for level in (1e-5, 1 - 1e-5))
        width = max(1, -(-(high - low + 1) // most))
        return cls(low, width, -(-(high - low + 1) // width))

    @property
    def codes(self) -> int:
        return self.bins + 2

    def encode(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        last = self.start + self.bins * self.width
        shifted = np.clip(values, self.start - self.width, last) - (self.start - self.width)
        return np.asarray(shifted if self.width == 1 else shifted // self.width)


@dataclass(frozen=True)
class Coder:
    """A fixed map from the cells of an outcome to a number below :attr:`codes`.

    It is made from a pilot sample of its own and then left alone.

    Parameters
    ----------
    windows
        Bins of each cell.
    scores
        For more than two cells: the logarithm of the likelihood ratio of each bin of each cell, whose sum is binned.
    edges
        Of the bins of that sum.
    """

    windows: tuple[_Window, ...]
    scores: tuple[NDArray[np.float64], ...] = ()
    edges: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, first: Lanes, second: Lanes) -> Coder:
        """Return the coder that a pilot sample of both data sets suggests."""
        cells = first.shape[1]
        both = np.concatenate([first, second])
        windows = tuple(_Window.of(both[:, i], _BINS.get(cells, _SCORED)) for i in range(cells))
        if cells <= 2:
            return cls(windows)
        scores = tuple(_ratios(w, first[:, i], second[:, i]) for i, w in enumerate(windows))
        sums = _sums(windows, scores, both)
        edges = np.unique(np.quantile(sums, np.linspace(0, 1, _SCORE_BINS)))
        return cls(windows, scores, edges)

    @property
    def codes(self) -> int:
        """Number of outcomes that are told apart."""
        if self.edges is not None:
            return len(self.edges) + 1
        return int(np.prod([window.codes for window in self.windows]))

    def count(self, lanes: Lanes) -> NDArray[np.int64]:
        """Return how often each outcome occurs, shape (codes,)."""
        if self.edges is not None:
            found = np.searchsorted(self.edges, _sums(self.windows, self.scores, lanes), side="right")
        else:
            found = self.windows[0].encode(lanes[:, 0])
            for i, window in enumerate(self.windows[1:], 1):
                found = found * window.codes + window.encode(lanes[:, i])
        return np.bincount(found, minlength=self.codes)


def _ratios(window: _Window, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
    p, q = (np.bincount(window.encode(values), minlength=window.codes) + 0.5 for values in (first, second))
    return np.asarray(np.log(p / p.sum()) - np.log(q / q.sum()))


def _sums(windows: tuple[_Window, ...], scores: tuple[NDArray[np.float64], ...], lanes: Lanes) -> NDArray[np.float64]:
    total = np.zeros(len(lanes))
    for i, (window, score) in enumerate(zip(windows, scores, strict=True)):
        total += score[window.encode(lanes[:, i])]
    return total
