"""The recoding planner: the least loss of detail after which there is nothing to suppress, or little enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.grids import TOTAL, grid_table, is_inner, with_margins
from pets.disclosure.microdata.codes import Coded
from pets.disclosure.microdata.frame import column_name, key_names, open_rows
from pets.disclosure.recoding.ladders import Ladder, categories_of, ladder
from pets.disclosure.recoding.lattice import MAX_NODES, Lattice, Node, admissible, by_bound
from pets.disclosure.recoding.loss import bits_told
from pets.disclosure.recoding.progress import Progress, counting
from pets.disclosure.recoding.result import Choice, RecodingPlan
from pets.disclosure.rounding.single import as_counts
from pets.domain import Domain, Label
from pets.errors import DataError, InvalidArgument, did_you_mean

if TYPE_CHECKING:
    from pets.disclosure.table import Table

Zeros = Literal["publish", "suppress"]
Suppressor = Callable[["Table"], NDArray[np.bool_]]
"""Returns which cells of a table to hide, primaries included."""


def plan_recoding(
    frame: object,
    by: Sequence[str] | str,
    *,
    count: str | None = None,
    levels: Mapping[str, Any] | None = None,
    domain: Domain | None = None,
    minimum: int = 5,
    zeros: Zeros = "publish",
    fixed: Sequence[str] = (),
    drop: bool = True,
    small_cells: int = 0,
    suppression: bool | Suppressor = False,
    alternatives: int = 5,
    progress: bool | Progress = False,
) -> RecodingPlan:
    """Return the coarsening of a table that leaves nothing to suppress and loses the least.

    Every combination of one level for each dimension is considered; none of them that fulfils the demand loses less.

    Parameters
    ----------
    frame
        Rows of patients, or with `count` a table of counts: any data frame that narwhals supports.
    by
        Dimensions of the table.
    count
        Column with the counts; combinations that are not listed count 0.
    levels
        For each dimension that may be collapsed: a :class:`pets.Hierarchy`, or a mapping of each level to its groups
        and of each group to its members; :func:`pool` makes one of years or ages.
    domain
        Declares the categories, and brings the hierarchies of its attributes where `levels` gives none. If left out,
        the categories that occur are used.
    minimum
        Smallest count that may be shown, at least 2.
    zeros
        ``'publish'``: empty cells may be shown. ``'suppress'``: they count as small.
    fixed
        Dimensions that must stay as they are.
    drop
        Whether a dimension may be dropped altogether.
    small_cells
        How many small inner cells may be left (for a later suppression).
    suppression
        True weighs hiding against recoding: small cells that are left are hidden by :func:`pets.disclosure.suppress`,
        with the complementary cells this takes, at what it costs on the same scale. A function does it in another way.
        The result is then the best of all combinations *given* how that method hides.
    alternatives
        How many of the next best, none of which is a coarser version of a better one, are listed.
    progress
        True shows a bar; a function is called with what is done and what there is at most.

    Returns
    -------
    RecodingPlan
        Levels, recoded table, mapping and what is lost.

    Raises
    ------
    InvalidArgument
        A parameter is not as described, or even the coarsest table has small cells.
    DataError
        A column is missing, or has a value that is missing or not declared.
    """
    _check_numbers(minimum=(minimum, 2), small_cells=(small_cells, 0), alternatives=(alternatives, 0))
    if zeros not in get_args(Zeros):
        raise InvalidArgument("zeros", "must be 'publish' or 'suppress'")
    names = key_names(by, "by")
    hierarchies = _hierarchies(names, levels or {}, domain)
    counts, leaves = _counts(frame, names, count, domain, hierarchies)
    ladders = _ladders(names, leaves, hierarchies, fixed, drop)
    lattice = Lattice(counts, ladders, minimum, zeros_small=zeros == "suppress")
    if lattice.nodes > MAX_NODES:
        raise InvalidArgument("levels", f"make more than {MAX_NODES:,} combinations", "Drop some levels.")
    with counting(progress, lattice.nodes) as visited:
        if suppression is False:
            choices = _without_suppression(lattice, small_cells, 1 + alternatives, visited)
        else:
            hide = _suppressor if suppression is True else suppression
            choices = _with_suppression(lattice, hide, 1 + alternatives, visited)
    if not choices:
        raise InvalidArgument(
            "minimum", "is not reached by the coarsest table that is allowed", "Allow more levels, or drop=True."
        )
    return RecodingPlan(
        lattice, choices[0], tuple(choices[1:]), bits_told(lattice.flat), names,
        None if suppression is False else next((c for c in choices if not any(c.node)), None),
    )  # fmt: skip


def _without_suppression(lattice: Lattice, most_small: int, wanted: int, visited: Callable[[], None]) -> list[Choice]:
    found: list[Choice] = []
    for loss, node, expand in by_bound(lattice, admissible(lattice, most_small), lattice.loss, visited):
        if any(_is_coarser(lattice.ladders, node, better.node) for better in found):
            continue
        if lattice.small(lattice.recoded(node)).sum() <= most_small:
            found.append(Choice(node, loss))
            if len(found) == wanted:
                break
        else:
            expand()
    return found


def _with_suppression(lattice: Lattice, hide: Suppressor, wanted: int, visited: Callable[[], None]) -> list[Choice]:
    """Return the best choices with hiding, that of the table as it is always among them if it is possible."""

    def bound(node: Node) -> float:
        return lattice.loss(node, lattice.small(lattice.recoded(node)))

    found: list[Choice] = []
    everything = tuple(tuple(range(len(ladder))) for ladder in lattice.ladders)
    for least, node, expand in by_bound(lattice, everything, bound, visited):
        if len(found) >= wanted and least >= sorted(choice.loss for choice in found)[wanted - 1]:
            break
        hidden = _hidden(lattice, node, hide)
        if hidden is not None:
            found.append(Choice(node, lattice.loss(node, hidden), hidden))
        expand()
    ranked = sorted(found, key=lambda choice: choice.loss)
    as_is = [choice for choice in ranked[wanted:] if not any(choice.node)]
    return ranked[:wanted] + as_is


def _hidden(lattice: Lattice, node: Node, hide: Suppressor) -> NDArray[np.bool_] | None:
    """Return which inner cells of the recoded table are hidden; ``None`` if it cannot be protected."""
    counts = lattice.recoded(node)
    small = lattice.small(with_margins(counts))
    if not small.any():
        return np.zeros(counts.shape, dtype=np.bool_)
    labels = [ladder.groups[level] for ladder, level in zip(lattice.ladders, node, strict=True)]
    table = grid_table(counts, [ladder.name for ladder in lattice.ladders], labels, small, lattice.small_range)
    try:
        hidden = np.asarray(hide(table), dtype=np.bool_)
    except InvalidArgument:  # nothing that could be hidden protects these cells
        return None
    if hidden.shape != table.values.shape or np.any(table.primary & ~hidden):
        raise InvalidArgument("suppression", "must return one True or False for each cell, True for all primaries")
    return hidden[is_inner(counts.shape)].reshape(counts.shape)


def _suppressor(table: Table) -> NDArray[np.bool_]:
    from pets.disclosure.complementary import suppress

    return np.asarray(suppress(table, method="fast", progress=False).suppressed, dtype=np.bool_)


def _is_coarser(ladders: tuple[Ladder, ...], node: Node, other: Node) -> bool:
    return all(mine == its or mine in steps.coarser[its] for steps, mine, its in zip(ladders, node, other, strict=True))


def _hierarchies(names: tuple[str, ...], levels: Mapping[str, Any], domain: Domain | None) -> dict[str, object]:
    if not isinstance(levels, Mapping):
        raise InvalidArgument("levels", "must be a mapping of dimensions to hierarchies")
    _refuse_strays("levels", tuple(levels), names)
    if domain is not None:
        _refuse_strays("by", names, domain.names)
    declared = {} if domain is None else {name: getattr(domain[name], "hierarchy", None) for name in names}
    return {name: levels.get(name, declared.get(name)) for name in names}


def _ladders(
    names: tuple[str, ...],
    leaves: Sequence[Sequence[Label]],
    hierarchies: Mapping[str, object],
    fixed: Sequence[str],
    drop: bool,
) -> tuple[Ladder, ...]:
    listed = (fixed,) if isinstance(fixed, str) else tuple(fixed)
    _refuse_strays("fixed", listed, names)
    return tuple(
        ladder(name, its, hierarchies[name], fixed=name in listed, drop=drop)
        for name, its in zip(names, leaves, strict=True)
    )


def _refuse_strays(argument: str, given: Sequence[str], known: Sequence[str]) -> None:
    if stray := [name for name in given if name not in known]:
        raise InvalidArgument(argument, f"names {stray[0]!r}, which is not there", did_you_mean(str(stray[0]), known))


def _counts(
    frame: object,
    names: tuple[str, ...],
    count: str | None,
    domain: Domain | None,
    hierarchies: Mapping[str, object],
) -> tuple[NDArray[np.int64], list[tuple[Label, ...]]]:
    """Return the table, one axis for each dimension, and the categories of each."""
    rows = open_rows(frame, names if count is None else [*names, column_name(count, "count")])
    leaves, places = [], []
    for name in names:
        column = rows.code(name)
        leaves.append(_leaves(column, domain, hierarchies[name]))
        place = {leaf: number for number, leaf in enumerate(leaves[-1])}
        places.append(np.array([place[value] for value in column.values], dtype=np.int64)[column.codes])
    shape = tuple(len(its) for its in leaves)
    table = np.zeros(shape, dtype=np.int64)
    weights = np.ones(len(rows), np.int64) if count is None else as_counts(rows.frame[count].to_numpy(), "count")
    np.add.at(table, tuple(places), weights)
    if not table.any():
        raise InvalidArgument("frame", "counts nobody")
    return table, leaves


def _leaves(column: Coded, domain: Domain | None, hierarchy: object) -> tuple[Label, ...]:
    name, occurring = column.name, set(column.values)
    if column.has_missing:
        raise DataError(name, "has missing values", "Give them a category of their own, or drop the rows.")
    if domain is None:
        kinds = {type(value) for value in occurring}
        found = categories_of(hierarchy) or tuple(sorted(occurring, key=None if len(kinds) == 1 else str))
    else:
        found = tuple(domain[name].key_labels)
    if not occurring <= set(found):
        raise DataError(name, "holds a value that is not declared", "Add it to domain or hierarchy, or drop the rows.")
    if TOTAL in found:
        raise DataError(name, f"has the category {TOTAL!r}, which stands for the margin", "Leave margins out.")
    return found


def _check_numbers(**numbers: tuple[object, int]) -> None:
    for name, (value, least) in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 10**9:
            raise InvalidArgument(name, f"must be a whole number of at least {least}")
