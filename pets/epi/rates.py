"""Incidence rates of exact or noisy counts, with intervals that include the noise.

The estimates are signed: the noise of a differentially private count is unbiased only if it is not clipped, so a
rate may come out slightly negative. Its interval never does. How the noise enters the interval is derived in
:mod:`pets.epi.intervals`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from pets.epi.intervals import gamma_limits
from pets.epi.strata import Strata, Vector, vector
from pets.errors import InvalidArgument, did_you_mean
from pets.exact import Number, positive

Standardised = Literal["tiwari", "fay_feuer"]
"""Intervals of an age-standardised rate."""

Method = Literal["garwood", "tiwari", "fay_feuer"]
"""All intervals of a rate."""

_NAMES: dict[Method, str] = {"garwood": "Garwood", "tiwari": "Tiwari", "fay_feuer": "Fay-Feuer"}
_WIDEST_WEIGHTS = 1e12


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate with its confidence interval.

    Attributes
    ----------
    value
        Estimate in cases per `per` person-years; negative only if noise made it so.
    low, high
        Confidence limits in the same unit, noise included, never negative.
    level
        Confidence level, e.g. 0.95.
    per
        Person-years of the unit, e.g. 1,000,000.
    method
        ``'garwood'``, ``'fay_feuer'`` or ``'tiwari'``.
    cases
        The cases counted, noise included.
    """

    value: float
    low: float
    high: float
    level: float
    per: float
    method: Method
    cases: float

    def __str__(self) -> str:
        unit = {1e6: "million", 1e5: "100,000"}.get(self.per, f"{self.per:,.12g}")
        cases = f"{self.cases:,.0f}" if self.cases.is_integer() else f"{self.cases:,.1f}"
        noun = "case" if self.cases == 1 else "cases"
        interval = f"{self.level * 100:.4g} % CI {_short(self.low)}-{_short(self.high)}"
        return f"{_short(self.value)} per {unit} ({interval}, {_NAMES[self.method]}; {cases} {noun})"


def _short(number: float) -> str:
    return f"{number:,.2f}" if number == 0 or abs(number) >= 0.1 else f"{number:.2g}"


def crude_rate(
    cases: npt.ArrayLike,
    person_years: npt.ArrayLike,
    *,
    noise_variance: npt.ArrayLike = 0,
    per: Number = 1_000_000,
    level: Number = 0.95,
) -> Rate:
    """Return all cases over all person-years, with Garwood's interval.

    Parameters
    ----------
    cases
        Counts of shape (strata,), or one number. Counts released with noise stay signed and unrounded.
    person_years
        Person-years at risk of shape (strata,), above 0.
    noise_variance
        Variance of the noise in each count, of shape (strata,), or one number for all strata; 0 for exact
        counts. It is public: the standard error of the release, squared. The noises must be independent.
    per
        Person-years of the unit in which the rate is given.
    level
        Two-sided confidence level.

    Returns
    -------
    Rate
        Without noise the interval is exact for a Poisson count; with noise see :mod:`pets.epi.intervals`.

    Raises
    ------
    InvalidArgument
        A vector is not numeric, finite and of the right length, person-years are not positive, or an exact
        count is negative.

    References
    ----------
    Garwood F (1936). Fiducial limits for the Poisson distribution. Biometrika 28:437-442.

    Examples
    --------
    >>> print(crude_rate(11, 4_000_000))
    2.75 per million (95 % CI 1.37-4.92, Garwood; 11 cases)
    """
    strata = Strata.of(cases, person_years, noise_variance)
    scale = _per(per) / float(strata.person_years.sum())
    return _rate(strata, np.full(strata.cases.shape, scale), "garwood", per, level)


def age_specific_rates(
    cases: npt.ArrayLike,
    person_years: npt.ArrayLike,
    *,
    noise_variance: npt.ArrayLike = 0,
    per: Number = 1_000_000,
    level: Number = 0.95,
) -> tuple[Rate, ...]:
    """Return the crude rate of each stratum; each interval has the level by itself, not all together.

    Parameters, errors and references are those of :func:`crude_rate`.

    Examples
    --------
    >>> for rate in age_specific_rates([231, 37], [22_000_000, 23_000_000]):
    ...     print(rate)
    10.50 per million (95 % CI 9.19-11.94, Garwood; 231 cases)
    1.61 per million (95 % CI 1.13-2.22, Garwood; 37 cases)
    """
    strata = Strata.of(cases, person_years, noise_variance)
    columns = zip(strata.cases, strata.person_years, strata.noise_variance, strict=True)
    return tuple(
        crude_rate(count, years, noise_variance=noise, per=per, level=level) for count, years, noise in columns
    )


def age_standardised_rate(
    cases: npt.ArrayLike,
    person_years: npt.ArrayLike,
    weights: npt.ArrayLike,
    *,
    method: Standardised = "tiwari",
    noise_variance: npt.ArrayLike = 0,
    per: Number = 1_000_000,
    level: Number = 0.95,
) -> Rate:
    """Return the directly standardised rate with a gamma interval.

    Parameters
    ----------
    cases, person_years, noise_variance, per, level
        As in :func:`crude_rate`. Strata that share a weight, such as the sexes of one age group, should be
        added up first (counts, person-years and variances alike).
    weights
        Standard population of shape (strata,), positive, in any unit: ``SEGI_1960.weights(['0-4', '5-9'])``.
    method
        ``'tiwari'`` (narrower, an option of SEER*Stat) or ``'fay_feuer'`` (conservative: its authors' simulations
        keep the level throughout; to be preferred where weights differ greatly between strata).

    Returns
    -------
    Rate
        The interval includes the noise (see :mod:`pets.epi.intervals`).

    Raises
    ------
    InvalidArgument
        As in :func:`crude_rate`; also for weights that are not positive and for an unknown method.

    References
    ----------
    Fay MP, Feuer EJ (1997). Confidence intervals for directly standardized rates: a method based on the gamma
    distribution. Statistics in Medicine 16:791-801.

    Tiwari RC, Clegg LX, Zou Z (2006). Efficient interval estimation for age-adjusted cancer rates. Statistical
    Methods in Medical Research 15:547-569.

    Examples
    --------
    Liver cancer in Scotland, ages 0-14 (Cancer Incidence in Five Continents XII):

    >>> from pets.epi import SEGI_1960
    >>> ages = ["0-4", "5-9", "10-14"]
    >>> print(age_standardised_rate([10, 1, 0], [1446418, 1464587, 1373648], SEGI_1960.weights(ages)))
    2.90 per million (95 % CI 1.44-5.14, Tiwari; 11 cases)
    """
    strata = Strata.of(cases, person_years, noise_variance)
    if str(method) not in get_args(Standardised):
        raise InvalidArgument(
            "method", "is no interval of a standardised rate", did_you_mean(str(method), get_args(Standardised))
        )
    standard = vector("weights", weights, largest=1e15, like=strata.cases)
    if (standard <= 0).any():
        raise InvalidArgument("weights", "must be above 0", "Drop the strata that the standard leaves out.")
    scaled = standard / standard.sum() / strata.person_years * _per(per)
    if scaled.min() < scaled.max() / _WIDEST_WEIGHTS:
        raise InvalidArgument("weights", "per person-year differ too much between strata", "Merge small strata.")
    return _rate(strata, scaled, method, per, level)


def _rate(strata: Strata, scaled: Vector, method: Method, per: Number, level: Number) -> Rate:
    """Return ``sum(scaled * cases)`` with its limits, computed with the heaviest weight as the unit."""
    confidence = _level(level)
    unit = float(scaled.max())
    weights = scaled / unit
    low, high = gamma_limits(
        strata.cases, weights, strata.noise_variance, level=confidence, one_case=_one_case(method, weights)
    )
    return Rate(
        value=float(scaled @ strata.cases),
        low=low * unit,
        high=high * unit,
        level=confidence,
        per=_per(per),
        method=method,
        cases=float(strata.cases.sum()),
    )


def _one_case(method: Method, weights: Vector) -> tuple[float, float]:
    """Return what one unseen case adds to mean and variance: in the heaviest stratum, or in an average one."""
    if method == "tiwari":
        return float(weights.mean()), float((weights**2).mean())
    return float(weights.max()), float(weights.max() ** 2)


def _per(per: Number) -> float:
    number = positive(per, "per")
    if not 1 <= number <= 10**12:
        raise InvalidArgument("per", "must lie between 1 and 1e12 person-years")
    return float(number)


def _level(level: Number) -> float:
    number = positive(level, "level")
    if number >= 1 or not 0 < float(number) < 1:
        raise InvalidArgument("level", "must lie strictly between 0 and 1", "Write 0.95 for 95 %.")
    return float(number)
