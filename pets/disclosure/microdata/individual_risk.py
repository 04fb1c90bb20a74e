"""The risk of each record: how likely a match with it is correct, given its sampling weight.

A record that looks like f records here stands for F people like it, and F is estimated by the sum of their weights.
Benedetti and Franconi take F given f as negative binomial with success probability p = f / sum of weights, and the risk
as the expectation of 1/F.

References
----------
R. Benedetti, L. Franconi, "Statistical and technological solutions for controlled data dissemination", New Techniques
    and Technologies for Statistics, 1998, vol. 1, 225-232.
L. Franconi, S. Polettini, "Individual risk estimation in mu-Argus: a review", PSD 2004, LNCS 3050, 262-272 (the
    closed form with the hypergeometric function, and the approximation for f > 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.microdata.classes import classes_of
from pets.disclosure.microdata.codes import Codes
from pets.disclosure.microdata.frame import Missing, choice, column_name, fraction, key_names, open_rows
from pets.errors import DataError

RiskMethod = Literal["exact", "approximate"]

_LARGE = 20.0
"""From this frequency on the series is summed here: scipy's function gives NaN for some of them."""


@dataclass(frozen=True, eq=False, repr=False)
class IndividualRisk:
    """Risk of each record.

    Attributes
    ----------
    risks
        Chance that a match is correct, shape (rows,), in the order of the frame. Confidential.
    frequencies
        Number of records that look alike, shape (rows,).
    population
        Estimated number of people who look alike, shape (rows,).
    """

    risks: NDArray[np.float64]
    frequencies: Codes
    population: NDArray[np.float64]

    @property
    def expected(self) -> float:
        """Expected number of correct matches if every record is attacked."""
        return float(self.risks.sum())

    @property
    def largest(self) -> float:
        """The largest risk of any record."""
        return float(self.risks.max())

    def above(self, threshold: float) -> int:
        """Return how many records have a risk above `threshold`.

        Raises
        ------
        InvalidArgument
            It is no number from 0 to 1.
        """
        return int((self.risks > fraction(threshold, "threshold")).sum())

    def __repr__(self) -> str:
        return f"IndividualRisk({len(self.risks):,} records, {self.expected:.4g} expected matches)"


def individual_risk(
    frame: object,
    keys: Sequence[str] | str,
    weights: str,
    *,
    method: RiskMethod = "exact",
    missing: Missing = "matches_all",
) -> IndividualRisk:
    """Return the risk of each record of a weighted sample.

    Parameters
    ----------
    frame, keys
        As for :func:`~pets.disclosure.microdata.k_anonymity`.
    weights
        Column of sampling weights: how many people a record stands for, at least 1 each.
    method
        ``'exact'``, or ``'approximate'`` for Polettini's p / (f - (1 - p)) where f > 2, as mu-Argus and sdcMicro do.
    missing
        What a missing key value means. ``'matches_all'`` is the reading of the method's authors.

    Raises
    ------
    InvalidArgument, DataError
        An argument, the frame or a column is not usable, or a weight is missing or below 1.
    """
    names, column = key_names(keys), column_name(weights, "weights")
    choice(method, "method", RiskMethod)
    rows = open_rows(frame, (*names, column))
    values = rows.numbers(column)
    if not (np.isfinite(values) & (values >= 1)).all():
        raise DataError(column, "holds a weight that is missing or below 1", "A record stands at least for itself.")
    classes = classes_of(rows, names, missing)
    frequencies, totals = classes.frequencies, classes.totals(values)
    risks = risk_of(frequencies, totals, method)
    return IndividualRisk(risks[classes.of_row], frequencies[classes.of_row], totals[classes.of_row])


def risk_of(frequencies: Codes, totals: NDArray[np.float64], method: RiskMethod = "exact") -> NDArray[np.float64]:
    """Return E[1/F] for f records that stand for `totals` people; both of one shape."""
    f = frequencies.astype(np.float64)
    p = np.minimum(f / totals, 1.0)
    if method == "approximate":
        return np.where(frequencies > 2, p / (f - (1 - p)), _closed(f, p))
    return np.where(frequencies > 1, _hypergeometric(f, p), _closed(f, p))


def _hypergeometric(f: NDArray[np.float64], p: NDArray[np.float64]) -> NDArray[np.float64]:
    """p^f/f F(f, f; f+1; 1-p), by Euler's transformation p/f F(1, 1; f+1; 1-p): a series of positive falling terms."""
    from scipy.special import hyp2f1

    few = hyp2f1(1.0, 1.0, np.clip(f, 2, _LARGE) + 1.0, 1.0 - p)
    many, term = np.ones(len(f)), np.ones(len(f))
    for k in range(1, 120):  # from f = 20 on what is left after 120 terms is below 1 / binomial(140, 20) = 1e-24
        term = term * k / (np.maximum(f, _LARGE) + k) * (1.0 - p)
        many += term
    return np.asarray(p / f * np.where(f < _LARGE, few, many))


def _closed(f: NDArray[np.float64], p: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logarithmic forms for f = 1 and f = 2; at p = 1 their limits 1/f."""
    inner = np.where(p < 1, p, 0.5)
    odds = inner / (1 - inner)
    one, two = -odds * np.log(inner), odds + odds**2 * np.log(inner)
    return np.where(p < 1, np.where(f == 1, one, two), 1 / f)
