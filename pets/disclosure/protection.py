"""How wide an attacker's interval for each sensitive cell must be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.attacker import Attacker
from pets.errors import InvalidArgument

if TYPE_CHECKING:
    from pets.disclosure.table import Table

LEAST_WIDTH = 2.0
"""Width demanded of every hidden count against an attacker who knows more than sums: at least three values are left."""

LEAST_SHARE = 0.2
"""Width demanded of a hidden magnitude whose table sets no level, as a share of its value (10 % to each side)."""

SLACK = 1e-9
"""Relative tolerance when real-valued interval ends are compared with a level."""


@dataclass(frozen=True, slots=True, eq=False)
class Demands:
    """The levels that must hold for each sensitive cell, shape (n,) each; 0 where nothing is demanded.

    Parameters
    ----------
    lower
        How far below the true value the interval must reach.
    upper
        How far above the true value the interval must reach.
    sliding
        How wide the interval must be, wherever the true value lies in it.
    """

    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    sliding: NDArray[np.float64]

    def unmet(
        self, values: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Return where intervals `low` to `high` around `values` fall short of a level; all shapes are (n,)."""
        slack = SLACK * np.maximum(1.0, np.abs(values))
        return np.asarray(
            (values - low < self.lower - slack) | (high - values < self.upper - slack)
            | (high - low < self.sliding - slack)
        )  # fmt: skip


def demands(table: Table, attacker: Attacker, suppressed: NDArray[np.bool_] | None = None) -> Demands:
    """Return the levels that `table` demands of its sensitive cells against `attacker`.

    Against an attacker who only adds up, these are the table's own three levels; a sensitive cell without any level
    must still not be exact. Against one who also knows the printed zeros or the symbols, a level to
    each side cannot always be had: a margin of 4 that is 1 + 1 + 1 + 1 cannot go down when no hidden cell is 0. There
    the two levels are demanded as a width instead, of whole counts in a table of counts (1.2 each way is 2),
    of at least 2, and at most of what the rule leaves open to everybody (1 to 4 is a width of 3).

    Parameters
    ----------
    table
        The table with n cells.
    attacker
        Who is to be kept from knowing.
    suppressed
        The pattern; all cells that may be hidden unless given. Levels that a given pattern cannot reach are for
        its audit to report.

    Raises
    ------
    InvalidArgument
        The table's bounds or rule alone give a sensitive cell away further than its sliding level permits.
    """
    primary = table.primary
    none = np.zeros(primary.size)
    if not (attacker.zeros_known or attacker.symbols_differ):
        lower, upper = np.where(primary, table.lower_protection, 0.0), np.where(primary, table.upper_protection, 0.0)
        sliding = np.where(primary, table.sliding_protection, 0.0)
        bare = primary & (lower + upper + sliding == 0.0)
        return Demands(lower, upper, np.where(bare, _least(table, 1.0), sliding))
    hidden = hideable(table, attacker) if suppressed is None else suppressed
    low, high = attacker.bounds(table, hidden)
    room = np.where(primary, high - low, 0.0)
    sliding = np.ceil(table.sliding_protection) if table.integral else table.sliding_protection
    if suppressed is None:
        _refuse(table, primary & ((room < sliding) | (room <= 0.0)))
    width = np.maximum(_sides(table), _least(table, LEAST_WIDTH))
    return Demands(none, none, np.where(primary, np.maximum(sliding, np.minimum(width, room)), 0.0))


def hideable(table: Table, attacker: Attacker) -> NDArray[np.bool_]:
    """Return the cells, shape (n,), that a pattern against `attacker` may hide, sensitive ones included.

    Where the reader is told that zeros are printed, an empty cell cannot be hidden as a complement: the promise
    would be broken, or the reader misled. It can if the rule itself or the caller hides an empty cell.
    """
    must = table.primary | table.forced
    may = must | ~table.frozen
    zero = table.values == 0
    if attacker.zeros_known and table.integral and not bool(np.any(must & zero & table.printed)):
        may &= ~zero
    return may


def _least(table: Table, counts: float) -> NDArray[np.float64]:
    if table.integral:
        return np.full(table.values.size, counts)
    return LEAST_SHARE * np.maximum(np.abs(table.values), np.finfo(np.float64).tiny)


def _sides(table: Table) -> NDArray[np.float64]:
    """Both levels together, in whole counts where counts are whole."""
    if table.integral:
        return np.floor(table.lower_protection) + np.floor(table.upper_protection)
    return table.lower_protection + table.upper_protection


def _refuse(table: Table, impossible: NDArray[np.bool_]) -> None:
    if not impossible.any():
        return
    cell = int(np.flatnonzero(impossible)[0])
    more = f" (and {int(impossible.sum()) - 1} more)" if impossible.sum() > 1 else ""
    raise InvalidArgument(
        "table",
        f"{table.name(cell)}{more} cannot be protected: what everybody knows of it leaves less room than its level "
        "demands",
        "Lower the level, print one symbol for all hidden cells, or widen the rule.",
    )
