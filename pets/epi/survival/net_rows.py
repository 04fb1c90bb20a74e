"""Net and relative survival from patient rows, where they are: an exact result, for the data holder's own eyes.

At time t let ``Y`` say who is under observation, ``w = 1 / S_P(t)`` be the inverse of each patient's own expected
survival (Pohar-Perme; 1 for Ederer's methods), and ``dL_P`` the patient's expected hazard. The excess hazard is

    sum w dN / sum w Y  -  sum w Y dL_P / sum w Y,

the first part entering as a product limit, the second as an exponential. Its variance is ``sum w^2 dN / (sum w Y)^2``
(with Greenwood's correction). Ederer's first method divides Kaplan-Meier by the mean expected survival of everybody.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pets.epi.survival.counts import Array
from pets.epi.survival.curves import Curve, Curves
from pets.epi.survival.life_table import LifeTable
from pets.epi.survival.limits import level_argument
from pets.epi.survival.net_limits import (
    DAYS_OF_YEAR,
    NetInterval,
    NetMethod,
    method_argument,
    net_interval_argument,
    net_limits,
    per_year_argument,
)
from pets.errors import InvalidArgument
from pets.exact import Number, positive

_STEPS = 100_000


def net_survival_of_rows(
    time: ArrayLike,
    died: ArrayLike,
    age: ArrayLike,
    sex: ArrayLike,
    year: ArrayLike,
    life_table: LifeTable,
    *,
    ends: ArrayLike,
    method: NetMethod = "pohar-perme",
    step: Number = 1,
    per_year: Number = DAYS_OF_YEAR,
    level: Number = 0.95,
    interval: NetInterval = "log",
) -> Curves:
    """Return net or relative survival of a cohort, with nothing protected.

    Parameters
    ----------
    time
        Follow-up from diagnosis, in days (see `per_year`), shape (patients,).
    died
        Whether it ended with death from whatever cause; otherwise it was censored.
    age, year
        Exact age and date at diagnosis in years: 62.4, 2008.7. To completed years add 0.5.
    sex
        Labels as in the life table.
    life_table
        Mortality of the general population.
    ends
        Times at which the curve is wanted, ascending.
    method
        ``'pohar-perme'`` estimates net survival: what survival would be if the disease alone could kill. ``'ederer2'``
        and ``'ederer1'`` are relative survival.
    step
        Width of the steps in which the integrals are taken, in the unit of `time`. A day is exact; a month is as good
        for most purposes and thirty times faster.
    per_year
        Units of time in a year.
    level
        Two-sided confidence level of the pointwise limits.
    interval
        ``'log'``, or ``'log-log'``; see :func:`~pets.epi.survival.net_limits.net_limits`.

    Returns
    -------
    Curves
        One curve of kind ``'net'``. It may rise, and exceed 1, where patients die less often than their population.

    Raises
    ------
    InvalidArgument
        The columns differ in length or hold what they cannot, or follow-up leaves the life table.

    References
    ----------
    Pohar Perme M, Stare J, Estève J (2012). On estimation in relative survival. Biometrics 68:113-120.
    Ederer F, Axtell LM, Cutler SJ (1961). The relative survival rate. NCI Monograph 6:101-121.

    Examples
    --------
    Two patients of an age and sex, of whom one dies:

    >>> from pets.epi import finland_life_table
    >>> curves = net_survival_of_rows(
    ...     [400, 800], [True, False], [70.5, 70.5], ["male"] * 2, [2005.5, 2005.5], finland_life_table(), ends=[500]
    ... )
    >>> round(float(curves.curves[0].value[0]), 3)
    0.52
    """
    rows = _Rows.of(time, died, age, sex, year, life_table, per_year_argument(per_year))
    chosen, kind = method_argument(method), net_interval_argument(interval)
    grid, wanted = _grid(ends, float(positive(step, "step")))
    confidence = level_argument(level)
    logarithm, variance, at_risk = _integrate(rows, grid, weighted=chosen == "pohar-perme")
    if chosen == "ederer1":
        logarithm = _observed(rows, grid) - _log_expected(rows, grid)
    place = np.searchsorted(grid, wanted) - 1
    value, spread = np.exp(logarithm[place]), variance[place]
    low, high = net_limits(kind, confidence, value, spread, at_risk[place])
    nothing = np.zeros_like(value)
    curve = Curve(
        labels=(),
        times=wanted,
        value=value,
        raw=value,
        low=low,
        high=high,
        low_sampling=low,
        high_sampling=high,
        stderr_sampling=value * np.sqrt(spread),
        stderr_noise=nothing,
        at_risk=at_risk[place],
        at_risk_raw=at_risk[place],
        reliable=at_risk[place] > 0,
    )
    return Curves("net", (), 0.0, 0.0, (curve,), confidence, kind, noisy=False)


class _Rows:
    """The columns, checked, longest follow-up first, so that those at risk are always the first ones."""

    __slots__ = ("age", "died", "per_year", "sex", "table", "time", "year")

    def __init__(
        self, time: Array, died: NDArray[np.bool_], age: Array, sex: NDArray[np.intp], year: Array, table: LifeTable,
        per_year: float,
    ) -> None:  # fmt: skip
        order = np.argsort(-time, kind="stable")
        self.time, self.died, self.sex = time[order], died[order], sex[order]
        self.age, self.year = age[order], year[order]
        self.table, self.per_year = table, per_year

    @classmethod
    def of(
        cls, time: ArrayLike, died: ArrayLike, age: ArrayLike, sex: ArrayLike, year: ArrayLike, table: LifeTable,
        per_year: float,
    ) -> _Rows:  # fmt: skip
        if not isinstance(table, LifeTable):
            raise InvalidArgument("life_table", "must be a LifeTable", "Take finland_life_table(), or make one.")
        numbers = {"time": time, "age": age, "year": year, "died": died}
        columns = {name: _column(name, values) for name, values in numbers.items()}
        codes = table.sex_codes(sex)
        size = len(columns["time"])
        for name, column in (*columns.items(), ("sex", codes)):
            if len(column) != size or not size:
                raise InvalidArgument(name, f"has {len(column)} rows where time has {size}; at least one is needed")
        if (columns["time"] < 0).any():
            raise InvalidArgument("time", "must not be negative")
        if not np.isin(columns["died"], (0, 1)).all():
            raise InvalidArgument("died", "must be True or False")
        dead = columns["died"].astype(bool)
        return cls(columns["time"], dead, columns["age"], codes, columns["year"], table, per_year)

    def hazard(self, upto: int, since: Array | float) -> Array:
        """Return the expected hazard per unit of time of the first patients, so long after diagnosis."""
        years = np.asarray(since) / self.per_year
        kept = slice(upto)
        return self.table.hazard(self.sex[kept], self.age[kept] + years, self.year[kept] + years) / self.per_year


def _column(name: str, values: ArrayLike) -> Array:
    try:
        column = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidArgument(name, "must hold numbers only") from None
    if column.ndim != 1 or not np.isfinite(column).all():
        raise InvalidArgument(name, "must be one column without missing values")
    return column


def _grid(ends: ArrayLike, step: float) -> tuple[Array, Array]:
    """Return the edges of the steps from 0 on, and the ends that are wanted, which are among them."""
    wanted = _column("ends", ends)
    if not wanted.size or (np.diff(wanted) <= 0).any() or wanted[0] <= 0:
        raise InvalidArgument("ends", "must be above 0 and ascending")
    if wanted[-1] / step > _STEPS:
        raise InvalidArgument("step", f"cuts the curve into more than {_STEPS:,} steps", "Take wider ones.")
    return np.unique(np.concatenate([np.arange(0.0, wanted[-1], step), wanted])), wanted


def _integrate(rows: _Rows, grid: Array, *, weighted: bool) -> tuple[Array, Array, Array]:
    """Return log net survival and its variance at the end of each step, and the number at risk as it begins.

    Within a step the censored count for the part of it that they were seen; those who die were at risk all of it.
    Deaths at time 0 come before all steps, with everybody at risk.
    """
    expected = np.zeros(len(rows.time))
    log_value, variance, at_risk = (np.zeros(len(grid) - 1) for _ in range(3))
    ascending = rows.time[::-1]
    at_once = float((rows.died & (rows.time == 0)).mean())
    total = float(np.log1p(-at_once)) if at_once < 1 else -np.inf
    spread = at_once / len(rows.time) / (1 - at_once) if at_once < 1 else 0.0
    for k, (low, high) in enumerate(pairwise(grid)):
        inside = len(ascending) - int(np.searchsorted(ascending, low, side="right"))
        seen = np.minimum(rows.time[:inside], high) - low
        dead = rows.died[:inside] & (rows.time[:inside] <= high)
        hazard = rows.hazard(inside, low + seen / 2)
        weight = np.exp(expected[:inside] + hazard * seen / 2) if weighted else np.ones(inside)
        exposed = weight * seen
        everyone = float(np.where(dead, weight * (high - low), exposed).sum()) / (high - low)
        share = float(weight[dead].sum()) / everyone if everyone > 0 else 0.0
        if exposed.sum() > 0:
            total += float(exposed @ hazard) / float(exposed.sum()) * (high - low)
        with np.errstate(divide="ignore"):
            total += float(np.log(max(1 - share, 0.0)))
        if 0 < share < 1:
            spread += float((weight[dead] ** 2).sum()) / everyone**2 / (1 - share)
        expected[:inside] += hazard * seen
        log_value[k], variance[k], at_risk[k] = total, spread, inside
    return log_value, variance, at_risk


def _observed(rows: _Rows, grid: Array) -> Array:
    """Return the logarithm of the product-limit estimate at the end of each step."""
    nobody = LifeTable("nobody dies", rows.table.sexes, rows.table.first_year, np.zeros_like(rows.table.hazards))
    alone = _Rows(rows.time, rows.died, rows.age, rows.sex, rows.year, nobody, rows.per_year)
    return _integrate(alone, grid, weighted=False)[0]


def _log_expected(rows: _Rows, grid: Array) -> Array:
    """Return the logarithm of the mean expected survival of everybody who was diagnosed."""
    expected, found = np.zeros(len(rows.time)), np.zeros(len(grid) - 1)
    for k, (low, high) in enumerate(pairwise(grid)):
        expected += rows.hazard(len(expected), (low + high) / 2) * (high - low)
        found[k] = np.log(np.exp(-expected).mean())
    return found
