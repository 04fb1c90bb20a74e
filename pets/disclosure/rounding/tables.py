"""Rounding of whole tables, margins included: cell by cell, or controlled so that everything still adds up."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pets.csprng import random_source
from pets.disclosure.rounding.program import Answer, Program, cost_of, cumulative, missing_multiples, solve
from pets.disclosure.rounding.result import Rounded
from pets.disclosure.rounding.single import Ties, as_base, as_counts, round_nearest, round_randomly, uniform_below
from pets.errors import InvalidArgument

if TYPE_CHECKING:
    from pets.disclosure.table import Table

Objective = Literal["nearest", "random"]

_SHARE = 0.6
"""Share of the time that is left for a program which may have no rounding at all."""


def round_table(
    table: Table,
    base: int = 5,
    rule: Literal["random", "nearest"] = "random",
    *,
    ties: Ties = "up",
    insecure_seed: int | None = None,
) -> Rounded:
    """Return the table with each cell, margins included, rounded by itself; the parts need not add up.

    Parameters
    ----------
    table
        A table of counts.
    base
        Whole number of at least 2.
    rule
        ``'random'`` as :func:`round_randomly`, ``'nearest'`` as :func:`round_nearest` with `ties`.
    ties
        For ``'nearest'`` and an even base.
    insecure_seed
        For tests only.

    Raises
    ------
    InvalidArgument
        An argument is not as described, or the table is none of counts.
    """
    counts = as_counts(table.values)
    if rule == "random":
        values = round_randomly(counts, base, insecure_seed=insecure_seed)
    elif rule == "nearest":
        values = round_nearest(counts, base, ties)
    else:
        raise InvalidArgument("rule", "must be 'random' or 'nearest'", "See controlled_rounding() for the third.")
    return Rounded(
        values, int(base), rule, table.relations, ties=ties, dimensions=table.dimensions, codes=table.codes,
        distance=int(np.abs(values - counts).sum()),
    )  # fmt: skip


def controlled_rounding(
    table: Table,
    base: int = 5,
    *,
    objective: Objective = "nearest",
    steps: int | None = None,
    time_limit: float = 60.0,
    gap: float = 0.0,
    insecure_seed: int | None = None,
) -> Rounded:
    """Return the table with every cell a multiple of `base`, such that all relations hold exactly.

    First *zero-restricted*: each cell goes to one of its two neighbouring multiples, multiples stay. This is always
    possible for two-way tables (one of the two ways may be a hierarchy), and nearly always for larger ones. Where it is
    not, cells may move further, as little as possible in all. Published zeros are zeros either way.

    Parameters
    ----------
    table
        A table of counts with any relations: margins, hierarchies, linked tables.
    base
        Whole number of at least 2.
    objective
        ``'nearest'``: the smallest sum of distances to the true counts. It is a function of the table, so a reader
        who knows it may rule out some tables. ``'random'``: as few changes as possible to a random rounding of each
        cell, drawn anew; on average nearly unbiased, at somewhat larger distances.
    steps
        How many multiples a cell may be moved at most: 1 refuses anything but its neighbours, 2 allows the next ones,
        if need be. ``None`` allows what it takes.
    time_limit
        Seconds. The best rounding that is found is returned, with a bound; one that adds up, or none.
    gap
        Relative gap to the optimum at which to stop, e.g. 0.01.
    insecure_seed
        For tests only: makes the random draw reproducible.

    Returns
    -------
    Rounded
        Its relations are checked in exact integers.

    Raises
    ------
    InvalidArgument
        An argument is not as described, the table is none of counts, `base` does not divide a constant of a relation,
        `steps` allows no rounding that adds up, or none was found in time.

    References
    ----------
    Causey, Cox, Ernst, *Applications of transportation theory to statistical problems*, JASA 80, 1985 (two-way tables).
    Salazar-González, *Controlled rounding and cell perturbation*, Mathematical Programming 105, 2006 (any table).
    """
    step, counts = as_base(base), as_counts(table.values)
    if objective not in get_args(Objective):
        raise InvalidArgument("objective", f"must be one of {', '.join(get_args(Objective))}")
    _check_limits(time_limit, gap, steps)
    floor, rest = np.divmod(counts, step)
    program = Program(floor, rest, _targets(rest, step, objective, insecure_seed), table.relations, step)
    missing_multiples(floor, table.relations, step)
    answer = _first_feasible(program, steps, time_limit, gap)
    multiples = floor if answer.multiples is None else answer.multiples
    values = step * multiples
    furthest = int(np.abs(values - counts).max(initial=0))
    return Rounded(
        values, step, "controlled", table.relations, steps=1 + furthest // step,
        dimensions=table.dimensions, codes=table.codes, distance=int(np.abs(values - counts).sum()),
        cost=cost_of(program, multiples), bound=answer.bound, optimal=answer.optimal,
    )  # fmt: skip


def _targets(rest: NDArray[np.int64], base: int, objective: Objective, seed: int | None) -> NDArray[np.int64]:
    if objective == "nearest":
        return rest
    return np.where(uniform_below(base, rest.shape, random_source(seed)) < rest, base, 0)


def _first_feasible(program: Program, steps: int | None, time_limit: float, gap: float) -> Answer:
    """Return a rounding in the narrowest program that has one, as far as the time tells."""
    end = time.monotonic() + time_limit
    # All zeros always add up when no constant stands in the way, so the widest program has a rounding.
    widest = int(program.floor.max(initial=0)) + 1 if steps is None else steps - 1
    answer = Answer(None)
    for further in sorted({0, min(1, widest), widest}):
        program = replace(program, further=further)
        left = max(end - time.monotonic(), min(1.0, time_limit))
        last = further == widest
        start = cumulative(program) if last and steps is None and further else None
        answer = solve(program, left if last else _SHARE * left, gap, start)
        if answer.multiples is not None:
            return answer
    if answer.infeasible:
        near = "next to" if steps == 1 else f"within {steps} steps of"
        raise InvalidArgument(
            "steps", f"allows no rounding: no multiples of {program.base} {near} the counts add up", "Allow one more."
        )
    raise InvalidArgument("time_limit", "is too short to find a rounding that adds up", "Give more seconds.")


def _check_limits(time_limit: float, gap: float, steps: int | None) -> None:
    for name, value, least, most in (("time_limit", time_limit, 0.0, 1e7), ("gap", gap, 0.0, 1.0)):
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not number or not least <= value <= most or (name == "time_limit" and value == 0):
            raise InvalidArgument(name, f"must be a number {'above' if name == 'time_limit' else 'from'} 0")
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= 1000):
        raise InvalidArgument("steps", "must be a whole number of at least 1, or None")
