"""Times to events as one concept: a clock, what stopped it, and clocks that run on after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pets.domain import Categorical, Date, Domain, Integer, Numeric
from pets.errors import InvalidArgument, did_you_mean


@dataclass(frozen=True)
class Survival:
    """A time to an event or to the end of follow-up.

    Parameters
    ----------
    time
        Integer or Numeric attribute; or a Date (the last contact), with an `origin`.
    event
        Categorical attribute whose **first** category means censored; the others are events (several are competing
        risks). As for :class:`pets.EventTable`.
    after
        The `time` of another survival, which this one cannot end before: relapse, say, for death. Where that event did
        not happen, both clocks stop at the same moment. The second time is then coded as what follows the first, so
        that no row can have them in the wrong order. Its resolution and bounds must hold every value of the first.
    origin
        A Date from which the clock runs (the diagnosis), never missing and not after `time`. Time is then what lies
        between the two dates.
    by
        Columns by which survival shall be right: strata of curves and covariates of regressions. The number of events
        by each of them is always measured, instead of left to a choice.

    Raises
    ------
    InvalidArgument
        A name is no text, or the same is given twice.

    Examples
    --------
    >>> Survival("relapse_time", "relapse", by=["stage"]), Survival("death_time", "dead", after="relapse_time")
    (Survival('relapse_time', 'relapse', by=('stage',)), Survival('death_time', 'dead', after='relapse_time'))
    """

    time: str
    event: str
    after: str | None = None
    by: Sequence[str] = ()
    origin: str | None = None

    def __post_init__(self) -> None:
        for argument in ("time", "event"):
            if not isinstance(getattr(self, argument), str) or not getattr(self, argument):
                raise InvalidArgument(argument, "must be the name of an attribute")
        if self.after is not None and not isinstance(self.after, str):
            raise InvalidArgument("after", "must be the name of an attribute, or be left out")
        if self.origin is not None and not isinstance(self.origin, str):
            raise InvalidArgument("origin", "must be the name of a date, or be left out")
        if self.origin is not None and self.after is not None:
            raise InvalidArgument("after", "and origin cannot both be given", "Write dates into the domain's order.")
        if isinstance(self.by, str) or not all(isinstance(name, str) and name for name in self.by):
            raise InvalidArgument("by", "must be a list of names of attributes")
        object.__setattr__(self, "by", tuple(self.by))
        others = [name for name in (self.after, self.origin) if name is not None]
        if len({self.time, self.event, *others, *self.by}) < 2 + len(others) + len(self.by):
            raise InvalidArgument("by", "and after, origin, time and event must all be different attributes")

    def __repr__(self) -> str:
        after = "" if self.after is None else f", after={self.after!r}"
        by = f", by={self.by!r}" if self.by else ""
        origin = "" if self.origin is None else f", origin={self.origin!r}"
        return f"Survival({self.time!r}, {self.event!r}{after}{origin}{by})"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        found: dict[str, Any] = {"time": self.time, "event": self.event}
        found |= {} if self.after is None else {"after": self.after}
        found |= {} if self.origin is None else {"origin": self.origin}
        return found | ({"by": list(self.by)} if self.by else {})


def checked_survival(survival: Sequence[Survival], domain: Domain) -> tuple[Survival, ...]:
    """Return the survivals after checking them against the domain and each other.

    Raises
    ------
    InvalidArgument
        A name is unknown, of the wrong kind or used twice, clocks follow each other in a circle, or a clock cannot hold
        every value of the one that it follows.
    """
    if isinstance(survival, Survival):
        survival = (survival,)
    if not isinstance(survival, Sequence) or not all(isinstance(s, Survival) for s in survival):
        raise InvalidArgument("survival", "must be a list of Survival", "Give [Survival('time', 'event')].")
    found = tuple(survival)
    seen: set[str] = set()
    for i, pair in enumerate(found):
        _check_pair(pair, f"survival.{i}", domain, seen)
    _check_chain(found)
    for i, pair in enumerate(found):
        _check_after(pair, f"survival.{i}", domain)
    return found


def _check_pair(pair: Survival, path: str, domain: Domain, seen: set[str]) -> None:
    for name in pair.by:
        if name not in domain:
            raise InvalidArgument(f"{path}.by", "is not in the domain", did_you_mean(name, domain.names))
    for argument, name in (("time", pair.time), ("event", pair.event)):
        if name not in domain:
            raise InvalidArgument(f"{path}.{argument}", "is not in the domain", did_you_mean(name, domain.names))
        if name in seen:
            raise InvalidArgument(f"{path}.{argument}", "is in two survivals", "Each clock and event belongs to one.")
        seen.add(name)
    _check_kind(pair, path, domain)
    event = domain[pair.event]
    if not isinstance(event, Categorical) or len(event.categories) < 2:
        raise InvalidArgument(f"{path}.event", "must be categorical, with 'censored' first and at least one event")


def _check_kind(pair: Survival, path: str, domain: Domain) -> None:
    if pair.origin is not None and pair.origin not in domain:
        raise InvalidArgument(f"{path}.origin", "is not in the domain", did_you_mean(pair.origin, domain.names))
    if pair.origin is None and isinstance(domain[pair.time], Date):
        raise InvalidArgument(f"{path}.origin", f"is needed: {pair.time!r} is a date", "Name the date it counts from.")
    if pair.origin is not None and not (isinstance(domain[pair.time], Date) and isinstance(domain[pair.origin], Date)):
        raise InvalidArgument(f"{path}.origin", "and time must be dates", "Leave origin out for a number.")
    if pair.origin is None and not isinstance(domain[pair.time], Integer | Numeric):
        raise InvalidArgument(f"{path}.time", "is no number", "Declare it as Integer or Numeric, with bins.")


def _check_after(pair: Survival, path: str, domain: Domain) -> None:
    """Refuse a clock that would have to be rounded or cut below the one before it: such rows would be impossible."""
    if pair.after is None:
        return
    first, second = domain[pair.after], domain[pair.time]
    if not isinstance(first, Integer | Numeric) or not isinstance(second, Integer | Numeric):
        raise InvalidArgument(f"{path}.after", f"{pair.after!r} is no number", "Write dates into the domain's order.")
    if (resolution_of(first) / resolution_of(second)).denominator != 1:
        raise InvalidArgument(
            f"{path}.after", f"{pair.after!r} has a finer resolution than {pair.time!r}, which cannot stop with it",
            "Declare both in one resolution.",
        )  # fmt: skip
    if second.lower > first.lower or second.upper < first.upper:
        raise InvalidArgument(
            f"{path}.after", f"{pair.after!r} has values outside the bounds of {pair.time!r}, which cannot stop there",
            "Declare wider bounds for the later time, such as the same.",
        )  # fmt: skip


def resolution_of(attribute: object) -> Fraction:
    """Return the smallest step of a number; 1 for an Integer."""
    return attribute.resolution if isinstance(attribute, Numeric) else Fraction(1)


def _check_chain(pairs: tuple[Survival, ...]) -> None:
    known = {pair.time for pair in pairs if pair.after is None}
    waiting = [pair for pair in pairs if pair.after is not None]
    while waiting:
        ready = [pair for pair in waiting if pair.after in known]
        if not ready:
            raise InvalidArgument(
                "survival", f"says that {waiting[0].time!r} runs after {waiting[0].after!r}, which begins nowhere",
                "Declare the earlier time as a Survival of its own; clocks cannot follow each other in a circle.",
            )  # fmt: skip
        known.update(pair.time for pair in ready)
        waiting = [pair for pair in waiting if pair not in ready]
