"""Which mechanism, and how much budget: answered before any row is read.

>>> import pets
>>> from pets.dp.choice import plan
>>> print(plan("counts within 3 patients at 95 %"))
epsilon = 0.8319 (pure DP): each number within 3 patients of the truth in 95 of 100 publications, by DiscreteLaplace
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from statistics import fmean

from pets.domain import Domain
from pets.dp import phrases
from pets.dp.arguments import kind_of
from pets.dp.gaussian import DiscreteGaussian
from pets.dp.laplace import DiscreteLaplace
from pets.dp.marginals import LaplacePlanner, ResidualPlanner
from pets.dp.marginals.same_rows import counts_same_rows
from pets.error_model import ErrorModel
from pets.errors import InvalidArgument
from pets.exact import Number, as_text, exact, positive, show
from pets.guarantee import ApproxDP, DPGuarantee, PureDP, ZeroConcentratedDP
from pets.query import BoundQuery, Count, Marginals, Query
from pets.roles import Mechanism

_DIGITS = 4
"""Significant digits of a planned budget, the last one rounded up."""

_LARGEST_DELTA = Fraction(1, 1000)
"""Of a thousand patients one would be exposed."""


@dataclass(frozen=True)
class Choice:
    """One mechanism, what it promises and how far off it will be.

    Attributes
    ----------
    mechanism
        Ready to be used.
    error
        Exact law of the error of each table.
    relative_variance
        Mean over tables of the variance of a cell beside the best candidate's; 1 if it is the best in every table.
    why
        A sentence for the report.
    """

    mechanism: Mechanism
    error: ErrorModel
    relative_variance: float
    why: str


@dataclass(frozen=True)
class Planned:
    """The least budget that reaches an accuracy.

    Attributes
    ----------
    guarantee
        What it costs.
    mechanism
        What reaches it at that cost.
    within, level
        The target: each number is within so much of the truth with this probability.
    half_width
        The widest interval that is reached; at most `within`.
    counted
        The word of the target for what is counted; empty if it has none.
    """

    guarantee: DPGuarantee
    mechanism: Mechanism
    within: float
    level: float
    half_width: float
    counted: str = ""

    def __str__(self) -> str:
        chance = as_text(100 * exact(self.level, "level"))
        what = " ".join([show(self.within), *([self.counted] if self.counted else [])])
        unit = getattr(self.guarantee, "unit", None)
        whom = f"; protects {unit}" if unit is not None and unit.id is not None else ""
        return (
            f"{self.guarantee}: each number within {what} of the truth in {chance} of 100 publications, "
            f"by {type(self.mechanism).__name__}{whom}"
        )


def choose(query: Query | BoundQuery, domain: Domain | None, guarantee: DPGuarantee) -> tuple[Choice, ...]:
    """Return the mechanisms that keep `guarantee`, the one with the least error first.

    Planners are left out where the tables of the query count different rows: see :class:`~pets.dp.ResidualPlanner`.

    Parameters
    ----------
    query
        What is asked.
    domain
        Public knowledge, with the privacy unit; ``None`` if the query is bound to one already.
    guarantee
        The whole budget: pure, approximate or zero-concentrated.

    Raises
    ------
    InvalidArgument
        The guarantee has no additive mechanism, or allows nothing.
    """
    bound = _bound(query, domain)
    models = [(mechanism, mechanism.error(bound)) for mechanism in _keeping(bound, guarantee)]
    variances = [[law.variance for law in model.laws] for _, model in models]
    least = [min(column) for column in zip(*variances, strict=True)]
    scores = [fmean(v / best if best else 1.0 for v, best in zip(row, least, strict=True)) for row in variances]
    ranked = sorted(zip(models, scores, strict=True), key=lambda item: item[1])
    return tuple(Choice(mechanism, model, score, _why(mechanism, score, bound)) for (mechanism, model), score in ranked)


def plan(
    target: str | None = None,
    query: Query | BoundQuery | None = None,
    domain: Domain | None = None,
    *,
    within: Number | None = None,
    level: float = 0.95,
    delta: Number | None = None,
) -> Planned:
    """Return the least budget with which each published number is near enough to the truth. Nothing is spent.

    The half-widths are those of the exact laws; the search is over rational budgets, so the answer is the least one of
    four significant digits that keeps the target.

    Parameters
    ----------
    target
        In words, such as ``'counts within 3 patients at 95 %'`` or ``'+/- 3 with 99 % confidence'``; or give `within`
        and `level`. The word for what is counted must fit the query: where a unit may have several rows, counts are
        of rows, and a target in units is refused.
    query, domain
        What will be asked; a single count, of which each row is a unit, when left out.
    within
        Largest half-width, in the query's own unit.
    level
        Probability.
    delta
        ``None``: the answer is pure DP. Else approximate DP with this delta, which admits Gaussian noise. At most
        1/1000: with that chance nothing is promised to anybody.

    Raises
    ------
    InvalidArgument
        The target cannot be read (the error shows phrasings that can) or does not fit the query, `delta` is too large,
        or no budget up to 1,000,000 reaches the target.
    """
    bound = _single_count() if query is None else _bound(query, domain)
    wanted, chance, counted = _target(target, within, level, bound)
    if delta is not None and positive(delta, "delta") > _LARGEST_DELTA:
        raise InvalidArgument(
            "delta", f"is {show(positive(delta, 'delta'))}: with that chance everything may be published",
            "Give much less than 1 / number of patients, e.g. delta='1e-6'.",
        )  # fmt: skip
    makers = list(_makers(bound, delta))
    found = [_least(bound, maker, wanted, float(chance)) for maker in makers]
    best = min(found, key=lambda item: (item[0], item[2]))
    cost: DPGuarantee = PureDP(best[0], unit=bound.domain.unit)
    if delta is not None and not isinstance(best[1], DiscreteLaplace | LaplacePlanner):
        cost = ApproxDP(best[0], delta, unit=bound.domain.unit)
    return Planned(cost, best[1], float(wanted), float(chance), best[2], counted)


Maker = Callable[[Fraction], Mechanism]


def _bound(query: Query | BoundQuery, domain: Domain | None) -> BoundQuery:
    if isinstance(query, BoundQuery):
        return query
    if not isinstance(query, Query):
        raise InvalidArgument("query", f"must be a query, not {kind_of(query)}", "Give e.g. pets.Count(by=['sex']).")
    if not isinstance(domain, Domain | None):
        raise InvalidArgument("domain", f"must be a pets.Domain, not {kind_of(domain)}")
    if domain is None:
        raise InvalidArgument("domain", "is missing", "Give the domain that the query is asked under.")
    return query.bind(domain)


def _single_count() -> BoundQuery:
    return Count().bind(Domain(patient=["yes"]))


def _keeping(query: BoundQuery, guarantee: DPGuarantee) -> Iterator[Mechanism]:
    """Yield each mechanism at the largest budget that `guarantee` allows."""
    if isinstance(guarantee, PureDP):
        yield from _pure(query, guarantee.epsilon)
    elif isinstance(guarantee, ZeroConcentratedDP):
        yield from _pure(query, _root_down(2 * guarantee.rho))  # epsilon-DP is epsilon^2/2-zCDP
        yield from _concentrated(query, guarantee.rho)
    elif isinstance(guarantee, ApproxDP):
        yield from _pure(query, guarantee.epsilon)
        if guarantee.delta:
            yield from _concentrated(query, _rho_within(guarantee.epsilon, guarantee.delta))
    else:
        raise InvalidArgument("guarantee", "must be pure, approximate or zero-concentrated differential privacy")


def _pure(query: BoundQuery, epsilon: Fraction) -> Iterator[Mechanism]:
    yield DiscreteLaplace(epsilon)
    if isinstance(query.query, Marginals) and counts_same_rows(query):  # for one table the two are the same
        yield LaplacePlanner(epsilon)


def _concentrated(query: BoundQuery, rho: Fraction) -> Iterator[Mechanism]:
    yield DiscreteGaussian(rho)
    if isinstance(query.query, Count | Marginals) and counts_same_rows(query):
        yield ResidualPlanner(rho)


def _makers(query: BoundQuery, delta: Number | None) -> Iterator[Maker]:
    """Yield what turns an epsilon into a mechanism that costs it."""
    yield DiscreteLaplace
    if isinstance(query.query, Marginals) and counts_same_rows(query):
        yield LaplacePlanner
    if delta is not None:
        failure = positive(delta, "delta")
        yield lambda epsilon: DiscreteGaussian(_rho_within(epsilon, failure))
        if isinstance(query.query, Count | Marginals) and counts_same_rows(query):
            yield lambda epsilon: ResidualPlanner(_rho_within(epsilon, failure))


def _rho_within(epsilon: Fraction, delta: Fraction) -> Fraction:
    """Return a rho, within 2**-30 of the largest, whose conversion at `delta` stays within `epsilon`."""
    low, high = Fraction(0), Fraction(1)
    while ZeroConcentratedDP(high).to_approx(delta).epsilon <= epsilon:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        fits = ZeroConcentratedDP(middle).to_approx(delta).epsilon <= epsilon
        low, high = (middle, high) if fits else (low, middle)
        if low and (high - low) * 2**30 < low:
            break
    if not low:
        raise InvalidArgument("delta", "leaves no budget for Gaussian noise at this epsilon")
    return low


def _root_down(number: Fraction) -> Fraction:
    from math import isqrt

    return Fraction(isqrt(int(number * 2**80)), 2**40)


def _least(query: BoundQuery, maker: Maker, within: Fraction, level: float) -> tuple[Fraction, Mechanism, float]:
    """Return the least epsilon of few digits whose widest interval is at most `within`, by bisection."""

    def width(epsilon: Fraction) -> float:
        return max(maker(epsilon).error(query).half_width(level))

    high = Fraction(1)
    while width(high) > within:
        high *= 10
        if high > 10**6:
            raise InvalidArgument("within", "is reached by no epsilon up to 1,000,000")
    while high > Fraction(1, 10**9) and width(high / 10) <= within:
        high /= 10
    step = high / 10**_DIGITS
    low, steps = 0, 10**_DIGITS  # in steps: too little, and enough
    while steps - low > 1:
        middle = (low + steps) // 2
        low, steps = (low, middle) if width(middle * step) <= within else (middle, steps)
    epsilon = steps * step
    return epsilon, maker(epsilon), width(epsilon)


def _target(
    target: str | None, within: Number | None, level: float, query: BoundQuery
) -> tuple[Fraction, Fraction, str]:
    if (target is None) == (within is None):
        raise InvalidArgument("target", "or 'within' must be given, and not both", "E.g. within=3, level=0.95.")
    if isinstance(level, bool) or not isinstance(level, int | float):
        raise InvalidArgument("level", "must be strictly between 0 and 1", "For 95 % give level=0.95.")
    chance, counted = exact(level, "level"), ""
    if target is not None:
        asked = phrases.read(target)
        within, counted = asked.within, asked.counted
        chance = chance if asked.level is None else asked.level
        _check_counted(counted, query)
    if not 0 < float(chance) < 1:
        raise InvalidArgument("level", "must be strictly between 0 and 1", "For 95 % give level=0.95.")
    return positive(within, "within"), chance, counted


def _check_counted(word: str, query: BoundQuery) -> None:
    """Refuse a word for what is counted that the question does not count: queries count rows."""
    unit, counted = query.domain.unit, phrases.COUNTED.get(word, "")
    if unit.id is None and counted in phrases.GROUPS and query.query != Count():
        raise InvalidArgument(
            "target", f"counts by {counted}, and this query counts rows", "Say 'rows', or declare PrivacyUnit(id=...)."
        )
    same_word = counted == unit.noun or counted in unit.noun.split()
    if unit.id is not None and counted in phrases.GROUPS and not same_word:
        raise InvalidArgument(
            "target", f"counts by {counted}, and the domain protects one {unit.noun}", "Say 'rows', or give numbers."
        )
    if unit.id is not None and same_word and unit.max_rows * unit.max_sites > 1:
        raise InvalidArgument(
            "target",
            f"counts by {counted}, and this query counts rows, of which one {unit.noun} may have "
            f"{unit.max_rows * unit.max_sites}",
            "Say 'rows': the budget still protects all rows of one.",
        )


def _why(mechanism: Mechanism, score: float, query: BoundQuery) -> str:
    tables = len(query.blocks)
    if isinstance(mechanism, ResidualPlanner):
        reason = "it measures what the tables share only once" if tables > 1 else "it is the Gaussian mechanism here"
    elif isinstance(mechanism, LaplacePlanner):
        reason = "it measures some tables only and averages what they say about each margin, and it promises pure DP"
    elif isinstance(mechanism, DiscreteGaussian):
        reason = f"its noise grows with the square root of the {tables} table(s) that one row enters"
    else:
        reason = f"its noise grows with the {tables} table(s) that one row enters, and it promises pure DP"
    beside = "no candidate has less error" if score <= 1 + 1e-9 else f"its variance is {score:.3g} times the best one's"
    return f"{type(mechanism).__name__}: {reason}; {beside}."
