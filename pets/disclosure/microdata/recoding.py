"""Global recoding: the same coarser level for a key in all records, chosen so that as little as possible is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

from pets.disclosure.microdata.classes import classes_of_codes
from pets.disclosure.microdata.codes import Coded, Codes
from pets.disclosure.microdata.frame import Rows, fraction, key_names, open_rows, whole_number
from pets.disclosure.microdata.generalisation import Generalisation, flat, ladders
from pets.disclosure.microdata.lattice import Counter, Optimum, cheapest
from pets.errors import InvalidArgument, PetsError


@dataclass(frozen=True, eq=False, repr=False)
class Recoding:
    """A frame whose keys were made coarser until it is k-anonymous.

    Attributes
    ----------
    frame
        The records that stay, in their order, of the same kind as the frame given (lazy frames are collected). A
        recoded key holds the labels of its level as texts.
    levels
        For each key the level that was chosen: ``'as is'``, a level of its hierarchy, or ``'*'`` for none at all.
    k, reached
        The k that was asked for, and that of the result, counted anew from its cells.
    left_out
        Number of records that were left out.
    kept
        Which records stay, shape (rows,).
    loss
        What was lost, from 0 (nothing) to 1 (all): for each record the mean over its keys of (g - 1) / (m - 1), where g
        of the m values of the key share its group; 1 for a record that was left out; averaged over all records.
    losses
        The same for each key over the records that stay.
    nodes, checked
        Number of combinations of levels, and for how many of them records were counted. None of them is cheaper.
    """

    frame: Any
    levels: dict[str, str]
    k: int
    reached: int
    left_out: int
    kept: NDArray[np.bool_]
    loss: float
    losses: dict[str, float]
    nodes: int
    checked: int

    def __repr__(self) -> str:
        chosen = ", ".join(f"{key}: {level}" for key, level in self.levels.items())
        return (
            f"Recoding(k = {self.reached}, {chosen}; {self.left_out:,} records left out, {100 * self.loss:.1f} % lost, "
            f"the least of {self.nodes:,} combinations)"
        )


def recode_to_k(
    frame: object,
    keys: Sequence[str] | str,
    k: int,
    hierarchies: Mapping[str, Any],
    *,
    most_left_out: float = 0.0,
    importance: Mapping[str, float] | None = None,
) -> Recoding:
    """Recode keys along their hierarchies, at the least loss of all combinations of levels that reach `k`.

    Parameters
    ----------
    frame, keys
        As for :func:`~pets.disclosure.microdata.k_anonymity`. A missing value is a value of its own that joins the
        others at the top only.
    k
        At least 2.
    hierarchies
        For keys that can be coarser: a :class:`pets.Hierarchy`, or a mapping of level to groups to members. The levels
        must be nested. The group that holds everything is added. Keys without one stay as they are or say nothing.
    most_left_out
        Share of the records that may be left out because their class stays below `k`.
    importance
        Weight of each key in the loss, above 0; 1 where not given.

    Raises
    ------
    InvalidArgument, DataError
        An argument, the frame or a column is not usable, a hierarchy leaves out a value of the rows, or there are
        fewer than `k` rows.

    Guarantee
    ---------
    Each record of the result agrees with at least ``k - 1`` others in all keys, and no other combination of levels
    loses less (ties go to either). The levels are chosen by looking at the rows: they tell something about them.
    """
    names = key_names(keys)
    least, share = whole_number(k, "k", 2), fraction(most_left_out, "most_left_out")
    weights = _weights(names, importance)
    rows = open_rows(frame, names, others=True)
    columns = [rows.code(name) for name in names]
    ladder = ladders(columns, hierarchies)
    counter, losses, leaves = _prepared(columns, ladder, weights)
    best = cheapest(counter, losses, least, int(share * len(rows) + 1e-9))
    if best.node is None:
        raise InvalidArgument("k", "is larger than the number of rows", "No recoding reaches it.")
    return _applied(rows, ladder, counter, losses, leaves, best, least, weights)


def _weights(names: Sequence[str], importance: Mapping[str, float] | None) -> dict[str, float]:
    given = {} if importance is None else importance
    if not isinstance(given, Mapping) or any(name not in names for name in given):
        raise InvalidArgument("importance", "must be a mapping of key columns to weights")
    found = {name: given.get(name, 1.0) for name in names}
    if not all(isinstance(w, int | float) and not isinstance(w, bool) and 0 < w < np.inf for w in found.values()):
        raise InvalidArgument("importance", "must give positive numbers")
    total = sum(found.values())
    return {name: float(weight / total) for name, weight in found.items()}


def _prepared(
    columns: Sequence[Coded], ladder: Sequence[Generalisation], weights: Mapping[str, float]
) -> tuple[Counter, list[list[NDArray[np.float64]]], list[Codes]]:
    """Return the counter over distinct combinations, the losses per leaf, and the leaf of each row."""
    leaves, levels, losses = [], [], []
    for column, steps in zip(columns, ladder, strict=True):
        of_row = column.codes if steps == flat(column) else steps.leaves_of(column)
        number = len(steps.leaves)
        leaves.append(np.where(of_row < 0, number, of_row))
        levels.append(tuple(_with_missing(level, top=i == len(steps) - 1) for i, level in enumerate(steps.levels)))
        losses.append([weights[column.name] * _loss_per_leaf(level, number) for level in levels[-1]])
    classes = classes_of_codes(
        [Coded(c.name, leaf, c.series) for c, leaf in zip(columns, leaves, strict=True)], "value"
    )
    codes = tuple(np.ascontiguousarray(classes.codes[:, i]) for i in range(len(columns)))
    return Counter(codes, classes.sizes.astype(np.float64), tuple(levels)), losses, leaves


def _with_missing(level: Sequence[int], *, top: bool) -> Codes:
    groups = np.asarray(level, dtype=np.int64)
    return np.append(groups, 0 if top else groups.max(initial=-1) + 1)


def _loss_per_leaf(level: Codes, leaves: int) -> NDArray[np.float64]:
    members = np.bincount(level[:leaves], minlength=int(level.max()) + 1)
    shared = (members[level] - 1) / (leaves - 1) if leaves > 1 else np.zeros(len(level))
    return np.clip(shared, 0.0, 1.0)


def _applied(
    rows: Rows,
    ladder: Sequence[Generalisation],
    counter: Counter,
    losses: list[list[NDArray[np.float64]]],
    leaves: Sequence[Codes],
    best: Optimum,
    k: int,
    weights: Mapping[str, float],
) -> Recoding:
    node = best.node or ()
    published, groups = rows.frame, []
    for steps, leaf, level, grouping in zip(ladder, leaves, node, counter.levels, strict=True):
        groups.append(Coded(steps.name, grouping[level][leaf], rows.frame[steps.name]))
        if level:
            labels = np.array([*steps.groups[level], None][: len(steps.groups[level]) + 1], dtype=object)
            texts = labels[np.minimum(groups[-1].codes, len(labels) - 1)]
            published = published.with_columns(_texts(published, steps.name, texts))
    classes = classes_of_codes(groups, "value")
    kept = (classes.sizes >= k)[classes.of_row]
    reached = (
        int(classes_of_codes([Coded(g.name, g.codes[kept], g.series) for g in groups], "value").sizes.min())
        if kept.any()
        else 0
    )
    if 0 < reached < k:
        raise PetsError("recoding missed its target, a defect of pets: nothing was returned. Please report it.")
    flags = nw.new_series("kept", kept, nw.Boolean, backend=rows.frame.implementation)
    lost = {
        steps.name: float(per_level[level][leaf[kept]].mean() / weights[steps.name]) if kept.any() else 1.0
        for steps, per_level, level, leaf in zip(ladder, losses, node, leaves, strict=True)
    }
    chosen = {steps.name: steps.names[level] for steps, level in zip(ladder, node, strict=True)}
    left_out = int((~kept).sum())
    result = published.filter(flags.to_list()).to_native()
    return Recoding(result, chosen, k, reached, left_out, kept, best.loss, lost, best.nodes, best.checked)


def _texts(frame: nw.DataFrame[Any], name: str, texts: NDArray[Any]) -> nw.Series[Any]:
    if frame.implementation.is_pandas():
        import pandas as pd

        return nw.from_native(pd.Series(texts, index=frame.to_native().index, name=name), series_only=True)
    return nw.new_series(name, texts.tolist(), nw.String, backend=frame.implementation)
