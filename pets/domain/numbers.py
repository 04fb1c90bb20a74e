"""Numbers with public bounds: whole ones, and fixed-point ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from numbers import Integral
from typing import Any, ClassVar

from pets.domain.base import BaseAttribute, HierarchyLike
from pets.domain.hierarchy import Hierarchy
from pets.domain.labels import LIMIT, MAX_LABELS, UNKNOWN, InvalidPolicy, Label, as_sequence, spelling
from pets.errors import InvalidArgument
from pets.exact import Number, as_text, exact, positive

_DIGITS = re.compile(r"-?(0|[1-9][0-9]*)")


@dataclass(frozen=True, slots=True, init=False)
class Integer(BaseAttribute):
    """A column of whole numbers with inclusive public bounds.

    Parameters
    ----------
    lower, upper
        Smallest and largest value, both possible; below 2**53 in size.
    bins
        Edges as in :func:`numpy.histogram`: strictly increasing from `lower` to `upper`; each bin
        holds its lower edge and not its upper one, except the last, which holds both. ``[0, 5, 10, 15, 19]`` is
        0-4, 5-9, 10-14, 15-19. ``None`` makes each number a bin of its own.
    hierarchy
        Coarser levels over the bins.
    invalid, invalid_label
        What happens to nulls and values out of range, see :class:`~pets.domain.base.BaseAttribute`;
        ``'clamp'`` is allowed.

    Raises
    ------
    InvalidArgument
        Bounds, bins, policy or hierarchy contradict the rules above.

    Examples
    --------
    >>> Integer(0, 19, bins=[0, 5, 10, 15, 19]).key_labels
    ('0-4', '5-9', '10-14', '15-19')
    """

    type: ClassVar[str] = "integer"
    policies: ClassVar[tuple[str, ...]] = (*BaseAttribute.policies, "clamp")

    lower: int
    upper: int
    bins: tuple[int, ...] | None
    hierarchy: Hierarchy | None
    invalid: InvalidPolicy
    invalid_label: Label

    def __init__(
        self,
        lower: int,
        upper: int,
        *,
        bins: Sequence[int] | None = None,
        hierarchy: HierarchyLike | None = None,
        invalid: InvalidPolicy = "drop",
        invalid_label: Label = UNKNOWN,
    ) -> None:
        low, high = _whole(lower, "lower"), _whole(upper, "upper")
        if low > high:
            raise InvalidArgument("upper", "is below lower", "Exchange the two.")
        self._set(lower=low, upper=high, bins=None)
        if bins is not None:
            edges = tuple(_whole(edge, f"bins.{i}") for i, edge in enumerate(as_sequence(bins, "bins")))
            _check_edges(edges, low, high)
            self._set(bins=edges)
        self._declare(invalid, invalid_label, hierarchy)

    @property
    def is_key(self) -> bool:
        """Whether there are bins or few enough numbers."""
        return self.bins is not None or self.upper - self.lower < MAX_LABELS

    @property
    def labels(self) -> tuple[Label, ...]:
        """Labels of the bins, or the numbers themselves if there are no bins."""
        if self.bins is not None:
            return tuple(_whole_bins(self.bins))
        if not self.is_key:
            raise InvalidArgument(
                "bins", f"are needed: there are more than {MAX_LABELS:,} numbers", "Declare bins=[...]."
            )
        return tuple(range(self.lower, self.upper + 1))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for TOML, JSON and hashing."""
        found: dict[str, Any] = {"type": self.type, "lower": self.lower, "upper": self.upper}
        if self.bins is not None:
            found["bins"] = list(self.bins)
        return found | self._common()

    def _is_taken(self, label: Label) -> bool:
        if self.bins is not None:
            return spelling(label) in self.labels
        text = spelling(label)
        return _DIGITS.fullmatch(text) is not None and self.lower <= int(text) <= self.upper


@dataclass(frozen=True, slots=True, init=False)
class Numeric(BaseAttribute):
    """A column of numbers on a public fixed-point grid.

    A value is rounded to the nearest multiple of `resolution` and from then on is a whole number of units.

    Parameters
    ----------
    lower, upper
        Inclusive bounds: exact multiples of `resolution`, below 2**53 of it in size.
    resolution
        Width of the grid; the text ``"0.1"`` and the float ``0.1`` are both exactly one tenth.
    bins
        Edges as for :class:`Integer`, multiples of `resolution`. ``None``: the column can be summed, but
        no table can be made by it.
    hierarchy
        Coarser levels over the bins.
    invalid, invalid_label
        What happens to nulls and values out of range, see :class:`~pets.domain.base.BaseAttribute`;
        ``'clamp'`` is allowed.

    Raises
    ------
    InvalidArgument
        Bounds, resolution, bins, policy or hierarchy contradict the rules above.

    Examples
    --------
    >>> Numeric(0, 5, resolution="0.1", bins=[0, 2.5, 5]).key_labels
    ('[0, 2.5)', '[2.5, 5]')
    """

    type: ClassVar[str] = "numeric"
    policies: ClassVar[tuple[str, ...]] = Integer.policies

    lower: Fraction
    upper: Fraction
    resolution: Fraction
    bins: tuple[Fraction, ...] | None
    hierarchy: Hierarchy | None
    invalid: InvalidPolicy
    invalid_label: Label

    def __init__(
        self,
        lower: Number,
        upper: Number,
        *,
        resolution: Number,
        bins: Sequence[Number] | None = None,
        hierarchy: HierarchyLike | None = None,
        invalid: InvalidPolicy = "drop",
        invalid_label: Label = UNKNOWN,
    ) -> None:
        grid = positive(resolution, "resolution")
        if max(grid.numerator, grid.denominator) >= LIMIT:
            raise InvalidArgument("resolution", "must be a ratio of whole numbers below 2**53")
        low, high = _on_grid(lower, grid, "lower"), _on_grid(upper, grid, "upper")
        if low > high:
            raise InvalidArgument("upper", "is below lower", "Exchange the two.")
        if high - low >= LIMIT * grid:
            raise InvalidArgument("resolution", "is too fine: 2**53 steps or more lie between the bounds")
        self._set(lower=low, upper=high, resolution=grid, bins=None)
        if bins is not None:
            edges = tuple(_on_grid(edge, grid, f"bins.{i}") for i, edge in enumerate(as_sequence(bins, "bins")))
            _check_edges(edges, low, high)
            self._set(bins=edges)
        self._declare(invalid, invalid_label, hierarchy)

    @property
    def is_key(self) -> bool:
        """Whether there are bins."""
        return self.bins is not None

    @property
    def labels(self) -> tuple[Label, ...]:
        """Labels of the bins."""
        if self.bins is None:
            raise InvalidArgument("bins", "are needed to make a table by this number", "Declare bins=[...].")
        texts = [as_text(edge) for edge in self.bins]
        closing = [")"] * (len(texts) - 2) + ["]"]
        return tuple(f"[{low}, {high}{end}" for (low, high), end in zip(pairwise(texts), closing, strict=True))

    @property
    def lower_units(self) -> int:
        """Lower bound as a multiple of the resolution."""
        return int(self.lower / self.resolution)

    @property
    def upper_units(self) -> int:
        """Upper bound as a multiple of the resolution."""
        return int(self.upper / self.resolution)

    @property
    def bin_units(self) -> tuple[int, ...] | None:
        """Edges of the bins as multiples of the resolution."""
        return None if self.bins is None else tuple(int(edge / self.resolution) for edge in self.bins)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for TOML, JSON and hashing; a number that is not whole becomes exact text."""
        found: dict[str, Any] = {
            "type": self.type,
            "lower": _plain(self.lower),
            "upper": _plain(self.upper),
            "resolution": _plain(self.resolution),
        }
        if self.bins is not None:
            found["bins"] = [_plain(edge) for edge in self.bins]
        return found | self._common()


def _whole(value: object, argument: str) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InvalidArgument(argument, f"must be a whole number, not {type(value).__name__}")
    if not -LIMIT < int(value) < LIMIT:
        raise InvalidArgument(argument, "must be below 2**53 in size")
    return int(value)


def _on_grid(value: object, grid: Fraction, argument: str) -> Fraction:
    number = exact(value, argument)
    if (number / grid).denominator != 1:
        raise InvalidArgument(argument, f"must be a multiple of the resolution {as_text(grid)}")
    if abs(number) >= LIMIT * grid:
        raise InvalidArgument(argument, f"must be below 2**53 steps of the resolution {as_text(grid)}")
    return number


def _check_edges(edges: Sequence[int | Fraction], lower: object, upper: object) -> None:
    if not 2 <= len(edges) <= MAX_LABELS + 1:
        raise InvalidArgument("bins", f"must have 2 to {MAX_LABELS + 1:,} edges")
    for i, (left, right) in enumerate(pairwise(edges)):
        if left >= right:
            raise InvalidArgument(
                f"bins.{i + 1}", "is not above the edge before it", "List the edges in increasing order."
            )
    if edges[0] != lower:
        raise InvalidArgument("bins.0", "is not the lower bound", "Begin the bins at lower.")
    if edges[-1] != upper:
        raise InvalidArgument(
            f"bins.{len(edges) - 1}", "is not the upper bound", "End the bins at upper; the last bin holds it."
        )


def _whole_bins(edges: Sequence[int]) -> list[str]:
    """Return ``0-4`` for the numbers 0 to 4, ``7`` for one number, and ``-5 to -1`` where a sign would confuse."""
    between = "-" if edges[0] >= 0 else " to "
    tops = [*(edge - 1 for edge in edges[1:-1]), edges[-1]]
    return [str(low) if low == top else f"{low}{between}{top}" for low, top in zip(edges, tops, strict=False)]


def _plain(number: Fraction) -> int | str:
    return number.numerator if number.denominator == 1 and abs(number) < LIMIT else as_text(number)
