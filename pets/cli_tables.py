"""Table files for the commands ``pets suppress`` and ``pets audit``: CSV, Parquet and JJ, with hierarchies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pets.disclosure.words import is_surely_total
from pets.errors import DataError, InvalidArgument, did_you_mean
from pets.table_file import has_decimal_commas, is_parquet, numbers, read_table

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
    rows: bool = False,
    no_totals: bool = False,
    missing: str | None = None,
) -> tuple[Sheet, int]:
    """Return the cells of a CSV or Parquet file: rows counted, or a column of counts read.

    Second comes how many lines lacked a code and got `missing`.

    Raises
    ------
    InvalidArgument
        No column was named, a file cannot be read, or its content is no table.
    DataError
        A column is missing or cannot be used.
    """
    from pets.disclosure.build import sheet_of_cells, sheet_of_rows

    frame = read_table(file)
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
    frame, filled = _filled(frame, names, missing)
    if count is None:
        if not rows:
            _refuse_totals(frame, names, total)
            _refuse_counts(frame, names)
        return sheet_of_rows(frame, names, hierarchies=groups, total=total, margins=margins), filled
    frame = _with_numbers(frame, count)
    if not no_totals:
        _refuse_hidden_totals(frame, names, count, total, groups)
    return sheet_of_cells(frame, names, count, hierarchies=groups, total=total, margins=margins), filled


def read_records(file: Path) -> Any:
    """Return a file's table with numbers where a column of text holds nothing else and nothing is lost: not 007.

    A guess from all the rows: for drafts and for what makes no promise about one of them; for all else there is
    :func:`pets.declared_rows.read_rows`.

    Raises
    ------
    InvalidArgument
        The file does not exist or cannot be read.
    """
    frame = read_table(file)
    return frame if is_parquet(file) else frame.apply(_plain_numbers, decimal_comma=has_decimal_commas(file))


def _plain_numbers(column: Any, *, decimal_comma: bool) -> Any:
    known = column.notna()
    if known.all() and len(column) and column.isin(["True", "False"]).all():
        return column == "True"
    found = numbers(column, decimal_comma=decimal_comma)
    same = (found.isna() != known).all() and not column[known].str.match(r"[+-]?0\d|\s|.*\s$").any()
    return found if same and known.any() else column


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
    frame = read_table(file).fillna("")
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


def _filled(frame: Any, names: Sequence[str], missing: str | None) -> tuple[Any, int]:
    """Give lines without a code the one for it, and say how many they are."""
    empty = frame[list(names)].isna()
    lines = int(empty.any(axis=1).sum())
    if not lines or missing is None:
        for name in names if lines else ():
            if empty[name].any():
                number = int(empty[name].sum())
                raise DataError(
                    name,
                    f"has missing values in {number} {'line' if number == 1 else 'lines'}",
                    "Give them a code of their own: --missing unknown.",
                )
        return frame, 0
    return frame.assign(**{name: frame[name].astype(object).where(~empty[name], missing) for name in names}), lines


def _refuse_counts(frame: Any, names: Sequence[str]) -> None:
    """Refuse a table of counts whose lines would be counted as persons, by the name of a column."""
    for column in frame.columns:
        if column in names or column.lower() not in ("n", "count", "counts", "cases", "freq", "frequency"):
            continue
        if frame[column].dropna().astype(str).str.fullmatch(r"\s*\d+(?:\.0*)?\s*").all():
            problem = f"is missing: column {column} looks like counts"
            raise InvalidArgument("--count", problem, f"Add --count {column}; or --rows if each line is one case.")


def _refuse_hidden_totals(
    frame: Any, names: Sequence[str], count: str, total: str, groups: Mapping[str, Dimension]
) -> None:
    """Refuse a total under another name: it would be counted as one more part, and give the others away."""
    for name in names:
        codes = frame[name].astype(str).str.strip()
        if (codes == total).any():
            found = next((code for code in codes.unique() if is_surely_total(code) and code != total), None)
            if found is not None:
                problem = f"is {total!r}, and column {name} also has {found!r}"
                raise InvalidArgument("--total-label", problem, "Call all totals by one word.")
            continue
        found = next((code for code in codes.unique() if is_surely_total(code)), None)
        why = "looks like a total"
        if found is None and name not in groups:
            found = _sum_of_others(frame.assign(**{name: codes}), names, name, count)
            why = "" if found is None else "is the sum of " + _listed(sorted(set(codes.unique()) - {found}))
        if found is not None:
            remedy = f"Add --total-label {found}. If no line of the file is a total, say --no-totals."
            raise InvalidArgument("--total-label", f"{found} in {name} {why}", remedy)


def _sum_of_others(frame: Any, names: Sequence[str], name: str, count: str) -> str | None:
    """Return the code whose rows are the sums of all others', in every combination of the other columns."""
    others = [other for other in names if other != name]
    index = [frame[other] for other in others] or [frame[name].map(lambda _: "").rename("")]
    wide = frame.pivot_table(index=index, columns=name, values=count, aggfunc="sum", fill_value=0)
    if wide.shape[1] < 3:
        return None
    twice = wide.mul(2).eq(wide.sum(axis=1), axis=0).all() & wide.any()
    return next((str(code) for code in wide.columns[twice]), None)


def _listed(codes: Sequence[str]) -> str:
    return f"{', '.join(codes[:-1])} and {codes[-1]}" if len(codes) < 6 else f"the other {len(codes)} codes"


def _refuse_totals(frame: Any, names: Sequence[str], total: str) -> None:
    """Refuse a table of counts whose rows would be counted as persons."""
    for name in names:
        found = next((code for code in frame[name].dropna().unique() if _is_total(code, total)), None)
        if found is not None:
            raise InvalidArgument(
                "--count",
                f"is needed: the column {name!r} has rows for {found!r}, so FILE is a table, not a list of cases",
                "Say which column holds the counts, e.g. --count n; or --rows if each line is one case.",
            )


def _is_total(code: object, total: str) -> bool:
    return code == total or is_surely_total(str(code).strip())


def _with_numbers(frame: Any, count: str) -> Any:
    import pandas as pd

    try:
        return frame.assign(**{count: pd.to_numeric(frame[count])})
    except (ValueError, TypeError):
        raise DataError(
            count, "holds something that is no number", "Give true counts, without thousands separators or stars."
        ) from None
