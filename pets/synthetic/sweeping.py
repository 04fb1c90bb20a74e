"""Fidelity against epsilon: one synthesizer, fitted again and again at several privacy losses.

What the rows are worth at each epsilon is a fact about the confidential rows, and so is the epsilon that somebody picks
after seeing it. There are two honest ways. *Internal*: nothing is charged, all is compared with the exact rows, and
the result stays with those who may see these. *Charged*: a ledger pays for every fit and for every number, and the
result may be published; it costs more than all fits together. A sweep over public rows of a like kind costs nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pets.csprng import RandomSource, random_source
from pets.domain import Domain
from pets.errors import InvalidArgument, UnrecordedReleaseWarning
from pets.exact import Number, as_text, positive
from pets.guarantee import DPGuarantee, Guarantee, compose
from pets.ledger import Ledger
from pets.synthetic.adaptive import Adaptive
from pets.synthetic.encoding import Survival
from pets.synthetic.fidelity.bought import buy
from pets.synthetic.fidelity.evaluation import planned
from pets.synthetic.fidelity.floor import Floor, floors
from pets.synthetic.fidelity.metric import Line, Metric, NotComputableError
from pets.synthetic.fidelity.rows import Rows, Schema

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from pets.synthetic.synthesizer import Synthesizer

EPSILONS = ("0.1", "0.3", "1", "3", "10")
_LARGEST = 10**12
INTERNAL = (
    "Internal: every point was computed from the confidential rows and paid for from no budget. Whoever publishes "
    "this, or an epsilon that was picked by it, publishes something about patients."
)

Make = Callable[[Number], "Synthesizer"]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Point:
    """One number at one epsilon.

    Attributes
    ----------
    epsilon
        As given.
    metric, target, better
        What is measured, of what, and which direction is better.
    values
        One for each seed; those that could not be computed are left out.
    floor, floor_low, floor_high
        What resamples of the real rows score: mean, 5 % and 95 % quantile. NaN in a charged sweep.
    as_good_as
        Share of the real rows that would do as well as the mean of the values; NaN if not known.
    """

    epsilon: float
    metric: str
    target: str
    better: str
    values: tuple[float, ...]
    floor: float
    floor_low: float
    floor_high: float
    as_good_as: float

    @property
    def mean(self) -> float:
        """Mean of the values; NaN if there is none."""
        return float(np.mean(self.values)) if self.values else float("nan")


@dataclass(frozen=True, eq=False)
class Sweep:
    """Fidelity at several epsilons.

    Attributes
    ----------
    points
        The numbers.
    refused
        Epsilons that the synthesizer refused, with its reason.
    failed
        What could not be computed on the real rows, or on some of the artificial ones, with the reason.
    internal
        Whether it must stay with those who may see the rows.
    paid
        What was charged for all of it; ``None`` if nothing.
    """

    points: tuple[Point, ...]
    refused: tuple[tuple[float, str], ...]
    failed: tuple[str, ...]
    internal: bool
    paid: Guarantee | None = None

    def explain(self) -> str:
        """Return who may read it, and what was refused."""
        found = [INTERNAL if self.internal else f"These numbers hold noise and may be published; all cost {self.paid}."]
        found += [f"Refused: epsilon = {epsilon:g} {why}." for epsilon, why in self.refused]
        return " ".join(found + [f"Not computable: {what}." for what in self.failed])

    def to_frame(self) -> pd.DataFrame:
        """Return one line for each number at each epsilon: mean, least and largest over the seeds, beside the floor."""
        import pandas as pd

        known = ("floor", "floor_low", "floor_high", "as_good_as")
        rows = [
            {"epsilon": p.epsilon, "metric": p.metric, "target": p.target, "better": p.better, "mean": p.mean}
            | {"low": min(p.values, default=np.nan), "high": max(p.values, default=np.nan), "fits": len(p.values)}
            | {name: getattr(p, name) for name in known}
            for p in self.points
        ]
        table = pd.DataFrame(rows)
        table.attrs["internal"] = self.internal
        return table

    def plot(self, metrics: Sequence[str] | None = None) -> Figure:
        """Draw fidelity against epsilon, one panel a number, with the floor as a band.

        Parameters
        ----------
        metrics
            Beginnings of names of metrics; by default the first number of each kind.
        """
        from pets.synthetic.sweep_view import plot

        return plot(self, metrics)

    def to_html(self) -> str:
        """Return a page that needs nothing but itself: who may read it, the pictures, and every number."""
        from pets.synthetic.sweep_view import html

        return html(self)

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p>{escape(self.explain())}</p>{self.to_frame().to_html(index=False)}"

    def __repr__(self) -> str:
        epsilons = sorted({point.epsilon for point in self.points})
        return f"<Sweep: epsilon {epsilons}, {'internal' if self.internal else f'paid {self.paid}'}>"


def sweep(
    frame: object,
    domain: Domain,
    *,
    make: Make | None = None,
    epsilons: Sequence[Number] = EPSILONS,
    seeds: Sequence[int] = (0, 1, 2),
    survival: Sequence[Survival] | Survival = (),
    bootstrap: int = 10,
    price: Number | None = None,
    ledger: Ledger | None = None,
    dataset: str = "default",
    progress: Progress | None = None,
) -> Sweep:
    """Fit a synthesizer at several epsilons and say what its rows are worth at each.

    Parameters
    ----------
    frame
        Confidential rows.
    domain
        What is declared.
    make
        Called with each epsilon; returns a synthesizer, such as ``MST`` or ``lambda e: AIM(e, survival=clock)``. By
        default :class:`~pets.synthetic.Adaptive` with `survival`.
    epsilons
        Privacy losses.
    seeds
        One fit for each at every epsilon. They make the drawn rows reproducible; the noise of a fit never is.
    survival
        Times to events, for what is measured.
    bootstrap
        Resamples of the real rows for each floor; made once for the whole sweep.
    price
        Epsilon paid for the numbers of each fit. Then the sweep is charged and holds total variation only.
    ledger, dataset
        Where a charged sweep is recorded; needed with `price`, and of no use without. A sweep that the ledger stops
        goes on, at no cost for what it has, when it is called again.
    progress
        Called with what is being done, steps done and steps in all.

    Returns
    -------
    Sweep
        Internal, unless there is a `price`.

    Raises
    ------
    InvalidArgument, DataError
        The frame does not fit the domain or an argument is wrong.
    BudgetExceeded
        The ledger refused a fit or a number; what it paid for before remains in it.

    Examples
    --------
    >>> import pets
    >>> wilms = pets.datasets.wilms()[["histology", "stage"]]
    >>> domain = pets.Domain(histology=["favourable", "unfavourable"], stage=["I", "II", "III", "IV"])
    >>> found = sweep(wilms, domain, epsilons=["0.01", "10"], seeds=[0], bootstrap=5)
    >>> table = found.to_frame().query("metric == 'total variation, mean'").groupby("epsilon")["mean"].max()
    >>> bool(table[0.01] > table[10.0]), found.internal
    (True, True)
    """
    losses, repeats = _checked(epsilons, seeds, bootstrap)
    if (price is None) != (ledger is None):
        raise InvalidArgument("price", "and ledger go together", "Give both, for numbers that may be published.")
    clocks = (survival,) if isinstance(survival, Survival) else tuple(survival)
    build: Make = make if make is not None else lambda epsilon: Adaptive(epsilon, survival=clocks)
    jobs = _Jobs(frame, domain, build, losses, repeats, progress)
    if price is not None and ledger is not None:
        return _charged(jobs, clocks, price, ledger, dataset)
    return _internal(jobs, clocks, bootstrap)


@dataclass(frozen=True, eq=False)
class _Jobs:
    """The fits of a sweep."""

    frame: object
    domain: Domain
    make: Make
    epsilons: tuple[Number, ...]
    seeds: tuple[int, ...]
    progress: Progress | None

    def run(self, step: Callable[[float, int, Any], None], **fit: Any) -> tuple[tuple[float, str], ...]:
        """Fit all models and hand each to `step`; return the epsilons that were refused."""
        refused, done, steps = [], 0, len(self.epsilons) * len(self.seeds)
        for epsilon in self.epsilons:
            for seed in self.seeds:
                done += 1
                try:
                    model = self.make(epsilon).fit(self.frame, self.domain, **fit, repeat=f"sweep, seed {seed}")
                except InvalidArgument as error:
                    if error.argument not in ("epsilon", "rho"):
                        raise
                    refused.append((float(positive(epsilon, "epsilons")), error.problem))
                    break
                step(float(positive(epsilon, "epsilons")), seed, model)
                if self.progress is not None:
                    self.progress(f"epsilon {as_text(positive(epsilon, 'epsilons'))}, seed {seed}", done, steps)
        return tuple(refused)


def _internal(jobs: _Jobs, clocks: tuple[Survival, ...], bootstrap: int) -> Sweep:
    schema, source = Schema.of(jobs.domain, clocks), random_source(jobs.seeds[0])
    true = Rows.of(jobs.frame, schema, "frame")
    failed: dict[str, None] = {}
    metrics = _metrics(true, source, failed)
    known = [floors(metric, true, bootstrap, source, lambda: None) for metric in metrics]
    values: dict[tuple[float, Line], list[float]] = {}

    def score(epsilon: float, seed: int, model: Any) -> None:
        rows = Rows.of(model.sample(true.n, seed=seed), schema, "synthetic")
        for metric in metrics:
            try:
                scores = dict(metric.scores(rows))
            except NotComputableError as error:
                scores = {}
                failed[f"{metric.lines[0].metric} of {metric.lines[0].target} at epsilon = {epsilon:g}, {error}"] = None
            for line in metric.lines:
                values.setdefault((epsilon, line), []).extend([scores[line]] if line in scores else [])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnrecordedReleaseWarning)  # nothing is released
        refused = jobs.run(score)
    floor_of = {line: floor for found in known for line, floor in found.items()}
    points = [_point(epsilon, line, tuple(some), floor_of[line]) for (epsilon, line), some in values.items()]
    return Sweep(tuple(points), refused, tuple(failed), internal=True)


def _charged(jobs: _Jobs, clocks: tuple[Survival, ...], price: Number, ledger: Ledger, dataset: str) -> Sweep:
    values: dict[tuple[float, Line], list[float]] = {}
    paid: list[DPGuarantee] = []

    def score(epsilon: float, seed: int, model: Any) -> None:
        bought = buy(
            jobs.frame, model.sample(seed=seed), jobs.domain, epsilon=price, survival=clocks, ledger=ledger,
            dataset=dataset, repeat=f"sweep, seed {seed}",
        )  # fmt: skip
        paid.extend([model.promise, bought.paid])  # type: ignore[list-item]  # it was charged just now
        for one in bought.scores:
            values.setdefault((epsilon, Line(one.metric, one.target, one.better)), []).append(one.value)

    refused = jobs.run(score, ledger=ledger, dataset=dataset)
    unknown = Floor(float("nan"), float("nan"), float("nan"), ())
    points = [_point(epsilon, line, tuple(some), unknown) for (epsilon, line), some in values.items()]
    return Sweep(tuple(points), refused, (), internal=False, paid=compose(*paid) if paid else None)


def _metrics(true: Rows, source: RandomSource, failed: dict[str, None]) -> list[Metric]:
    """Return every measure that has a value on the real rows; note the others."""
    found = []
    for line, make in planned(true, None, None, source):
        try:
            found.append(make())
        except NotComputableError as error:
            failed[f"{line.metric} of {line.target}, {error}"] = None
    return found


def _point(epsilon: float, line: Line, values: tuple[float, ...], floor: Floor) -> Point:
    equal = float("nan")
    if values and floor.curve and line.comparable:
        equal = floor.as_good_as(float(np.mean(values)), line)
    return Point(epsilon, line.metric, line.target, line.better, values, floor.mean, floor.low, floor.high, equal)


def _checked(epsilons: object, seeds: object, bootstrap: object) -> tuple[tuple[Number, ...], tuple[int, ...]]:
    if isinstance(epsilons, str) or not isinstance(epsilons, Sequence) or not epsilons:
        raise InvalidArgument("epsilons", "must be a list of at least one", "Give for example ['0.1', '1', '10'].")
    if any(positive(epsilon, "epsilons") > _LARGEST for epsilon in epsilons):
        raise InvalidArgument("epsilons", "has one that is too large to promise anything", "Stay below 100.")
    if not isinstance(seeds, Sequence | range) or isinstance(seeds, str) or not seeds:
        raise InvalidArgument("seeds", "must be a list of at least one whole number", "Give for example range(3).")
    if any(isinstance(seed, bool) or not isinstance(seed, int) or seed < 0 for seed in seeds):
        raise InvalidArgument("seeds", "must hold whole numbers of at least 0")
    if len(set(seeds)) < len(seeds) or len({positive(e, "epsilons") for e in epsilons}) < len(epsilons):
        raise InvalidArgument("seeds", "and epsilons must not repeat")
    if isinstance(bootstrap, bool) or not isinstance(bootstrap, int) or not 2 <= bootstrap <= 10_000:
        raise InvalidArgument("bootstrap", "must be a whole number from 2 to 10,000")
    return tuple(epsilons), tuple(seeds)
