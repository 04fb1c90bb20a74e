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
from pets.synthetic.encoding.reading import first_rows, steps_of
from pets.synthetic.linked.tree import Child, Tree, View, number_of

Numbers = NDArray[np.int64]
Dates = NDArray[np.float64]
_EXACT = 2.0**53

Keys = list[tuple[Hashable, ...]]
Columns = Mapping[str, list[Hashable]]


def linked_codes(frames: object, tree: Tree, views: Mapping[str, View]) -> dict[str, Codes]:
    """Return the codes of each table's view, shape (columns, rows). Confidential.

    A row counts if it fits its domain, its parent's row counts and no date is before the one of that row from which it
    counts; of a patient one row counts, and of each parent at most as many rows as declared: the first in the order of
    their codes. A date that counts from the parent's is coded by these two dates, which are of one patient. So what
    becomes of a row depends on the rows of its patient alone, and removing a patient removes that patient's rows from
    every table and changes no other row.

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
    dates: dict[str, Mapping[str, Dates]] = {}
    for name, view in views.items():
        child = tree.child(name)
        owner = _owners(keys[name], tree, child, keys)
        starts = {} if child is None else starts_of(view, dates[child.parent], owner)
        codes, _ = view.own.read(sources[name].drop(list(keys[name])).to_native(), starts)
        whole = np.flatnonzero((codes >= 0).all(axis=0) & (owner >= 0))
        chosen = whole[first_rows(codes[:, whole], owner[whole], 1 if child is None else child.most)]
        kept[name], parents[name] = codes[:, chosen], owner[chosen]
        keys[name] = {column: [values[i] for i in chosen] for column, values in keys[name].items()}
        dates[name] = {column: steps[chosen] for column, steps in dates_of(sources[name], name, tree).items()}
    found: dict[str, Codes] = {}
    for name, view in views.items():
        found[name] = _joined(view, kept[name], parents, found, views, tree)
    return found


def dates_of(source: nw.DataFrame[Any], name: str, tree: Tree) -> dict[str, Dates]:
    """Return the dates of a table from which dates of tables below count, in periods.

    Parameters
    ----------
    source
        Rows of the table, real or artificial.
    name
        Of the table.
    tree
        Of all tables.
    """
    columns = sorted({above for child in tree.below(name) for above in dict(child.after).values()})
    domain = tree.domains[name]
    return {column: steps_of(source[column], domain[column]) for column in columns}  # type: ignore[arg-type]


def starts_of(view: View, dates: Mapping[str, Dates], parents: Numbers) -> dict[str, Dates]:
    """Return for each date that counts from one of the parent's row that one, NaN for rows without a parent.

    Parameters
    ----------
    view
        Of the table.
    dates
        Of the parent's rows.
    parents
        The number of each row's parent, or -1.
    """
    found = {}
    for column, above in view.starts.items():
        whole = np.append(dates[above], np.nan)  # the last is that of nobody, -1
        found[column] = whole[parents]
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
    """Return the keys of all rows, exactly, None where there is none."""
    lost = values.is_null().to_list()
    keys = [None if none else value for none, value in zip(lost, values.to_list(), strict=True)]
    if not all(isinstance(key, Hashable) for key in keys):
        raise DataError(column, "holds values that are no keys, such as lists", "Give numbers or texts.")
    if any(isinstance(key, float) and abs(key) >= _EXACT for key in keys):
        # A reader of files makes decimals of whole numbers as soon as one is missing; from here on two become one.
        raise DataError(
            column, "holds numbers of 2**53 or more as decimals, which no longer tell patients apart",
            "Read it as text, or as whole numbers that may be missing: dtype='Int64' in pandas.",
        )  # fmt: skip
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
