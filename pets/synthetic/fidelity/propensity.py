"""Can a regression tell artificial rows from real ones?"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pets.synthetic.fidelity.metric import Line, NotComputableError
from pets.synthetic.fidelity.prediction import Array, features, logistic
from pets.synthetic.fidelity.rows import Rows

MOST_TERMS = 48
"""Terms of the regression: main effects, and as many products of two as there is room for, spread over all."""


class Propensity:
    """The mean squared propensity score, over what it is expected to be for rows drawn from a right model (pMSE ratio).

    All rows are put together, and a logistic regression guesses which are artificial. The mean squared distance of its
    guesses from the share c of artificial rows is 0 if it can tell nothing. Rows drawn from a right model that was
    fitted to the real ones score (k - 1) c (1 - c)^2 / N on average, with k terms and N rows, and so do resamples of
    the real rows. The ratio is about 1 for these, 1 / (1 - c) for new real rows, and grows with the number of rows for
    others.

    References
    ----------
    Snoke J, Raab GM, Nowok B, Dibben C, Slavkovic A (2018). General and specific utility measures for synthetic data.
    JRSS A 181:663-688, section 3 and theorem 1. Woo MJ, Reiter JP, Oganian A, Karr AF (2009). Global measures of data
    utility for microdata masked for disclosure limitation. Journal of Privacy and Confidentiality 1:111-124.
    """

    pool: NDArray[np.int64] | None = None

    def __init__(self, real: Rows) -> None:
        mains = features(real, list(real.schema.names))
        pairs = list(combinations(range(1, mains.shape[1]), 2))
        room = max(0, min(MOST_TERMS - mains.shape[1], len(pairs)))
        self._pairs = [pairs[i] for i in np.linspace(0, len(pairs) - 1, room).round().astype(int)]
        self._real = self._terms(real)
        if np.linalg.matrix_rank(self._real) < 2:
            raise NotComputableError("all real rows are the same")
        what = f"{self._real.shape[1]} terms"
        self._line = Line("propensity, pMSE over its expectation", what, comparable=False)

    @property
    def lines(self) -> tuple[Line, ...]:
        """The ratio."""
        return (self._line,)

    def scores(self, rows: Rows) -> Mapping[Line, float]:
        """Return the ratio."""
        made = self._terms(rows)
        x = np.concatenate([self._real, made])
        artificial = np.arange(len(x)) >= len(self._real)
        share, terms = len(made) / len(x), int(np.linalg.matrix_rank(x))
        guess = 1 / (1 + np.exp(-np.clip(x @ logistic(x, artificial), -30, 30)))
        expected = (terms - 1) * share * (1 - share) ** 2 / len(x)
        return {self._line: float(((guess - share) ** 2).mean()) / expected}

    def _terms(self, rows: Rows) -> Array:
        mains = features(rows, list(rows.schema.names))
        return np.concatenate([mains, *(mains[:, [i]] * mains[:, [j]] for i, j in self._pairs)], axis=1)
