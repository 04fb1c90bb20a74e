"""The command ``pets audit``: what the reader of a published table can work out, before it is published."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pets.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pets.disclosure.attacker import Attacker
    from pets.disclosure.auditing import Audit
    from pets.disclosure.reconstruction import Reconstruction
    from pets.disclosure.table import Table

    Report = Callable[[int, int], None]

LEAKS = 4
"""Exit code: something leaks, or it could not be decided that nothing does."""

Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        help="A published table as .csv (totals among the codes; hidden cells empty, '*' or '<5'), several releases "
        "of it, a .jj file of tau-ARGUS, or (with --rows) a file with one record a line.",
        show_default=False,
    ),
]
PatternFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="For a .jj file: which cells are hidden. A CSV as 'pets suppress' writes it, or the numbers of the "
        "hidden cells, one a line. Without it, the sensitive cells alone.",
        show_default=False,
    ),
]
HierarchyFile = Annotated[
    list[str] | None,
    typer.Option(
        "--hierarchy",
        help="COLUMN=FILE: groups over the codes of a column, as .hrc or as CSV with the columns code and parent. A "
        "code may have several parents: overlapping age bands.",
        metavar="COLUMN=FILE",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Write the report as .html, .csv or .json.", show_default=False
    ),
]


def audit(
    files: Files,
    pattern: PatternFile = None,
    codes: Annotated[
        Path | None, typer.Option(help="For a .jj file: CSV that names its cells.", show_default=False)
    ] = None,
    count: Annotated[
        str | None, typer.Option("--count", help="Column with the numbers.", metavar="COLUMN", show_default=False)
    ] = None,
    total_label: Annotated[
        str | None, typer.Option(help="How totals are called; Total, All and the like are recognised.")
    ] = None,
    hierarchy: HierarchyFile = None,
    nested: Annotated[
        bool,
        typer.Option("--nested", help="Each FILE counts everybody of the one before it and others: a growing window."),
    ] = False,
    minimum: Annotated[
        int | None,
        typer.Option(
            help="Counts from this one on are not sensitive. Without it every hidden cell of a CSV is, and differences "
            "under 5.",
            min=1,
        ),
    ] = None,
    width: Annotated[float, typer.Option(help="Report ranges narrower than this too.", min=0.0)] = 0.0,
    attacker: Annotated[
        str, typer.Option(help="Who reads it: default (knows margins and printed zeros), classic or strongest.")
    ] = "default",
    zeros_hidden: Annotated[bool, typer.Option("--zeros-hidden", help="A hidden cell may be empty.")] = False,
    one_symbol: Annotated[
        bool, typer.Option("--one-symbol", help="Read '<5' as 'hidden', no matter what it says.")
    ] = False,
    rows: Annotated[
        bool, typer.Option("--rows", help="FILE holds records: say what tables made of them would give away.")
    ] = False,
    by: Annotated[
        str,
        typer.Option(help="Columns of codes, with commas; with --rows, those of the records.", show_default=False),
    ] = "",
    no_totals: Annotated[
        bool, typer.Option("--no-totals", help="The publication has no totals: hidden cells may be in no sum.")
    ] = False,
    tables: Annotated[
        str, typer.Option(help="With --rows: 3 for all three-way tables, or each table: `age*sex,age*region`.")
    ] = "3",
    hide_below: Annotated[
        int | None, typer.Option(help="With --rows: print counts under this one as a range.", min=2)
    ] = None,
    time_limit: Annotated[float | None, typer.Option(help="Seconds after which the rest is undecided.", min=0)] = None,
    output: Output = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")] = False,
) -> None:
    """Show what a reader can work out from published tables with hidden cells.

    Hidden cells often follow from totals minus the other cells. This command computes, for every hidden cell, the
    least and the largest value over all tables that fit what is printed. Where only one value is left the cell leaks,
    and the sum that gives it away is shown, for example T x R1 - A x R1 - B x R1 = 3. No true value is needed: it sees
    what any reader sees.

    Four ways to use it:

    - one table:
      `pets audit table.csv`

    - several releases that share cells, or windows of years that grow (2018-21, then 2018-22), where one may be
      subtracted from the other:
      `pets audit to-2021.csv to-2022.csv --nested`

    - a file of tau-ARGUS with any pattern:
      `pets audit table.jj --pattern hidden.csv`

    - records, before any table of them is published: which of them could be reconstructed?
      `pets audit --rows cases.csv --by site,age,sex,region --tables 3 --hide-below 5`

    What is read: one row for each cell with a column of numbers (count, n, cases ...), or a crosstab. A cell that is
    left out is unknown, not 0. If some cell is printed as 0, hidden cells are taken to be 1 or more.

    How each file was read is printed first. If a hidden cell is in no sum (a rate taken for a code, a total that is
    not recognised), it cannot be judged: name the columns of codes with --by, the totals with --total-label.

    Exit code: 0 nothing leaks to a reader with this knowledge, 4 something leaks or could not be decided, 1 a file
    cannot be read or contradicts itself, 2 wrong usage. So it can stand in a script before 'publish'.
    """
    _check(files, rows, by, output)
    notes: list[str] = []
    with _progress() as report:
        found = (
            _rows(files[0], by, tables, hide_below, time_limit, report)
            if rows
            else _tables(files, pattern, codes, count, total_label, hierarchy or [], nested, minimum, width,
                         _attacker(attacker, zeros_hidden), one_symbol, time_limit, report, by, no_totals, notes)
        )  # fmt: skip
    for note in notes:
        _line(note, err=as_json)
    if output is not None:
        from pets.disclosure.audit_report import write_report

        write_report(found, output)
    if as_json:
        sys.stdout.write(json.dumps(found.to_dict(), indent=2) + "\n")
    else:
        _say(found, output)
    raise typer.Exit(LEAKS if _leaks(found) else 0)


def _check(files: Sequence[Path], rows: bool, by: str, output: Path | None) -> None:
    if rows and not by:
        raise InvalidArgument("--by", "is missing", "Name the columns of the tables: --by site,age,sex.")
    if rows and len(files) > 1:
        raise InvalidArgument("FILE", "must be one file with --rows")
    for file in files:
        if not file.is_file():
            raise InvalidArgument("FILE", f"{str(file)!r} does not exist", "Check the path.")
    if output is not None and output.suffix.lower() not in (".html", ".csv", ".json"):
        raise InvalidArgument("--output", "must end in .html, .csv or .json")


def _attacker(name: str, zeros_hidden: bool) -> Attacker:
    from dataclasses import replace

    from pets.disclosure.attacker import Attacker

    found = Attacker.of(name)
    return replace(found, zeros_known=False) if zeros_hidden else found


def _tables(
    files: Sequence[Path], pattern: Path | None, codes: Path | None, count: str | None, total: str | None,
    hierarchy: Sequence[str], nested: bool, minimum: int | None, width: float, attacker: Attacker, one_symbol: bool,
    time_limit: float | None, report: Report, by: str, no_totals: bool, notes: list[str],
) -> Audit:  # fmt: skip
    from dataclasses import replace

    from pets.cli_audit_reading import described, explained, unjudged, why_unjudged
    from pets.cli_tables import is_jj, open_jj
    from pets.disclosure.auditing import audit as audit_table
    from pets.disclosure.differencing import audit_releases, link_releases
    from pets.disclosure.printed import read_printed

    if is_jj(files[0]):
        if len(files) > 1:
            raise InvalidArgument("FILE", "must be one .jj file", "Several releases are read as .csv.")
        table = open_jj(files[0], codes)
        hidden = table.primary | table.forced if pattern is None else read_pattern(pattern, table)
        return audit_table(table, hidden, attacker, report, time_limit=time_limit)
    if pattern is not None:
        raise InvalidArgument("--pattern", "is for .jj files", "A CSV says itself which cells are hidden.")
    releases = [read_printed(file, count, total, one_symbol, _names(by)) for file in files]
    if total is not None and not any(total in release.totals for release in releases):
        raise InvalidArgument("--total-label", f"{total!r} is no code of the table")
    notes += [described(release) for release in releases]
    groups = dict(_groups(text, total) for text in hierarchy)
    try:
        found = audit_releases(
            releases, attacker, groups=groups, nested=nested, minimum=minimum, width=width, progress=report,
            time_limit=time_limit,
        )  # fmt: skip
        linked = link_releases(releases, attacker, groups=groups, nested=nested)
    except InvalidArgument as error:
        raise explained(error, releases, nested, bool(groups)) from None
    cells = () if no_totals else unjudged(releases, linked)
    if cells:
        notes.append(why_unjudged(releases, linked, cells))
    return replace(found, undecided=tuple(dict.fromkeys((*found.undecided, *cells))))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _groups(text: str, total: str | None) -> tuple[str, dict[str, Sequence[str]]]:
    from pets.cli_tables import read_hierarchy
    from pets.disclosure.printed import read_groups

    name, _, path = text.partition("=")
    if not name or not path:
        raise InvalidArgument("--hierarchy", "must have the form COLUMN=FILE", "For example: --hierarchy age=bands.csv")
    if Path(path).suffix.lower() != ".hrc":
        return name, dict(read_groups(path))
    found = read_hierarchy(Path(path), name, total or "Total")
    return name, {found.codes[group]: [found.codes[part] for part in parts] for group, parts in found.sums if group}


def read_pattern(path: Path, table: Table) -> NDArray[np.bool_]:
    """Return which cells a file says are hidden: a table with marks, or numbers of cells one a line.

    Raises
    ------
    InvalidArgument
        The file is neither, or names a cell that is not there.
    """
    import numpy as np

    from pets.disclosure.printed import read_printed

    hidden = np.zeros(table.cells, dtype=np.bool_)
    lines = path.read_text(encoding="utf-8-sig").split() if path.is_file() else []
    if lines and lines[0].lower() == "cell":
        lines = lines[1:]
    if lines and all(line.isascii() and line.isdigit() for line in lines):
        numbers = [int(line) for line in lines]
        if max(numbers) >= table.cells:
            raise InvalidArgument("--pattern", f"names a cell beyond the {table.cells} of the table")
        hidden[numbers] = True
        return hidden
    printed = read_printed(path)
    columns = table.codes if printed.dimensions == table.dimensions else (np.arange(table.cells).astype(np.str_),)
    place = {key: cell for cell, key in enumerate(zip(*(column.tolist() for column in columns), strict=True))}
    for key, mark in zip(zip(*(column.tolist() for column in printed.codes), strict=True), printed.hidden, strict=True):
        if key not in place:
            raise InvalidArgument("--pattern", f"names {' x '.join(key)}, which is no cell of the table")
        hidden[place[key]] = bool(mark)
    return hidden


def _rows(
    file: Path, by: str, tables: str, hide_below: int | None, time_limit: float | None, report: Report
) -> Reconstruction:
    from pets.disclosure.reconstruction import reconstruct, tables_of
    from pets.table_file import read_table

    names = _names(by)
    chosen: int | list[list[str]] = (
        int(tables) if tables.isdigit() else [[part.strip() for part in text.split("*")] for text in tables.split(",")]
    )
    labels, printed, counts = tables_of(read_table(file), names, chosen, hide_below=hide_below)
    return reconstruct(labels, printed, time_limit=time_limit, progress=report).compared(counts)


def _leaks(found: Audit | Reconstruction) -> bool:
    from pets.disclosure.auditing import Audit

    return not found.safe if isinstance(found, Audit) else found.proven > 0 or not found.decided


def _say(found: Audit | Reconstruction, output: Path | None) -> None:
    from pets.disclosure.audit_report import span, verdict
    from pets.disclosure.auditing import Audit

    if not isinstance(found, Audit):
        typer.echo(str(found))
        typer.echo("Proven records are findings; of a mere guess, an attacker cannot tell which records are true.")
    else:
        _line(verdict(found))
        number = len(found.cells)
        _line(f"{number} hidden {'cell' if number == 1 else 'cells'}; seen by a reader who {found.attacker}.")
        for leak in found.leaks[:20]:
            _line(f"  {leak.name} is {span(leak.low, leak.high)}: {leak.equation}")
        if len(found.leaks) > 20:
            _line(f"  and {len(found.leaks) - 20} more; write them all with --output report.html")
    if output is not None:
        typer.echo(f"Report written to {output}. It is confidential until what it shows is mended.", err=True)


def _line(text: str, err: bool = False) -> None:
    """Print a line, between words if the terminal is narrower; a file gets it whole."""
    stream = sys.stderr if err else sys.stdout
    if stream.isatty():
        columns = shutil.get_terminal_size().columns
        text = textwrap.fill(text, columns, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    typer.echo(text, err=err)


@contextmanager
def _progress() -> Iterator[Report]:
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with bar:
        task: Any = bar.add_task("audit", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
