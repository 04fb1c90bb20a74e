"""Table files for the commands ``pets suppress`` and ``pets audit``: CSV, Parquet and JJ, with hierarchies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pets.errors import DataError, InvalidArgument, did_you_mean

if TYPE_CHECKING:
    from pets.disclosure.build import Margins
    from pets.disclosure.dimension import Dimension
    from pets.disclosure.sheet import Sheet
    from pets.disclosure.table import Table


def is_jj(file: Path) -> bool:
    """Return whether a file is a JJ file by its name."""
    return file.suffix.lower() == ".jj"


def open_jj(file: Path, codes: Path | None) -> Table:
    """Return the table of a JJ file; codes are looked for beside it (table.jj, table.codes.csv) if none are given."""
    from pets.disclosure.jj import read_jj

    beside = file.with_suffix(".codes.csv")
    return read_jj(file, codes or (beside if beside.is_file() else None))


def open_sheet(
    file: Path,
    by: Sequence[str],
    count: str | None,
    hierarchy: Iterable[str],
    total: str,
    margins: Margins,
) -> Sheet:
    """Return the cells of a CSV or Parquet file: rows counted, or a column of counts read.

    Raises
    ------
    InvalidArgument
        No column was named, a file cannot be read, or its content is no table.
    DataError
        A column is missing or cannot be used.
    """
    from pets.disclosure.build import sheet_of_cells, sheet_of_rows

    frame = read_frame(file)
    columns = [str(name) for name in frame.columns]
    names = [part for text in by for part in _names(text, columns)]
    if not names:
        raise InvalidArgument("--by", "names no column", f"The file has: {', '.join(columns)}. For example: --by site.")
    if count in names:
        raise InvalidArgument("--count", f"names {count!r}, which --by names too")
    for name in (*names, *([] if count is None else [count])):
        if name not in columns:
            raise DataError(name, "is missing", did_you_mean(name, columns))
    groups = dict(_hierarchy(text, names, total) for text in hierarchy)
    if count is None:
        _refuse_totals(frame, names, total)
        return sheet_of_rows(frame, names, hierarchies=groups, total=total, margins=margins)
    return sheet_of_cells(_with_numbers(frame, count), names, count, hierarchies=groups, total=total, margins=margins)


def read_frame(file: Path) -> Any:
    """Return a CSV or Parquet file as a frame. Everything in a CSV file is text, so that the code 007 stays 007.

    Raises
    ------
    InvalidArgument
        The file does not exist or cannot be read.
    """
    import pandas as pd

    if not file.is_file():
        raise InvalidArgument("FILE", f"{str(file)!r} does not exist", "Check the path.")
    try:
        frame = pd.read_parquet(file) if file.suffix.lower() == ".parquet" else _read_csv(file)
    except UnicodeDecodeError:
        raise InvalidArgument("FILE", f"{file.name} is not in UTF-8", "Save it as CSV in UTF-8.") from None
    except (ValueError, OSError, ImportError) as error:
        problem = f"{file.name} cannot be read as a table ({type(error).__name__})"
        raise InvalidArgument("FILE", problem, "Give a .csv, .parquet or .jj file.") from None
    if not isinstance(frame.index, pd.RangeIndex) or frame.columns.duplicated().any():
        problem = f"{file.name} has a line with more fields than the first one, or a column name twice"
        raise InvalidArgument("FILE", problem, "Put texts that hold the separator into quotation marks.")
    return frame


def _read_csv(file: Path) -> Any:
    import pandas as pd

    with file.open(encoding="utf-8-sig") as lines:
        first = lines.readline()
    separator = max((",", ";", "\t"), key=first.count)
    options: dict[str, Any] = {"dtype": str, "keep_default_na": False, "na_values": [""], "encoding": "utf-8-sig"}
    return pd.read_csv(file, sep=separator, **options).rename(columns=str.strip)


def read_hierarchy(file: Path, name: str, total: str) -> Dimension:
    """Return a hierarchy from .hrc, or from CSV with the columns ``code`` and ``parent``.

    Raises
    ------
    InvalidArgument
        The file cannot be read, has other columns, a code twice, or a cycle.
    """
    from pets.disclosure.dimension import Dimension
    from pets.disclosure.tau_argus import read_hrc

    if file.suffix.lower() == ".hrc":
        return read_hrc(file, name, total=total)
    frame = read_frame(file).fillna("")
    if list(frame.columns) != ["code", "parent"]:
        raise InvalidArgument(
            "--hierarchy",
            f"{file.name} must have the columns code and parent",
            "One line for each code: Ia,I says that Ia belongs to I; leave parent empty at the top.",
        )
    codes = frame["code"].str.strip()
    if codes.duplicated().any() or (codes == "").any():
        raise InvalidArgument("--hierarchy", f"{file.name} has a code twice, or a line without one")
    return Dimension.from_parents(name, dict(zip(codes, frame["parent"].str.strip(), strict=True)), total)


def _names(text: str, columns: Sequence[str]) -> list[str]:
    """Return what ``--by`` names: a column, or several with commas between them."""
    return [text] if text in columns else [part.strip() for part in text.split(",") if part.strip()]


def _hierarchy(text: str, names: Sequence[str], total: str) -> tuple[str, Dimension]:
    name, separator, path = text.partition("=")
    if not separator or not name or not path:
        raise InvalidArgument("--hierarchy", "must have the form COLUMN=FILE", "For example: --hierarchy site=iccc.hrc")
    if name not in names:
        raise InvalidArgument("--hierarchy", f"is for {name!r}, which --by does not name", did_you_mean(name, names))
    return name, read_hierarchy(Path(path), name, total)


def _refuse_totals(frame: Any, names: Sequence[str], total: str) -> None:
    """Refuse a table of counts whose rows would be counted as persons."""
    for name in names:
        if (frame[name] == total).any():
            raise InvalidArgument(
                "--count",
                f"is needed: the column {name!r} has rows for {total!r}, so FILE is a table, not a list of cases",
                "Say which column holds the counts, e.g. --count n.",
            )


def _with_numbers(frame: Any, count: str) -> Any:
    import pandas as pd

    try:
        return frame.assign(**{count: pd.to_numeric(frame[count])})
    except (ValueError, TypeError):
        raise DataError(
            count, "holds something that is no number", "Give true counts, without thousands separators or stars."
        ) from None
