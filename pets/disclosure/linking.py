"""Linked tables: one model over all tables that share cells, so that none can be used against another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.contributions import Contributions
from pets.disclosure.relations import Relations
from pets.disclosure.sheet import Sheet
from pets.errors import InvalidArgument


def link(sheets: Iterable[Sheet]) -> Sheet:
    """Return one sheet of several linked tables, in which a cell that several tables share is one cell.

    A dimension that a table does not have is at its total there. Protecting linked tables one after the other
    leaves cells recoverable from the rest; one model over all of them does not.

    Raises
    ------
    InvalidArgument
        There is none, tables differ in a shared cell or in the code of a total, or mix counts and magnitudes.
    """
    parts = list(sheets)
    if not parts:
        raise InvalidArgument("sheets", "are none")
    if len({part.integral for part in parts}) > 1:
        raise InvalidArgument("sheets", "mix counts and magnitudes", "Link tables of one quantity only.")
    totals = _totals(parts)
    keys = np.concatenate([_keys(part, totals) for part in parts], axis=1)
    _, first, where = np.unique(keys, axis=1, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))  # cells keep the order in which they first occur
    place, first = order[where.reshape(-1)], np.sort(first)
    contributions = _joined(parts)
    _refuse_differences(contributions, place, first, keys, tuple(totals))
    fate, structural = np.zeros(len(first), dtype=np.int8), np.zeros(len(first), dtype=np.bool_)
    np.maximum.at(fate, place, np.concatenate([part.fate for part in parts]))
    np.logical_or.at(structural, place, np.concatenate([part.structural for part in parts]))
    return Sheet(
        tuple(totals),
        tuple(totals.values()),
        tuple(keys[:, first]),
        _merged([part.relations for part in parts], [part.cells for part in parts], place),
        contributions.take(first),
        fate,
        structural,
        parts[0].integral,
    )


def _totals(parts: Sequence[Sheet]) -> dict[str, str]:
    totals: dict[str, str] = {}
    for part in parts:
        for name, total in zip(part.dimensions, part.totals, strict=True):
            if totals.setdefault(name, total) != total:
                raise InvalidArgument("sheets", f"call the total of {name!r} by two names", "Use one.")
    return totals


def _keys(part: Sheet, totals: Mapping[str, str]) -> NDArray[np.str_]:
    named = dict(zip(part.dimensions, part.codes, strict=True))
    return np.stack([named.get(name, np.full(part.cells, total)) for name, total in totals.items()])


def _joined(parts: Sequence[Sheet]) -> Contributions:
    found = [part.contributions for part in parts]
    widest = max(each.largest.shape[1] for each in found)
    padded = [np.pad(each.largest, ((0, 0), (0, widest - each.largest.shape[1]))) for each in found]
    return Contributions(
        np.concatenate([each.values for each in found]),
        np.concatenate([each.records for each in found]),
        np.concatenate([each.contributors for each in found]),
        np.concatenate(padded),
        np.concatenate([each.requested for each in found]),
    )


def _refuse_differences(
    cells: Contributions,
    place: NDArray[np.int64],
    first: NDArray[np.int64],
    keys: NDArray[np.str_],
    names: tuple[str, ...],
) -> None:
    gap = np.abs(cells.values - cells.values[first][place])
    wrong = np.flatnonzero(gap > 1e-9 * np.maximum(np.abs(cells.values), 1.0))
    if wrong.size:
        cell = ", ".join(f"{name}={code}" for name, code in zip(names, keys[:, wrong[0]], strict=True))
        raise InvalidArgument(
            "sheets",
            f"differ in the cell {cell}",
            "Make the tables from the same rows, or give the dimension that differs.",
        )


def _merged(relations: Sequence[Relations], sizes: Sequence[int], place: NDArray[np.int64]) -> Relations:
    """Put the relations of all tables below each other, each different one once."""
    found: dict[tuple[object, ...], tuple[list[int], list[int], float]] = {}
    offset = 0
    for rows, size in zip(relations, sizes, strict=True):
        for number in range(rows.count):
            cells, signs, constant = rows.row(number)
            new = place[cells + offset]
            order = np.argsort(new)
            key = (tuple(new[order].tolist()), tuple(signs[order].tolist()), constant)
            found.setdefault(key, (new.tolist(), signs.tolist(), constant))
        offset += size
    return Relations.from_rows(found.values())
