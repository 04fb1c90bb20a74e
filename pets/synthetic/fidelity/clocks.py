"""Measures of survival: curves, restricted means, hazard ratios."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pets.synthetic.encoding import Survival
from pets.synthetic.fidelity.metric import Line, NotComputableError
from pets.synthetic.fidelity.rows import Rows
from pets.synthetic.fidelity.survival import Array, Cox, Curve, cox, kaplan_meier, log_rank, restricted_mean

_GRID = 200
_AT_RISK = 0.1
_FEWEST_EVENTS = 10
_NORMAL = 1.959963984540054


class SurvivalCurve:
    """Distance of a Kaplan-Meier curve and of the restricted mean, and a log-rank test, overall or in one stratum.

    The curves are compared up to the last time at which a tenth of the real rows of the stratum are still at risk; the
    test is that of the artificial rows against the real ones, over all times. Its power grows with the number of rows,
    so it says whether a difference would be noticed and not how large it is. The event is any event: for competing
    risks, the event-free time.

    Parameters
    ----------
    real
        The real rows.
    pair
        Which clock.
    stratum
        A categorical column and the number of one of its labels; ``None`` for all rows.
    """

    pool: NDArray[np.int64] | None = None

    def __init__(self, real: Rows, pair: Survival, stratum: tuple[str, int] | None = None) -> None:
        self.pair, self.stratum = pair, stratum
        time, event = self._selected(real)
        if not event.any():
            raise NotComputableError(f"there is no event of {pair.event!r} among the real rows{self._where(real)}")
        self.horizon = float(np.quantile(time, 1 - _AT_RISK))
        self._grid = np.linspace(0, self.horizon, _GRID)
        curve = kaplan_meier(time, event)
        self._time, self._event = time, event
        self._real, self._mean = curve.at(self._grid), restricted_mean(curve, self.horizon)
        what = f"{pair.event} by {pair.time} up to {self.horizon:.4g}{self._where(real)}"
        self._lines = (
            Line("Kaplan-Meier, mean absolute difference", what),
            Line("restricted mean, difference in standard errors", what),
            Line("log-rank test against the real rows, standard deviations", what, comparable=False),
        )

    @property
    def lines(self) -> tuple[Line, ...]:
        """The curve, the mean and the test."""
        return self._lines

    def scores(self, rows: Rows) -> Mapping[Line, float]:
        """Return all three."""
        time, event = self._selected(rows)
        if not len(time):
            raise NotComputableError(f"no artificial row is in the group{self._where(rows)}")
        curve: Curve = kaplan_meier(time, event)
        area, _ = restricted_mean(curve, self.horizon)
        distance = float(np.abs(curve.at(self._grid) - self._real).mean())
        mean, stderr = self._mean
        if stderr == 0:
            raise NotComputableError("the real restricted mean has no standard error")
        made = np.arange(len(self._time) + len(time)) >= len(self._time)
        test = log_rank(np.concatenate([self._time, time]), np.concatenate([self._event, event]), made)
        return dict(zip(self._lines, (distance, abs(area - mean) / stderr, abs(test)), strict=True))

    def _selected(self, rows: Rows) -> tuple[Array, NDArray[np.bool_]]:
        time, event = clock(rows, self.pair)
        known = np.isfinite(time)
        if self.stratum is not None:
            known &= rows.column(self.stratum[0]) == self.stratum[1]
        return time[known], event[known]

    def _where(self, rows: Rows) -> str:
        if self.stratum is None:
            return ""
        column = rows.schema.encoding.columns[rows.schema.axis(self.stratum[0])]
        return f", {self.stratum[0]} = {column.labels[self.stratum[1]]}"


class HazardRatios:
    """Proportional hazards on all other columns: how far coefficients move, and how much their intervals overlap.

    Numbers enter in units of their real standard deviation, categories as indicators against the first label; labels
    with fewer than ten real events are left out, and so are other clocks and their events.

    References
    ----------
    Karr AF, Kohnen CN, Oganian A, Reiter JP, Sanil AP (2006). A framework for evaluating the utility of data altered to
    protect confidentiality. The American Statistician 60:224-232 (interval overlap).
    """

    pool: NDArray[np.int64] | None = None

    def __init__(self, real: Rows, pair: Survival) -> None:
        self.pair = pair
        self._terms = _terms(real, pair)
        if not self._terms:
            raise NotComputableError("there is no column with enough events for a regression")
        self._real = self._fit(real)
        what = f"{pair.event} by {pair.time}, {len(self._terms)} coefficients"
        self._lines = (
            Line("Cox, mean difference in standard errors", what),
            Line("Cox, overlap of 95 % intervals", what, "larger"),
        )

    @property
    def lines(self) -> tuple[Line, ...]:
        """Error and overlap."""
        return self._lines

    def scores(self, rows: Rows) -> Mapping[Line, float]:
        """Return both."""
        fitted, real = self._fit(rows), self._real
        error = float((np.abs(fitted.coefficients - real.coefficients) / real.stderr).mean())
        return dict(zip(self._lines, (error, float(overlap(real, fitted).mean())), strict=True))

    def _fit(self, rows: Rows) -> Cox:
        time, event = clock(rows, self.pair)
        features = np.stack([_feature(rows, *term) for term in self._terms], axis=1)
        known = np.isfinite(time) & np.isfinite(features).all(axis=1)
        names = [name if code is None else f"{name} = {code}" for name, code in self._terms]
        return cox(features[known], time[known], event[known], names)


def clock(rows: Rows, pair: Survival) -> tuple[Array, NDArray[np.bool_]]:
    """Return times, and whether an event stopped them; NaN where either is missing."""
    code, labels = rows.column(pair.event), len(rows.schema.encoding.domain[pair.event].labels)
    return np.where(code < labels, rows.numbers[pair.time], np.nan), (code > 0) & (code < labels)


def overlap(first: Cox, second: Cox) -> Array:
    """Return for each coefficient the overlap of the two 95 % intervals, as a share of either, averaged; at least 0."""
    wide, narrow = first.stderr * _NORMAL, second.stderr * _NORMAL
    low = np.maximum(first.coefficients - wide, second.coefficients - narrow)
    high = np.minimum(first.coefficients + wide, second.coefficients + narrow)
    common = np.maximum(high - low, 0)
    return np.asarray((common / (2 * wide) + common / (2 * narrow)) / 2)


def _terms(real: Rows, pair: Survival) -> list[tuple[str, int | None]]:
    clocks = {name for p in real.schema.survival for name in (p.time, p.event)}
    _, event = clock(real, pair)
    found: list[tuple[str, int | None]] = []
    for name in real.schema.names:
        if name in clocks:
            continue
        if not real.schema.is_categorical(name):
            found += [(name, None)] if np.nanstd(real.numbers[name]) > 0 else []
            continue
        happened = np.bincount(real.column(name)[event])
        found += [(name, code) for code in range(1, len(happened)) if happened[code] >= _FEWEST_EVENTS]
    return found


def _feature(rows: Rows, name: str, code: int | None) -> Array:
    return rows.numbers[name] if code is None else (rows.column(name) == code).astype(np.float64)
