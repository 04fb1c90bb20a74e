"""Rows of linked files as codes: each patient's rows depend on that patient's rows only."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from narwhals.exceptions import NarwhalsError
from numpy.typing import NDArray

from pets.errors import DataError, InvalidArgument, did_you_mean
from pets.synthetic.encoding.columns import Codes
from pets.synthetic.encoding.reading import first_rows
from pets.synthetic.linked.tree import Child, Tree, View, number_of

Numbers = NDArray[np.int64]
Keys = list[tuple[Hashable, ...]]
Columns = Mapping[str, list[Hashable]]


def linked_codes(frames: object, tree: Tree, views: Mapping[str, View]) -> dict[str, Codes]:
    """Return the codes of each table's view, shape (columns, rows). Confidential.

    A row counts if it fits its domain and its parent's row counts; of a patient one row counts, and of each parent at
    most as many rows as declared: the first in the order of their codes. So what becomes of a row depends on the rows
    of its patient alone, and removing a patient removes that patient's rows from every table and changes no other row.

    Raises
    ------
    InvalidArgument, DataError
        A frame is missing or does not fit its domain.
    """
    if not isinstance(frames, Mapping) or set(frames) != set(views):
        raise InvalidArgument("frame", f"must map {', '.join(views)} to data frames", "Give the tables of the domain.")
    sources = {name: _eager(frames[name], name) for name in views}
    keys = {name: _read_keys(sources[name], tree.keys(name), name) for name in views}
    _refuse_mixed(keys)
    kept: dict[str, Codes] = {}
    parents: dict[str, Numbers] = {}
    for name, view in views.items():
        codes, _ = view.own.read(sources[name].drop(list(keys[name])).to_native())
        child = tree.child(name)
        owner = _owners(keys[name], tree, child, keys)
        whole = np.flatnonzero((codes >= 0).all(axis=0) & (owner >= 0))
        chosen = whole[first_rows(codes[:, whole], owner[whole], 1 if child is None else child.most)]
        kept[name], parents[name] = codes[:, chosen], owner[chosen]
        keys[name] = {column: [values[i] for i in chosen] for column, values in keys[name].items()}
    found: dict[str, Codes] = {}
    for name, view in views.items():
        found[name] = _joined(view, kept[name], parents, found, views, tree)
    return found


def _read_keys(source: nw.DataFrame[Any], columns: Sequence[str], name: str) -> dict[str, list[Hashable]]:
    """Return the keys of a table."""
    for column in columns:
        if column not in source.columns:
            raise DataError(
                column, f"is missing in {name!r}, whose rows it links", did_you_mean(column, source.columns)
            )
    return {column: _keys(source[column], column) for column in columns}


def _refuse_mixed(keys: Mapping[str, Mapping[str, list[Hashable]]]) -> None:
    """Refuse keys that are texts in one table and numbers in another.

    Such keys link no row at all. And a reader of files makes a column of numbers one of texts because of one patient,
    who would then decide about the rows of all others.
    """
    texts: dict[str, bool] = {}
    for columns in keys.values():
        for column, values in columns.items():
            kinds = {isinstance(value, str) for value in values if _is_key(value)}
            if kinds and kinds != {texts.setdefault(column, min(kinds))}:
                raise DataError(
                    column, "holds texts in one table and numbers in another, which link no rows",
                    "Read it as text in every table.",
                )  # fmt: skip


def _keys(values: nw.Series[Any], column: str) -> list[Hashable]:
    """Return the keys of all rows, None where there is none."""
    lost = values.is_null().to_list()
    keys = [None if none else value for none, value in zip(lost, values.to_list(), strict=True)]
    if not all(isinstance(key, Hashable) for key in keys):
        raise DataError(column, "holds values that are no keys, such as lists", "Give numbers or texts.")
    return keys


def _owners(
    keys: Mapping[str, list[Hashable]],
    tree: Tree,
    child: Child | None,
    known: Mapping[str, Mapping[str, list[Hashable]]],
) -> Numbers:
    """Return the number of each row's owner among the kept rows of the table above, or -1.

    A patient owns its own row. The key of a patient is part of every key, so no row can belong to another patient's.
    """
    patient = str(tree.unit.id)
    if child is None:
        first: dict[Hashable, int] = {}
        own = keys[patient]
        return np.array([first.setdefault(one, i) if _is_key(one) else -1 for i, one in enumerate(own)], dtype=np.int64)
    names = [patient, *([child.key] if child.key else [])]
    above: dict[tuple[Hashable, ...], int] = {}
    for i, key in enumerate(_tuples(known[child.parent], names)):
        above.setdefault(key, i)
    return np.array([above.get(key, -1) if all(map(_is_key, key)) else -1 for key in _tuples(keys, names)], np.int64)


def _tuples(keys: Mapping[str, list[Hashable]], names: Sequence[str]) -> Keys:
    return list(zip(*(keys[name] for name in names), strict=True))


def _is_key(value: Hashable) -> bool:
    return value is not None and value == value  # noqa: PLR0124 NaN is no key


def _joined(
    view: View,
    own: Codes,
    parents: Mapping[str, Numbers],
    whole: Mapping[str, Codes],
    views: Mapping[str, View],
    tree: Tree,
) -> Codes:
    """Return the view's codes: those of the parent's row, its own, and how many rows each table below has of it."""
    child = tree.child(view.name)
    rows = own.shape[1]
    found = dict(zip(view.own.names, own, strict=True))
    if child is not None:
        above = views[child.parent].whole.names
        parent_codes = whole[child.parent][:, parents[view.name]]
        found |= {new: parent_codes[above.index(old)] for new, old in view.link.items()}
    for below in tree.below(view.name):
        found[number_of(below.table)] = np.bincount(parents[below.table], minlength=rows)[:rows].astype(np.int64)
    return np.array([found[name] for name in view.whole.names], dtype=np.int64).reshape(len(view.whole.names), rows)


def _eager(frame: object, name: str) -> nw.DataFrame[Any]:
    try:
        source = nw.from_native(nw.to_native(frame, pass_through=True))
    except (TypeError, NarwhalsError):
        raise InvalidArgument(f"frame.{name}", "is no data frame", "Give a pandas, Polars or PyArrow frame.") from None
    return source.collect() if isinstance(source, nw.LazyFrame) else source
