"""The whole evaluation: which measures are made, and what each one scores beside its floor."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from pets.csprng import RandomSource, random_source
from pets.domain import Domain
from pets.errors import InvalidArgument, did_you_mean
from pets.synthetic.encoding import Survival
from pets.synthetic.fidelity.clocks import HazardRatios, SurvivalCurve
from pets.synthetic.fidelity.floor import FRACTIONS, Floor, floors
from pets.synthetic.fidelity.metric import Line, Metric, NotComputableError
from pets.synthetic.fidelity.prediction import Prediction
from pets.synthetic.fidelity.propensity import Propensity
from pets.synthetic.fidelity.report import Fidelity, Score
from pets.synthetic.fidelity.rows import Rows, Schema
from pets.synthetic.fidelity.tables import RareCombinations, TableDistance

_MOST_STRATA = 6
_UNKNOWN = Floor(math.nan, math.nan, math.nan, ())

Make = Callable[[], Metric]
Progress = Callable[[str, int, int], None]


class EvaluationIncompleteWarning(UserWarning):
    """Some measures of fidelity could not be computed. They are listed first in the report.

    Parameters
    ----------
    message
        How many, and why the first one.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)


def evaluate(
    real: object,
    synthetic: object,
    domain: Domain,
    *,
    survival: Sequence[Survival] | Survival = (),
    strata: Sequence[str] | None = None,
    predict: Sequence[str] | None = None,
    bootstrap: int = 20,
    strict: bool = False,
    seed: int | None = None,
    progress: Progress | None = None,
) -> Fidelity:
    """Compare artificial rows with the confidential rows that they stand for. The report is internal.

    Parameters
    ----------
    real, synthetic
        Data frames with the declared columns. The real one may hold the identifier of the privacy unit besides.
    domain
        What is declared.
    survival
        Times to events: then Kaplan-Meier curves, restricted means and hazard ratios are compared.
    strata
        Categorical columns in whose groups curves are compared; by default those of up to six labels that are no event.
    predict
        Categorical columns to be predicted; by default the events, or without survival the last categorical column.
    bootstrap
        Resamples of the real rows for each floor.
    strict
        Raise at the first measure that has no value, instead of listing it with its reason and warning.
    seed
        Makes the resamples reproducible.
    progress
        Called with what is being done, steps done and steps in all.

    Returns
    -------
    Fidelity
        Marked internal: it was computed from the confidential rows. :func:`~pets.synthetic.fidelity.buy` makes one that
        may be published.

    Raises
    ------
    InvalidArgument, DataError
        A frame does not fit the domain, an argument is wrong, or, if `strict`, a measure has no value.

    Warns
    -----
    EvaluationIncompleteWarning
        A measure has no value.
    """
    schema = Schema.of(domain, survival)
    if isinstance(bootstrap, bool) or not isinstance(bootstrap, int) or not 2 <= bootstrap <= 10_000:
        raise InvalidArgument("bootstrap", "must be a whole number from 2 to 10,000")
    groups, targets = _columns(schema, strata, "strata"), _columns(schema, predict, "predict")
    true, made = Rows.of(real, schema, "real"), Rows.of(synthetic, schema, "synthetic")
    if true.n < 2:
        raise InvalidArgument(
            "real", "has fewer than two rows that fit the domain", "There is nothing to compare with."
        )
    source = random_source(seed)
    measures = list(planned(true, groups, targets, source))
    tick = _Ticker(progress, len(measures) * (bootstrap + 4 * (len(FRACTIONS) - 1)))
    scores = [score for line, make in measures for score in _scored(line, make, true, made, bootstrap, source, tick)]
    failed = [score for score in scores if score.problem]
    _complain(failed, strict)
    fine = [score for score in scores if not score.problem]
    return Fidelity((*failed, *fine), true.n, made.n, made.outside, made.impossible, internal=True)


def planned(
    real: Rows, strata: list[str] | None, targets: list[str] | None, source: RandomSource
) -> Iterator[tuple[Line, Make]]:
    """Yield every measure, with the line that stands for it if it cannot even be made."""
    schema = real.schema
    for order in range(1, min(3, len(schema.names)) + 1):
        yield Line("total variation", f"tables of {order} columns"), partial(TableDistance, real, order)
    yield Line("propensity", "all columns"), partial(Propensity, real)
    for pair in schema.survival:
        for stratum in (None, *_groups(schema, strata)):
            where = pair.event if stratum is None else f"{pair.event}, {stratum[0]} number {stratum[1] + 1}"
            yield Line("Kaplan-Meier", where), partial(SurvivalCurve, real, pair, stratum)
        yield Line("Cox", pair.event), partial(HazardRatios, real, pair)
    shuffled = np.argsort(source.words(real.n, np.uint64), kind="stable")
    for name in _targets(schema) if targets is None else targets:
        yield Line("prediction", name), partial(Prediction, real, name, shuffled)
    for order in range(2, min(3, len(schema.names)) + 1):
        yield Line("rare combinations", f"{order} columns"), partial(RareCombinations, real, order)


def _scored(
    line: Line, make: Make, real: Rows, made: Rows, bootstrap: int, source: RandomSource, tick: _Ticker
) -> list[Score]:
    tick.doing = f"{line.metric}: {line.target}"
    try:
        metric = make()
    except NotComputableError as error:
        return [_score(line, math.nan, _UNKNOWN, str(error))]
    known = floors(metric, real, bootstrap, source, tick)
    try:
        values = metric.scores(made)
    except NotComputableError as error:
        return [_score(one, math.nan, known[one], str(error)) for one in metric.lines]
    return [_score(one, values[one], known[one], "") for one in metric.lines]


def _score(line: Line, value: float, floor: Floor, problem: str) -> Score:
    equal = math.nan if problem or not line.comparable else floor.as_good_as(value, line)
    return Score(
        line.metric, line.target, value, line.better, floor.mean, floor.low, floor.high, equal, problem
    )  # fmt: skip


def _complain(failed: list[Score], strict: bool) -> None:
    if not failed:
        return
    first = f"{failed[0].metric} of {failed[0].target}: {failed[0].problem}"
    if strict:
        raise InvalidArgument("synthetic", f"has no value of a measure: {first}", "Leave strict out to see the others.")
    text = f"{len(failed)} measures of fidelity have no value on these rows, such as {first}. See the report's .failed."
    warnings.warn(EvaluationIncompleteWarning(text), stacklevel=3)


def _columns(schema: Schema, names: Sequence[str] | None, argument: str) -> list[str] | None:
    if names is None:
        return None
    listed = [names] if isinstance(names, str) else list(names)
    for name in listed:
        if name not in schema.names:
            raise InvalidArgument(argument, "names an unknown column", did_you_mean(str(name), schema.names))
        if not schema.is_categorical(name):
            raise InvalidArgument(argument, f"names {name!r}, which is a number", "Name categorical columns.")
    return listed


def _groups(schema: Schema, strata: list[str] | None) -> list[tuple[str, int]]:
    events = {pair.event for pair in schema.survival}
    if strata is None:
        strata = [
            name
            for name in schema.names
            if schema.is_categorical(name)
            and name not in events
            and 2 <= len(schema.encoding.domain[name].labels) <= _MOST_STRATA
        ]
    return [(name, code) for name in strata for code in range(len(schema.encoding.domain[name].labels))]


def _targets(schema: Schema) -> list[str]:
    if schema.survival:
        return [pair.event for pair in schema.survival]
    return [name for name in schema.names if schema.is_categorical(name)][-1:]


class _Ticker:
    """Counts steps and says what is being done."""

    def __init__(self, progress: Progress | None, steps: int) -> None:
        self.doing = ""
        self._progress, self._done, self._steps = progress, 0, steps

    def __call__(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self.doing, min(self._done, self._steps), self._steps)
