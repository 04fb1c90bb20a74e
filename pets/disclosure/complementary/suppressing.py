"""`suppress`: which further cells to hide so that no sensitive cell can be worked out."""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from pets.disclosure.attacker import Attacker
from pets.disclosure.auditing import audit
from pets.disclosure.complementary.modelling import costs, parts, problem_of, restricted, sums
from pets.disclosure.complementary.problem import Problem
from pets.disclosure.complementary.result import Suppression
from pets.disclosure.complementary.search import Clock, Report
from pets.disclosure.complementary.solving import Solved, solve
from pets.disclosure.highs import Flags
from pets.disclosure.table import Table
from pets.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterator

Method = Literal["optimal", "fast"]


def suppress(
    table: Table,
    attacker: object = None,
    time_limit: float = 60.0,
    gap: float = 0.0,
    method: Method = "optimal",
    progress: bool | Report = False,
    *,
    cost: str | ArrayLike = "table",
    margins: float = 1.0,
) -> Suppression:
    """Return which cells to hide, at the least cost, so that no sensitive cell of `table` can be worked out.

    Parameters
    ----------
    table
        The true table, with its sensitive cells and their levels.
    attacker
        An :class:`~pets.disclosure.attacker.Attacker`, a mapping of its flags, a preset's name, or ``None`` for
        the default one, who knows the printed zeros and that counts are whole.
    time_limit
        Seconds after which the best pattern so far is taken. The last audit comes on top.
    gap
        Stop when the pattern is proven to cost at most this share more than the cheapest one.
    method
        ``'optimal'`` searches for the cheapest pattern and proves it; ``'fast'`` stops at a good one.
    progress
        ``True`` shows a bar; or a function that is told the stage, the best cost so far and the bound.
    cost
        ``'table'`` (the costs that the table carries), ``'count'``, ``'unit'``, ``'log'``, or one number for each cell.
    margins
        Factor on the cost of cells that are sums of others; 10 hides inner cells first.

    Returns
    -------
    Suppression
        The pattern with its cost and a bound. If time was too short to prove it the cheapest, ``optimal`` is false
        and ``gap`` says how far off it can be.

    Raises
    ------
    InvalidArgument
        An argument is out of range, or no pattern gives a cell the room that is demanded: the message names it.

    Guarantee
    ---------
    Not differential privacy: shown cells are exact. Against the declared attacker no sensitive cell can be
    determined more closely than its levels permit; every pattern is audited before it is returned, by linear
    programs and, where counts are whole, by integer ones.

    References
    ----------
    Fischetti and Salazar-González, "Solving the cell suppression problem on tabular data with linear constraints",
    Management Science 47(7), 2001.

    Examples
    --------
    >>> from pets.disclosure.build import table_of_counts
    >>> axes = [("sex", ["f", "m"]), ("age", ["0-4", "5-9", "10-14"])]
    >>> found = suppress(table_of_counts(axes, [[9, 2, 12], [7, 8, 11]]))
    >>> found.optimal, int(found.secondary.sum())
    (True, 3)
    """
    began = time.monotonic()
    seconds = _number("time_limit", time_limit, 0.0, 1e7)
    share = _number("gap", gap, 0.0, 1.0)
    if method not in get_args(Method):
        raise InvalidArgument("method", "must be 'optimal' or 'fast'")
    if not isinstance(table, Table):
        raise InvalidArgument("table", "must be a pets.disclosure Table", "Read one with read_jj, or build one.")
    who = Attacker.of(attacker)
    problem = problem_of(table, who, costs(table, cost, margins))
    with _shown(progress) as report:
        clock = Clock.of(seconds)
        found = _solve_parts(table, who, problem, clock, share, method, report)
        pattern = _audited(table, who, problem, found, report)
    spent = problem.price(pattern) + float(problem.cost[table.forced & ~table.primary].sum())
    bound = min(spent, found.bound + spent - problem.price(pattern))
    optimal = found.proven and bool((pattern == found.hidden).all())
    values = np.where(pattern, np.nan, table.values)
    names = (table.dimensions, table.codes)
    took = time.monotonic() - began
    exact = spent if optimal else bound
    return Suppression(pattern, table.primary.copy(), values, spent, exact, optimal, who, method, took, *names)


def _solve_parts(
    table: Table, who: Attacker, problem: Problem, clock: Clock, gap: float, method: str, report: Report
) -> Solved:
    """Solve each connected part; costs and bounds add up."""
    hidden, bound, proven = problem.must.copy(), 0.0, True
    pieces = list(parts(problem))
    for number, cells in enumerate(pieces):
        inner = restricted(problem, cells)
        share = Clock.of(max(0.0, clock.left()) / (len(pieces) - number))
        spent = problem.price(hidden)
        tell = partial(_onward, report, spent, bound)
        owners = _owners(table, who)[cells]
        found = solve(inner, share, gap, method, tell, whole=who.integral and table.integral, owners=owners)
        if found.impossible >= 0:
            raise _impossible(table, int(cells[found.impossible]))
        hidden[cells[found.hidden]] = True
        bound += found.bound
        proven = proven and found.proven
    return Solved(hidden, bound, proven)


def _onward(report: Report, spent: float, sure: float, stage: str, cost: float, bound: float) -> None:
    """Report a part's cost and bound on top of what the parts before it have."""
    report(stage, spent + cost, sure + bound)


def _owners(table: Table, who: Attacker) -> Flags:
    """Cells whose only contributor knows them and may use that, (n,)."""
    from pets.disclosure.insiders import sole_contributors

    owners = np.zeros(table.cells, dtype=np.bool_)
    if who.singletons:
        owners[sole_contributors(table, ~table.frozen)] = True
    return owners


def _audited(table: Table, who: Attacker, problem: Problem, found: Solved, report: Report) -> Flags:
    """Return the pattern if the audit finds no leak; else everything that may be hidden, if that withstands it."""
    report("audit", problem.price(found.hidden), found.bound)
    if audit(table, found.hidden, who, thorough=False).safe:
        return found.hidden
    everything = problem.must | problem.free
    last = audit(table, everything, who, thorough=False)
    if last.safe:
        return everything
    cell = last.leaks[0].cell if last.leaks else last.undecided[0]
    raise _impossible(table, int(cell))


def _impossible(table: Table, cell: int) -> InvalidArgument:
    known = bool((sums(table) & table.frozen & (table.values > 0)).any())
    return InvalidArgument(
        "table",
        f"{table.name(cell)} cannot be protected{' while totals are known' if known else ''}: "
        "even with every cell hidden that may be, its range stays narrower than demanded",
        f"{'Let totals be hidden' if known else 'Let more cells be hidden'}, lower the level, or merge categories.",
    )


def _number(name: str, value: float, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise InvalidArgument(name, f"must be a number from {least:g} to {most:g}")
    return float(value)


def _silent(stage: str, cost: float, bound: float) -> None:
    """Take no note."""


@contextmanager
def _shown(progress: bool | Report) -> Iterator[Report]:
    """Turn ``progress=True`` into a bar that tells stage, cost and gap."""
    if callable(progress):
        yield progress
        return
    if progress is not True:
        yield _silent
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), transient=True) as bar:
        task = bar.add_task("suppression", total=1.0)

        def report(stage: str, cost: float, bound: float) -> None:
            known = np.isfinite(cost)
            words = f"{stage}: cost {cost:g}, at least {bound:g}" if known else stage
            bar.update(task, description=words, completed=bound / cost if known and cost > 0 else 0.0)

        yield report
