"""What somebody who reads the published table knows, and wants to undo its suppression with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.errors import InvalidArgument, did_you_mean

if TYPE_CHECKING:
    from pets.disclosure.table import Table

Bounds = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Attacker:
    """Somebody who knows the published cells, how cells add up, the a-priori bounds of the table, and more.

    Parameters
    ----------
    zeros_known
        The reader knows that empty cells are printed as 0, so that every hidden count is 1 or more. Switch it
        off only if empty cells are hidden too.
    symbols_differ
        The reader can tell a primary from a complementary suppression, for instance because the one is printed
        as ``<5`` and the other as ``*``. A primary is then known to lie in the rule's range, any other hidden
        cell outside it.
    integral
        The reader knows that counts are whole numbers.
    singletons
        Whoever contributed the whole of a hidden cell (a clinic, a family) knows it, and uses it against the
        others. Each such cell is taken as known in turn.

    Notes
    -----
    Knowledge that is false of a pattern cannot be had of it: if some printed cell is empty and hidden, nobody is
    assumed to know that none is, and of a cell that contradicts the rule's range its symbol tells nothing. A
    cell that is printed nowhere bears no symbol; the other cells' symbols are read all the same.
    Knowledge from outside the table beyond the above (a newspaper report, the details of the algorithm
    that chose the pattern) is not modelled.

    Examples
    --------
    >>> Attacker.of("classic") == Attacker.CLASSIC
    True
    >>> Attacker.of({"symbols_differ": True}).zeros_known
    True
    """

    zeros_known: bool = True
    symbols_differ: bool = False
    integral: bool = True
    singletons: bool = False

    CLASSIC: ClassVar[Attacker]
    """Knows sums and non-negativity only, as the established tools assume."""
    STRONGEST: ClassVar[Attacker]
    """Knows the printed zeros, the rule, and which symbol stands for what."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if not isinstance(getattr(self, field.name), bool):
                raise InvalidArgument(f"attacker.{field.name}", "must be True or False")

    @classmethod
    def of(cls, given: object = None) -> Attacker:
        """Return an attacker from ``None`` (the default one), an attacker, a mapping of flags, or a preset's name.

        Raises
        ------
        InvalidArgument
            The preset or a flag is unknown.
        """
        if given is None:
            return cls()
        if isinstance(given, cls):
            return given
        if isinstance(given, str):
            if given.lower() not in PRESETS:
                raise InvalidArgument("attacker", f"there is no preset {given!r}", did_you_mean(given.lower(), PRESETS))
            return PRESETS[given.lower()]
        if isinstance(given, Mapping):
            names = [field.name for field in fields(cls)]
            for key in given:
                if key not in names:
                    raise InvalidArgument(f"attacker.{key}", "is unknown", did_you_mean(str(key), names))
            return cls(**given)
        raise InvalidArgument("attacker", "must be an Attacker, a mapping of its flags, or the name of a preset")

    def bounds(self, table: Table, suppressed: NDArray[np.bool_]) -> Bounds:
        """Return what is known of each cell before anything is added up.

        Parameters
        ----------
        table
            The true table with n cells.
        suppressed
            Shape (n,), ``True`` where a cell is hidden.

        Returns
        -------
        lower, upper
            Shape (n,). Both are the value where a cell is shown.
        """
        lower = np.where(suppressed, table.lower, table.values)
        upper = np.where(suppressed, table.upper, table.values)
        if self.integral and table.integral:
            np.ceil(lower, where=suppressed, out=lower)
            np.floor(upper, where=suppressed, out=upper)
        if self.no_zero_hidden(table, suppressed):
            np.maximum(lower, 1.0, where=suppressed & table.printed, out=lower)
        self._apply_symbols(table, self.reads_symbols(table, suppressed), lower, upper)
        return lower, upper

    def no_zero_hidden(self, table: Table, suppressed: NDArray[np.bool_]) -> bool:
        """Return whether this attacker knows that every hidden count is 1 or more, if it is printed at all."""
        return self.zeros_known and table.integral and not bool(np.any(table.values[suppressed & table.printed] < 1))

    def reads_symbols(self, table: Table, suppressed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return of which hidden cells, shape (n,), the symbol tells this attacker whether it lies in the range."""
        if not self.symbols_differ or table.primary_range is None:
            return np.zeros(table.cells, dtype=np.bool_)
        low, high = table.primary_range
        inside = (table.values >= low) & (table.values <= high)
        return np.asarray(suppressed & table.printed & (inside == table.primary))

    def _apply_symbols(
        self, table: Table, read: NDArray[np.bool_], lower: NDArray[np.float64], upper: NDArray[np.float64]
    ) -> None:
        low, high = table.primary_range or (0, 0)
        primary, other = read & table.primary, read & ~table.primary
        np.maximum(lower, float(low), where=primary, out=lower)
        np.minimum(upper, float(high), where=primary, out=upper)
        # Where a secondary may lie below the range (be empty, say), the hull of what is left is everything from there.
        np.maximum(lower, float(high + 1), where=other & (lower >= low), out=lower)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    def __str__(self) -> str:
        known = ["margins", "bounds"]
        known += ["printed zeros"] if self.zeros_known else []
        known += ["the rule and its symbols"] if self.symbols_differ else []
        known += ["whole numbers"] if self.integral else []
        known += ["one's own cell"] if self.singletons else []
        return "knows " + ", ".join(known)


Attacker.CLASSIC = Attacker(zeros_known=False, symbols_differ=False, integral=False)
Attacker.STRONGEST = Attacker(zeros_known=True, symbols_differ=True, integral=True)

PRESETS: dict[str, Attacker] = {
    "default": Attacker(),
    "classic": Attacker.CLASSIC,
    "strongest": Attacker.STRONGEST,
}
"""Attackers by name."""
