"""From a table of counts to one row per case, the form in which a registry holds its records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pets.errors import InvalidArgument, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

MAX_ROWS = 100_000_000
"""Larger tables are refused: one wrong count would otherwise fill the memory."""


def one_row_per_case(frame: pd.DataFrame, count: str = "cases") -> pd.DataFrame:
    """Expand a table of counts to one row per case.

    Parameters
    ----------
    frame
        A table with one row per cell, such as a selection of :func:`ci5_children`.
    count
        Column that holds the number of cases of each row: whole numbers, not negative.

    Returns
    -------
    pandas.DataFrame
        ``case_id`` (int64, counting from 0 over the whole table), then the columns of `frame` without
        `count` and without ``person_years``, which describe a cell and not a case. Rows keep the order of
        `frame`; the same input always gives the same ids. `frame` is left as it was.

    Raises
    ------
    InvalidArgument
        `frame` is no pandas table, has a column ``case_id`` already, or the counts cannot be expanded.

    Examples
    --------
    >>> import pandas as pd
    >>> one_row_per_case(pd.DataFrame({"sex": ["female", "male"], "cases": [2, 1]}))
       case_id     sex
    0        0  female
    1        1  female
    2        2    male
    """
    import numpy as np
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise InvalidArgument("frame", f"must be a pandas DataFrame, not {type(frame).__name__}")
    if "case_id" in frame.columns:
        raise InvalidArgument("frame", "has a column 'case_id' already", "Rename or drop it first.")
    times = _counts(frame, count)
    kept = frame.drop(columns=[name for name in (count, "person_years") if name in frame.columns])
    cases = kept.iloc[np.repeat(np.arange(len(kept)), times)].reset_index(drop=True)
    cases.insert(0, "case_id", np.arange(len(cases), dtype=np.int64))
    return cases


def _counts(frame: pd.DataFrame, count: str) -> npt.NDArray[np.int64]:
    """Return the column of counts as integers, or say why it cannot be used."""
    import numpy as np

    found = list(frame.columns).count(count)
    if found != 1:
        problem = f"names no column of the table: {count!r}" if not found else f"names {found} columns: {count!r}"
        raise InvalidArgument("count", problem, did_you_mean(str(count), (str(name) for name in frame.columns)))
    column = frame[count]
    if column.dtype.kind not in "iu" or column.isna().any():
        raise InvalidArgument("count", f"column {count!r} must hold whole numbers and no missing values")
    if (column < 0).any():
        raise InvalidArgument("count", f"column {count!r} must not be negative")
    if float(column.astype(float).sum()) > MAX_ROWS:
        raise InvalidArgument("count", f"column {count!r} asks for more than {MAX_ROWS:,} rows")
    return column.to_numpy(dtype=np.int64)
