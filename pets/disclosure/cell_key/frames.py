"""From the rows of a frame to a perturbed table with all its margins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.cell_key.perturbed import Perturbed, perturb_table
from pets.disclosure.cell_key.ptable import PTable
from pets.disclosure.cell_key.record_keys import RecordKeys
from pets.disclosure.grids import TOTAL, grid_table, with_margins
from pets.disclosure.microdata.codes import Coded
from pets.disclosure.microdata.frame import column_name, key_names, open_rows
from pets.domain import Domain
from pets.errors import DataError, InvalidArgument, did_you_mean


def perturb_frame(
    frame: object,
    by: Sequence[str] | str,
    id: str,  # noqa: A002 - as in PrivacyUnit
    record_keys: RecordKeys,
    ptable: PTable,
    *,
    domain: Domain | None = None,
) -> Perturbed:
    """Return the table of a frame's rows with all margins, perturbed by cell keys.

    Parameters
    ----------
    frame
        Any data frame that narwhals supports, one row for each case.
    by
        Columns of the table.
    id
        Column with the pseudonym of the patient.
    record_keys
        Of the project, from :meth:`CellKeySecret.project`.
    ptable
        With as many keys.
    domain
        Declares the categories, so that the table shows the same cells whatever the rows are. If left out, the
        categories that occur are used, and which these are is not protected.

    Returns
    -------
    Perturbed
        Inner cells and margins, the latter with the code ``Total``.

    Raises
    ------
    InvalidArgument
        `frame` is no data frame or has no rows, or p-table and record keys have different numbers of keys.
    DataError
        A column is missing, a value is missing or not declared, or a pseudonym is missing.
    """
    if not isinstance(record_keys, RecordKeys):
        raise InvalidArgument("record_keys", "must come from CellKeySecret.project()")
    if not isinstance(ptable, PTable) or ptable.keys != record_keys.keys:
        raise InvalidArgument("ptable", f"must be a PTable of {record_keys.keys} keys, as the record keys are")
    names = key_names(by, "by")
    rows = open_rows(frame, [*names, column_name(id, "id")])
    axes = [_axis(rows.code(name), domain) for name in names]
    patients = rows.code(id)
    keys = np.append(record_keys.of([*patients.values, *([None] if patients.has_missing else [])], id), 0)[
        patients.codes
    ]
    shape = tuple(len(axis.labels) for axis in axes)
    cells = np.ravel_multi_index(tuple(axis.codes for axis in axes), shape)
    counts, sums = np.zeros((2, int(np.prod(shape))), dtype=np.int64)
    np.add.at(counts, cells, 1)
    np.add.at(sums, cells, keys)
    table = grid_table(counts.reshape(shape), names, [axis.labels for axis in axes])
    return perturb_table(table, with_margins(sums.reshape(shape)).reshape(-1) % ptable.keys, ptable)


@dataclass(frozen=True, eq=False)
class _Axis:
    labels: list[str]
    codes: NDArray[np.int64]


def _axis(column: Coded, domain: Domain | None) -> _Axis:
    name = column.name
    if column.has_missing:
        raise DataError(name, "has missing values", "Give them a category of their own, or drop the rows.")
    if domain is not None and name not in domain:
        raise InvalidArgument("by", f"names {name!r}, which the domain lacks", did_you_mean(name, domain.names))
    occurring = [str(value) for value in column.values]
    labels = sorted(set(occurring)) if domain is None else [str(label) for label in domain[name].key_labels]
    if TOTAL in labels:
        raise DataError(name, f"has the category {TOTAL!r}, which stands for the margin", "Rename it.")
    places = {label: place for place, label in enumerate(labels)}
    if any(label not in places for label in occurring):
        raise DataError(name, "holds a value that the domain does not declare", "Declare it, or drop the rows.")
    return _Axis(labels, np.array([places[label] for label in occurring], dtype=np.int64)[column.codes])
