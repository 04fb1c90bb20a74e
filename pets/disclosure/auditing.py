"""Audit of a suppression pattern: what an attacker can work out, cell by cell, and from what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.attacker import Attacker
from pets.disclosure.certificates import Certificate, certify
from pets.disclosure.equations import equation, number
from pets.disclosure.intervals import Enough, Intervals, Progress, feasible_intervals
from pets.disclosure.protection import Demands, demands
from pets.disclosure.reading import Flags, Reading
from pets.disclosure.system import System, Vector
from pets.disclosure.table import Table
from pets.errors import InvalidArgument

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Leak:
    """A sensitive cell that an attacker can work out, exactly or more closely than is permitted.

    Attributes
    ----------
    cell
        Number of the cell.
    name
        What it is called.
    low, high
        What it must be.
    kind
        ``'exact'``: the value follows. ``'narrow'``: its range is smaller than demanded. ``'insider'``: exact
        for somebody who knows the cell `insider`, being its only contributor. ``'shown'``: it is printed.
    insider
        Number of the cell known to the insider, -1 if there is none.
    """

    cell: int
    name: str
    low: float
    high: float
    kind: str
    insider: int
    _reading: Reading

    @cached_property
    def certificate(self) -> Certificate | None:
        """Proof of the range, checked in exact arithmetic; ``None`` if none was found that is short enough."""
        if self.kind == "shown":
            return None
        system, cells, rows = self._reading.around(self.cell)
        column = int(np.flatnonzero(cells == self.cell)[0])
        lengths = np.diff(self._reading.relations.indptr)[rows].astype(np.float64)
        found = certify(system, column, self.low, self.high, lengths)
        return found if found is not None and found.verify() else None

    @property
    def equation(self) -> str:
        """The proof in one line, e.g. ``T x R1 - A x R1 - B x R1 = 3``."""
        if self.kind == "shown":
            return "it is printed"
        if self.certificate is None:
            return f"{self.name}: every table that fits has {number(self.low)} to {number(self.high)} there"
        return equation(self._reading, self.certificate, self._reading.around(self.cell)[2], self.cell)

    def __str__(self) -> str:
        span = number(self.low) if self.low == self.high else f"{number(self.low)} to {number(self.high)}"
        who = f" for whoever knows {self._reading.name(self.insider)}" if self.insider >= 0 else ""
        return f"{self.name} is {span}{who}: {self.equation}"


@dataclass(frozen=True, eq=False, repr=False)
class Audit:
    """What every hidden cell can be, and which sensitive ones are given away.

    Attributes
    ----------
    cells
        The hidden cells, shape (h,).
    low, high
        Least and largest value of each over all tables that fit, shape (h,).
    settled
        Whether the ends are exact; where not (the time was up) the range can only be narrower.
    sensitive
        Which of them must not become known, shape (h,).
    leaks
        What goes wrong, exact values first.
    undecided
        Sensitive cells that the time did not suffice for.
    attacker
        From whose side it was looked at.
    names
        What each hidden cell is called, shape (h,).

    Notes
    -----
    The ranges and leaks are as confidential as the table itself until the pattern has been mended.
    """

    cells: NDArray[np.intp]
    low: Vector
    high: Vector
    settled: Flags
    sensitive: Flags
    leaks: tuple[Leak, ...]
    undecided: tuple[int, ...]
    attacker: Attacker
    names: tuple[str, ...]

    @property
    def safe(self) -> bool:
        """Whether no sensitive cell leaks and none is undecided, against this attacker."""
        return not self.leaks and not self.undecided

    @property
    def exact(self) -> NDArray[np.intp]:
        """Hidden cells, sensitive or not, whose value follows."""
        return np.asarray(self.cells[self.low == self.high])

    def interval(self, cell: int) -> tuple[float, float]:
        """Return the ends of one hidden cell.

        Raises
        ------
        InvalidArgument
            The cell is not hidden.
        """
        place = int(np.searchsorted(self.cells, cell))
        if place >= len(self.cells) or self.cells[place] != cell:
            raise InvalidArgument("cell", "is not hidden", "Ask for one of `cells`.")
        return float(self.low[place]), float(self.high[place])

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each hidden cell: name, range, whether it is sensitive, and its leak."""
        import pandas as pd

        kinds = {leak.cell: leak.kind for leak in reversed(self.leaks)}
        return pd.DataFrame(
            {
                "cell": self.cells,
                "name": list(self.names),
                "low": self.low,
                "high": self.high,
                "sensitive": self.sensitive,
                "settled": self.settled,
                "leak": [kinds.get(int(cell), "") for cell in self.cells],
            }
        )

    def to_dict(self, certificates: int = 20) -> dict[str, Any]:
        """Return plain data, with an equation for each of the first `certificates` leaks."""
        leaks = [
            {"cell": leak.cell, "name": leak.name, "low": leak.low, "high": leak.high, "kind": leak.kind}
            | ({"because": leak.equation} if place < certificates else {})
            for place, leak in enumerate(self.leaks)
        ]
        ranges = zip(self.names, self.low.tolist(), self.high.tolist(), self.settled.tolist(), strict=True)
        return {
            "no_leak": self.safe,
            "attacker": self.attacker.to_dict(),
            "hidden": len(self.cells),
            "sensitive": int(self.sensitive.sum()),
            "undecided": [int(cell) for cell in self.undecided],
            "leaks": leaks,
            "cells": [{"name": n, "low": a, "high": _finite(b), "settled": s} for n, a, b, s in ranges],
        }

    def __str__(self) -> str:
        exact = sum(leak.kind != "narrow" for leak in self.leaks)
        lines = [
            f"{len(self.cells)} hidden cells, {int(self.sensitive.sum())} sensitive. A reader who {self.attacker}",
            f"works out {exact} of them exactly, and {len(self.leaks) - exact} more closely than permitted."
            if self.leaks
            else "works out none of them.",
        ]
        lines += [f"{len(self.undecided)} could not be decided in the time."] if self.undecided else []
        lines += [f"  {leak}" for leak in self.leaks[:5]]
        lines += [f"  and {len(self.leaks) - 5} more"] if len(self.leaks) > 5 else []
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Audit({len(self.cells)} hidden cells, {len(self.leaks)} leaks, {len(self.undecided)} undecided)"

    def _repr_html_(self) -> str:
        from pets.disclosure.audit_report import audit_html

        return audit_html(self)


def audit(
    table: Table,
    suppressed: object,
    attacker: object = None,
    progress: bool | Progress = False,
    *,
    time_limit: float | None = None,
    thorough: bool = True,
) -> Audit:
    """Return what `attacker` can work out of `table` when the cells `suppressed` are hidden.

    Parameters
    ----------
    table
        The true table.
    suppressed
        Which cells are hidden, bool (n,). Any pattern, from anywhere.
    attacker
        An :class:`Attacker`, a mapping of its flags, a preset's name, or ``None`` for the default one.
    progress
        ``True`` shows a bar; or a function that is told how many ends are settled, of how many.
    time_limit
        Seconds; what is not settled by then is marked, and no sensitive cell counts as protected by default.
    thorough
        ``False`` stops at each cell when its range is seen to be as wide as demanded: enough to know whether
        there is a leak, and much faster for large tables. The ranges are then marked as not settled.

    Raises
    ------
    InvalidArgument
        The pattern does not fit the table, or the attacker is unknown.

    Guarantee
    ---------
    For whole numbers each end of a settled range is attained by a table that was checked in integer
    arithmetic, so a cell is never called protected that is not. A leak carries a proof that is checked in
    exact fractions.

    Examples
    --------
    >>> import numpy as np
    >>> from pets.disclosure.build import table_of_counts
    >>> table = table_of_counts([("sex", ["f", "m"]), ("age", ["0-4", "5-9"])], [[9, 2], [7, 8]])
    >>> print(audit(table, table.primary).leaks[0].equation)
    Total x 5-9 - m x 5-9 = 2
    """
    who = Attacker.of(attacker)
    reading = Reading.of(table, suppressed, who)
    asked = demands(table, who, reading.hidden)
    found = audit_reading(
        reading, table.primary, who, asked, table.values, progress=progress, time_limit=time_limit, thorough=thorough
    )
    found = _with_shown(found, reading, table)
    if not who.singletons:
        return found
    from pets.disclosure.insiders import with_insiders

    return with_insiders(found, reading, table)


def audit_reading(
    reading: Reading,
    sensitive: Flags,
    attacker: Attacker,
    asked: Demands | None = None,
    truth: Vector | None = None,
    *,
    progress: bool | Progress = False,
    time_limit: float | None = None,
    thorough: bool = True,
    width: float = 0.0,
) -> Audit:
    """Return the audit of a publication as it is read, with or without the true values.

    Parameters
    ----------
    reading
        The publication.
    sensitive
        Which cells must not become known, bool (n,).
    attacker
        Who reads it; its knowledge is in `reading` already.
    asked
        How wide ranges must be; without it they must not be exact.
    truth
        True values, shape (n,).
    progress, time_limit, thorough
        As for :func:`audit`.
    width
        How wide ranges must be where `asked` does not say.
    """
    cells, system = reading.cells, reading.system
    part = sensitive[cells]
    unmet = _unmet(asked, cells, truth, width)
    known = None if truth is None else truth[cells]
    with shown(progress, "audit") as report:
        found = _search(system, known, lambda low, high: ~part | ~unmet(low, high), time_limit, report, thorough)
    leaks, undecided = _judge(reading, found, part, unmet)
    names = tuple(reading.name(int(cell)) for cell in cells)
    return Audit(cells, found.low, found.high, found.settled, part, leaks, undecided, attacker, names)


def _with_shown(found: Audit, reading: Reading, table: Table) -> Audit:
    """Add the sensitive cells that are not hidden at all."""
    bare = np.flatnonzero(table.primary & ~reading.hidden)
    values = [float(table.values[cell]) for cell in bare]
    leaks = [
        Leak(int(cell), reading.name(int(cell)), value, value, "shown", -1, reading)
        for cell, value in zip(bare, values, strict=True)
    ]
    return replace(found, leaks=(*leaks, *found.leaks))


def _search(
    system: System, truth: Vector | None, enough: Enough, seconds: float | None, report: Progress | None, thorough: bool
) -> Intervals:
    """Search ranges; if the time is limited, see first whether there is a leak, and then how far each range goes."""
    if thorough and seconds is None:
        return feasible_intervals(system, truth, None, None, report)
    began = monotonic()
    found = feasible_intervals(system, truth, enough, seconds, report)
    left = None if seconds is None else seconds - (monotonic() - began)
    if not thorough or left is None or left <= 0:
        return found
    return feasible_intervals(system, None, None, left, report, start=found)


def _unmet(
    asked: Demands | None, cells: NDArray[np.intp], truth: Vector | None, width: float
) -> Callable[[Vector, Vector], Flags]:
    if asked is None or truth is None:
        return lambda low, high: np.asarray(~(high > low) | (high - low < width))
    own = Demands(asked.lower[cells], asked.upper[cells], asked.sliding[cells])
    values = truth[cells]
    return lambda low, high: own.unmet(values, low, high) | ~(high > low)


def _judge(
    reading: Reading, found: Intervals, sensitive: Flags, unmet: Callable[[Vector, Vector], Flags]
) -> tuple[tuple[Leak, ...], tuple[int, ...]]:
    # proven to be too narrow by what nothing can exceed, proven wide enough by what was attained
    narrow = sensitive & unmet(found.low, found.high)
    doubtful = sensitive & ~narrow & unmet(found.seen_low, found.seen_high)
    leaks = []
    for place in np.flatnonzero(narrow):
        cell, low, high = int(reading.cells[place]), float(found.low[place]), float(found.high[place])
        leaks.append(Leak(cell, reading.name(cell), low, high, "exact" if low == high else "narrow", -1, reading))
    leaks.sort(key=lambda leak: leak.kind != "exact")
    return tuple(leaks), tuple(int(cell) for cell in reading.cells[doubtful])


class shown:  # noqa: N801
    """Turn ``progress=True`` into a bar while something is computed."""

    def __init__(self, progress: bool | Progress, title: str) -> None:
        self._given = progress
        self._title = title
        self._bar: Any = None

    def __enter__(self) -> Progress | None:
        if not isinstance(self._given, bool):
            return self._given
        if not self._given:
            return None
        from rich.progress import Progress as Bar

        self._bar = Bar(transient=True)
        self._bar.start()
        task = self._bar.add_task(self._title, total=None)
        return lambda done, total: self._bar.update(task, completed=done, total=total)

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
