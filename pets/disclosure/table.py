"""A published table as an attacker sees it: cells, the sums that tie them, and what must not become known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pets.disclosure.relations import Relations
from pets.disclosure.selection import cells_with
from pets.errors import InvalidArgument, RangeOverflow

LARGEST = 2.0**53
"""Whole numbers beyond this are not exact in floating point, in which the solvers compute."""

TOLERANCE = 1e-7
"""How far a margin of a magnitude table may be from its parts, as a share of the sum of their sizes."""


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Table:
    """Cells of one or more linked tables, margins included, with what is sensitive among them.

    Parameters
    ----------
    values
        True value of each cell, shape (n,). Exact whole numbers when `integral`.
    relations
        What adds up to what; every true value must satisfy them.
    primary
        Cells that a rule calls sensitive, bool (n,). They must be hidden and stay uncertain.
    frozen
        Cells that must be shown, e.g. zeros or totals that are known anyway, bool (n,).
    forced
        Cells that must be hidden without being sensitive themselves, bool (n,).
    cost
        What it costs to hide a cell, (n,), not negative; the value (at least 1 for counts) if left out.
    lower, upper
        Bounds that anybody knows beforehand, (n,); 0 and infinity if left out.
    lower_protection, upper_protection
        How far below and above the true value a primary must remain possible, (n,); 0 if left out.
    sliding_protection
        Least width of the range in which a primary must remain uncertain, (n,). If left out: 1 for
        primaries of counts, a tenth of the value for primaries of magnitudes.
    integral
        Whether all cells are whole numbers. If left out, it is read from the values.
    contributors
        How many contributors (patients, firms) each cell has, int (n,), where that is known.
    dimensions
        Names of the dimensions.
    codes
        For each dimension the label of every cell, shape (n,) each.
    primary_range
        What the rule itself tells of a primary: ``(1, 4)`` when counts below 5 are hidden and zeros shown.
    printed
        Cells in whose place something is printed, a number or a symbol, bool (n,); all if left out. The others only
        tie printed ones together.

    Raises
    ------
    InvalidArgument
        Arrays of the wrong length or type, NaN, a negative cell (below its a-priori bound), margins that
        do not add up, a duplicated cell, a cell both `frozen` and to be hidden.
    RangeOverflow
        A count, or a sum of counts in a relation, exceeds 2**53.

    Examples
    --------
    >>> rows = Relations.from_rows([([0, 1, 2], [-1, 1, 1], 0)])
    >>> Table([9, 2, 7], rows, primary=[False, True, False])
    Table(3 cells, 1 relations, 1 primary)
    """

    values: NDArray[np.float64]
    relations: Relations
    primary: NDArray[np.bool_]
    frozen: NDArray[np.bool_]
    forced: NDArray[np.bool_]
    cost: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    lower_protection: NDArray[np.float64]
    upper_protection: NDArray[np.float64]
    sliding_protection: NDArray[np.float64]
    integral: bool
    contributors: NDArray[np.int64] | None
    dimensions: tuple[str, ...]
    codes: tuple[NDArray[np.str_], ...]
    primary_range: tuple[int, int] | None
    printed: NDArray[np.bool_]

    def __init__(
        self,
        values: ArrayLike,
        relations: Relations,
        primary: ArrayLike | None = None,
        frozen: ArrayLike | None = None,
        forced: ArrayLike | None = None,
        cost: ArrayLike | None = None,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        lower_protection: ArrayLike | None = None,
        upper_protection: ArrayLike | None = None,
        sliding_protection: ArrayLike | None = None,
        integral: bool | None = None,
        contributors: ArrayLike | None = None,
        dimensions: Sequence[str] = (),
        codes: Sequence[ArrayLike] = (),
        primary_range: tuple[int, int] | None = None,
        printed: ArrayLike | None = None,
    ) -> None:
        cells = _numbers("values", values, None, 0.0)
        n = len(cells)
        whole = bool((cells == np.rint(cells)).all()) if integral is None else integral
        marked = _flags("primary", primary, n)
        width = np.where(marked, 1.0 if whole else 0.1 * np.abs(cells), 0.0)
        given: dict[str, object] = {
            "values": cells,
            "primary": marked,
            "frozen": _flags("frozen", frozen, n),
            "forced": _flags("forced", forced, n),
            "printed": _flags("printed", np.ones(n, dtype=np.bool_) if printed is None else printed, n),
            "cost": _numbers("cost", cost, n, np.maximum(np.abs(cells), 1.0) if whole else np.abs(cells)),
            "lower": _numbers("lower", lower, n, 0.0, infinite=True),
            "upper": _numbers("upper", upper, n, np.inf, infinite=True),
            "lower_protection": _numbers("lower_protection", lower_protection, n, 0.0),
            "upper_protection": _numbers("upper_protection", upper_protection, n, 0.0),
            "sliding_protection": _numbers("sliding_protection", sliding_protection, n, width),
            "contributors": None if contributors is None else _counts("contributors", contributors, n),
            "codes": tuple(_labels(f"codes.{i}", c, n) for i, c in enumerate(codes)),
        }
        for name, value in given.items():
            object.__setattr__(self, name, _fixed(value))
        for name, plain in (("relations", relations), ("integral", whole), ("dimensions", tuple(dimensions))):
            object.__setattr__(self, name, plain)
        object.__setattr__(self, "primary_range", None if primary_range is None else tuple(primary_range))
        self.check()

    @property
    def cells(self) -> int:
        """Number of cells."""
        return len(self.values)

    def name(self, cell: int) -> str:
        """Return what to call a cell in messages, without its value: ``site=Ia, age=0-4`` or ``cell 12``."""
        if not self.codes:
            return f"cell {cell}"
        return ", ".join(f"{d}={c[cell]}" for d, c in zip(self.dimensions, self.codes, strict=True))

    def where(self, codes: Mapping[str, str | Sequence[str]]) -> NDArray[np.bool_]:
        """Return which cells have one of these codes in each of the dimensions named, bool (n,).

        Raises
        ------
        InvalidArgument
            There is no such dimension or code.
        """
        return cells_with(self.dimensions, self.codes, codes)

    def __repr__(self) -> str:
        return f"Table({self.cells} cells, {self.relations.count} relations, {int(self.primary.sum())} primary)"

    def check(self) -> None:
        """Raise a typed error for whatever keeps this from being a table; called at construction."""
        self._check_form()
        self._check_values()
        self._check_margins()

    def _check_form(self) -> None:
        if not self.cells:
            raise InvalidArgument("values", "has no cells")
        if len(self.dimensions) != len(self.codes):
            raise InvalidArgument("dimensions", f"must name each of the {len(self.codes)} columns of codes")
        if self.relations.indices.max(initial=-1) >= self.cells:
            raise InvalidArgument("relations", f"names a cell beyond the {self.cells} that there are")
        clash = np.flatnonzero(self.frozen & (self.primary | self.forced))
        if clash.size:
            problem = f"holds {self.name(int(clash[0]))}, which must be hidden"
            raise InvalidArgument("frozen", problem, "Release the cell, or publish a coarser table.")
        if self.codes:
            _, first = np.unique(np.stack(self.codes), axis=1, return_index=True)
            if len(first) < self.cells:
                twice = np.setdiff1d(np.arange(self.cells), first)[0]
                problem = f"names the cell {self.name(int(twice))} twice"
                raise InvalidArgument("codes", problem, "Add the rows up, or give them different codes.")
        if self.primary_range is not None and not 0 <= self.primary_range[0] <= self.primary_range[1]:
            raise InvalidArgument("primary_range", "must be two numbers in order, e.g. (1, 4)")

    def _check_values(self) -> None:
        if self.integral and not (self.values == np.rint(self.values)).all():
            raise InvalidArgument("values", "has parts of units in a table of counts", "Set integral=False.")
        if self.integral and np.abs(self.values).max() > LARGEST:
            raise RangeOverflow("a count is beyond 2**53, where floating point is no longer exact.")
        for name in ("cost", "lower_protection", "upper_protection", "sliding_protection"):
            if getattr(self, name).min() < 0:
                raise InvalidArgument(name, "must not be negative")
        below = np.flatnonzero(self.values < self.lower)
        if below.size:
            cell = int(below[0])
            problem = "is negative" if self.lower[cell] == 0 else "is below its a-priori bound"
            raise InvalidArgument("values", f"{self.name(cell)} {problem}", "Correct it, or state a lower bound.")
        above = np.flatnonzero(self.values > self.upper)
        if above.size:
            raise InvalidArgument("values", f"{self.name(int(above[0]))} is above its a-priori bound")

    def _check_margins(self) -> None:
        rows = self.relations
        sizes = np.bincount(rows.rows, weights=np.abs(self.values[rows.indices]), minlength=rows.count)
        if self.integral and sizes.max(initial=0.0) > LARGEST:
            raise RangeOverflow("a sum of counts is beyond 2**53, where floating point is no longer exact.")
        slack = 0.0 if self.integral else TOLERANCE * np.maximum(sizes, 1.0)
        wrong = np.flatnonzero(np.abs(rows.residuals(self.values)) > slack)
        if wrong.size:
            cells, signs, _ = rows.row(int(wrong[0]))
            lone = cells[signs == -1] if (signs == -1).sum() == 1 else cells
            raise InvalidArgument(
                "relations",
                f"do not hold: {self.name(int(lone[0]))} is not the sum of its parts (relation {wrong[0]}, and "
                f"{wrong.size - 1} more)",
                "Compute the margins from the inner cells.",
            )


def _numbers(
    name: str, value: ArrayLike | None, n: int | None, default: ArrayLike, *, infinite: bool = False
) -> NDArray[np.float64]:
    """Return a vector of length `n` of numbers that are finite, or at least not NaN."""
    try:
        found = np.asarray(default if value is None else value, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidArgument(name, "must be a vector of numbers") from None
    if n is not None and found.ndim == 0:
        found = np.full(n, found)
    if found.ndim != 1 or (n is not None and len(found) != n):
        raise InvalidArgument(name, "must be a vector with one number for each cell")
    missing = np.isnan(found) if infinite else ~np.isfinite(found)
    if missing.any():
        cell = int(np.flatnonzero(missing)[0])
        raise InvalidArgument(name, f"cell {cell} is missing or infinite", "Give every cell a number; empty means 0.")
    return found


def _flags(name: str, value: ArrayLike | None, n: int) -> NDArray[np.bool_]:
    found = np.zeros(n, dtype=np.bool_) if value is None else np.asarray(value)
    if found.shape != (n,) or found.dtype != np.bool_:
        raise InvalidArgument(name, "must be a vector with True or False for each cell")
    return found


def _counts(name: str, value: ArrayLike, n: int) -> NDArray[np.int64]:
    found = np.asarray(value)
    if found.shape != (n,) or found.dtype.kind not in "iu" or found.min(initial=0) < 0:
        raise InvalidArgument(name, "must be a vector with a whole number, not negative, for each cell")
    return found.astype(np.int64)


def _labels(name: str, value: ArrayLike, n: int) -> NDArray[np.str_]:
    found = np.asarray(value).astype(np.str_)
    if found.shape != (n,):
        raise InvalidArgument(name, "must be a vector with one label for each cell")
    return found


def _fixed(value: object) -> object:
    """Return a copy of an array that cannot be written to; a frozen table stays as it was checked."""
    if isinstance(value, tuple):
        return tuple(_fixed(part) for part in value)
    if not isinstance(value, np.ndarray):
        return value
    copy = value.copy()
    copy.flags.writeable = False
    return copy
