"""Standardised incidence ratios: cases observed against those expected at the rates of a reference population."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pets.epi.intervals import gamma_limits
from pets.epi.strata import Strata
from pets.errors import InvalidArgument
from pets.exact import Number, positive


@dataclass(frozen=True, slots=True)
class IncidenceRatio:
    """A standardised incidence ratio with its confidence interval.

    Attributes
    ----------
    value
        Observed over expected; negative only if noise made it so.
    low, high
        Confidence limits, noise included, never negative.
    level
        Confidence level, e.g. 0.95.
    observed
        Cases counted, noise included.
    expected
        Cases expected.
    """

    value: float
    low: float
    high: float
    level: float
    observed: float
    expected: float

    def __str__(self) -> str:
        interval = f"{self.level * 100:.4g} % CI {self.low:.2f}-{self.high:.2f}"
        return f"SIR {self.value:.2f} ({interval}; {self.observed:,.4g} observed, {self.expected:,.4g} expected)"


def standardised_incidence_ratio(
    observed: npt.ArrayLike,
    expected: npt.ArrayLike,
    *,
    noise_variance: npt.ArrayLike = 0,
    level: Number = 0.95,
) -> IncidenceRatio:
    """Return all observed cases over all expected ones, with Garwood's interval.

    Parameters
    ----------
    observed
        Counts of shape (strata,), or one number. Counts released with noise stay signed and unrounded.
    expected
        Cases expected in each stratum: the rates of a reference population times person-years, of the same shape,
        above 0. They are taken as known.
    noise_variance
        Variance of the noise in each count, or one number for all; 0 for exact counts.
    level
        Two-sided confidence level.

    Returns
    -------
    IncidenceRatio
        Without noise the interval is exact for a Poisson count; with noise see :mod:`pets.epi.intervals`.

    Raises
    ------
    InvalidArgument
        A vector is not numeric, finite and of the right length, expected cases are not positive, or an exact count is
        negative.

    References
    ----------
    Breslow NE, Day NE (1987). Statistical Methods in Cancer Research, volume II, chapter 2. IARC.

    Examples
    --------
    >>> print(standardised_incidence_ratio([10, 1], [4.2, 1.3]))
    SIR 2.00 (95 % CI 1.00-3.58; 11 observed, 5.5 expected)
    """
    try:
        strata = Strata.of(observed, expected, noise_variance)
    except InvalidArgument as error:
        names = {"cases": "observed", "person_years": "expected"}
        problem = error.problem.replace("where cases has", "where observed has")
        raise InvalidArgument(names.get(error.argument, error.argument), problem, error.remedy) from None
    confidence = positive(level, "level")
    if not 0 < float(confidence) < 1:
        raise InvalidArgument("level", "must lie strictly between 0 and 1", "Write 0.95 for 95 %.")
    total = float(strata.person_years.sum())
    unit = np.ones(len(strata.cases))
    low, high = gamma_limits(strata.cases, unit, strata.noise_variance, level=float(confidence), one_case=(1.0, 1.0))
    cases = float(strata.cases.sum())
    return IncidenceRatio(cases / total, low / total, high / total, float(confidence), cases, total)
