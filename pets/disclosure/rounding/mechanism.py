"""Rounding as output privacy of a pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.rounding.error import RoundingError
from pets.disclosure.rounding.margins import Margins
from pets.disclosure.rounding.single import as_base, round_randomly
from pets.disclosure.rounding.tables import Objective, controlled_rounding
from pets.disclosure.suppression import COUNT_TABLES
from pets.disclosure.table import Table
from pets.errors import InvalidArgument, PairingRefused
from pets.guarantee import NoFormalGuarantee
from pets.noise import NoiseLaw, NoNoise
from pets.noise_rounding import RoundingLaw
from pets.query import BoundQuery, Measured
from pets.query.layout import split
from pets.release import Release
from pets.tally import Tally


@dataclass(frozen=True, slots=True)
class RandomRounding:
    """Publish each count as one of the two multiples of a base next to it, at random and right on average.

    Parameters
    ----------
    base
        Whole number between 2 and 1,000,000.

    Raises
    ------
    InvalidArgument
        `base` is out of range.

    Guarantee
    ---------
    A rule, not differential privacy: each count is known to less than `base`, and sums of cells more closely. Parts and
    totals are rounded apart from each other and do not add up. A second release of the same table draws anew, and
    several together give the counts away.

    References
    ----------
    Fellegi, *Controlled random rounding*, Survey Methodology 1, 1975.
    """

    kind: ClassVar[str] = "random_rounding"
    base: int = 5

    def __post_init__(self) -> None:
        as_base(self.base)

    def guarantee(self, query: BoundQuery) -> NoFormalGuarantee:
        """Return the rule, and that it bounds nothing."""
        _refuse_unless_counts(query)
        return NoFormalGuarantee(
            f"every count is published as one of the two multiples of {self.base} next to it, drawn without bias, "
            f"which tells it to less than {self.base}, and sums of many cells far more closely"
        )

    def error(self, query: BoundQuery) -> RoundingError:
        """Return the law of the error, exact for each true count."""
        _refuse_unless_counts(query)
        return RoundingError(query, _laws(query, RoundingLaw(self.base, self.base - 1)))

    def release(self, total: Tally, query: BoundQuery) -> Release:
        """Return the rounded table; structural zeros, zeros and multiples stay.

        Raises
        ------
        PairingRefused
            The query is no table of counts.
        IncompatibleTallies
            `total` answers another question.
        EntropyError
            The operating system gives no secure randomness.
        """
        _refuse_unless_counts(query)
        blocks = split(query.check(total), query.blocks)
        rounded = [round_randomly(values, self.base) for values in blocks]
        return _release(query, rounded, self.error(query).laws, self.guarantee(query))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"type": self.kind, "base": self.base}


@dataclass(frozen=True, slots=True)
class ControlledRounding:
    """Publish multiples of a base next to the counts, such that all totals are the sums of their parts.

    Controlled are the tables of the query, their margins and the groups of the domain's hierarchies. See
    :func:`~pets.disclosure.rounding.controlled_rounding`.

    Parameters
    ----------
    base
        Whole number between 2 and 1,000,000.
    objective
        ``'random'`` stays near a random rounding of each cell, ``'nearest'`` near the true counts.
    steps
        How many multiples a count may be moved at most. With 1 it is published as one of its two neighbours, or the
        table is refused; with 2 it may be the next one, if nothing else adds up. All stated errors are for `steps`.
    time_limit
        Seconds for the solver. What it has found by then is published: it adds up, and may be a little further off.

    Raises
    ------
    InvalidArgument
        A parameter is out of range. When released: no table of multiples within `steps` adds up, or none was found in
        time. The former occurs only with more than two attributes, several tables or hierarchies.

    Guarantee
    ---------
    A rule, not differential privacy: each count, margin and group is known to less than ``steps * base``.

    References
    ----------
    Salazar-González, *Controlled rounding and cell perturbation*, Mathematical Programming 105, 2006.
    """

    kind: ClassVar[str] = "controlled_rounding"
    base: int = 5
    objective: Objective = "random"
    steps: int = 1
    time_limit: float = 60.0

    def __post_init__(self) -> None:
        as_base(self.base)
        if self.objective not in ("random", "nearest"):
            raise InvalidArgument("objective", "must be 'random' or 'nearest'")
        if isinstance(self.steps, bool) or not isinstance(self.steps, int) or not 1 <= self.steps <= 10:
            raise InvalidArgument("steps", "must be a whole number between 1 and 10")
        number = isinstance(self.time_limit, int | float) and not isinstance(self.time_limit, bool)
        if not number or not 0 < self.time_limit <= 1e7:
            raise InvalidArgument("time_limit", "must be a number of seconds above 0")

    def guarantee(self, query: BoundQuery) -> NoFormalGuarantee:
        """Return the rule, and that it bounds nothing."""
        _refuse_unless_counts(query)
        return NoFormalGuarantee(
            f"every count, margin and group is published as a multiple of {self.base} near it, chosen so that all "
            f"totals add up, which tells each of them to less than {self.steps * self.base}"
        )

    def error(self, query: BoundQuery) -> RoundingError:
        """Return the largest error; controlled rounding has no law that is the same for all tables."""
        _refuse_unless_counts(query)
        return RoundingError(query, _laws(query, RoundingLaw(self.base, self.steps * self.base - 1, unbiased=False)))

    def release(self, total: Tally, query: BoundQuery) -> Release:
        """Return the rounded tables.

        Raises
        ------
        PairingRefused
            The query is no table of counts.
        IncompatibleTallies
            `total` answers another question.
        InvalidArgument
            No such table was found; see the class.
        """
        _refuse_unless_counts(query)
        margins = Margins(query.blocks, tuple(split(query.check(total), query.blocks)), query.table_domain)
        table = Table(margins.counts, margins.relations(), integral=True)
        rounded = controlled_rounding(
            table, self.base, objective=self.objective, steps=self.steps, time_limit=float(self.time_limit), gap=1e-3
        )
        parts = [rounded.values[places] for places in margins.places]
        return _release(query, parts, self.error(query).laws, self.guarantee(query))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        names = ("base", "objective", "steps", "time_limit")
        return {"type": self.kind} | {name: getattr(self, name) for name in names}


def _laws(query: BoundQuery, law: RoundingLaw) -> tuple[NoiseLaw, ...]:
    return tuple(law if block.noised else NoNoise() for block in query.blocks)


def _release(
    query: BoundQuery, rounded: Sequence[NDArray[np.int64]], laws: Sequence[NoiseLaw], guarantee: NoFormalGuarantee
) -> Release:
    parts = tuple(Measured(*part) for part in zip(query.blocks, rounded, laws, strict=True))
    return Release(query, parts, (guarantee,))


def _refuse_unless_counts(query: BoundQuery) -> None:
    if not isinstance(query.query, COUNT_TABLES):
        names = ", ".join(kind.__name__ for kind in COUNT_TABLES)
        raise PairingRefused(f"cells of {type(query.query).__name__} are not counts; rounding works on {names}.")
