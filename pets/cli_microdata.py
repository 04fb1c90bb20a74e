"""The command ``pets microdata``: how many records of a file can be singled out, and which columns identify people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pets.errors import InvalidArgument

if TYPE_CHECKING:
    from pets.disclosure.microdata import Assessment, SafeHarborCheck

FOUND = 4


def microdata(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A table with one record a line; .csv or .parquet.")],
    keys: Annotated[
        str, typer.Option(help="Columns that an intruder may know, with commas: age,sex,region.", show_default=False)
    ] = "",
    sensitive: Annotated[
        str, typer.Option(help="Columns that an intruder would like to learn, with commas.", show_default=False)
    ] = "",
    weights: Annotated[str, typer.Option(help="Column of sampling weights.", show_default=False)] = "",
    population: Annotated[
        int, typer.Option(help="How many people the records were drawn from; leave out for a full registry.", min=0)
    ] = 0,
    missing: Annotated[
        str, typer.Option(help="What an empty key cell is: 'value' (like others that are empty) or 'matches_all'.")
    ] = "value",
    minimum: Annotated[
        int, typer.Option("--k", help="Leave with exit code 4 if some record looks like fewer than k.", min=0)
    ] = 0,
    small_zip3: Annotated[
        str, typer.Option(help="Three-digit ZIP areas of 20,000 people or fewer, with commas.", show_default=False)
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")] = False,
) -> None:
    """Say how identifying a file of records is. Prints counts and column names, never a cell.

    Two things are looked at:

    1. The 18 identifiers of HIPAA Safe Harbor: names, dates, ages over 89, ZIP codes, numbers, addresses. For each
    column that looks like one it says why and what to do. It finds nothing in some files that still identify people:
    read its last lines.

    2. With --keys: the records that look alike in these columns. k is the size of the smallest such class; a class of
    1 is a person whom somebody with this knowledge can find. With --sensitive it also says what a class gives away:
    l is the least number of different values in a class, t the largest distance from the whole table.

    Example: pets microdata cases.csv --keys diagnosis,age_group,sex,region --sensitive vital_status --k 5

    Exit code: 0 looked at, 4 some record looks like fewer than --k, 1 the file or a column cannot be used. What to do
    next: pets.disclosure.microdata.recode_to_k and suppress_to_k in Python.
    """
    from pets.cli_tables import read_records
    from pets.disclosure.microdata import assess, check_safe_harbor

    frame = read_records(file)
    areas = _names(small_zip3)
    checked = check_safe_harbor(frame, small_zip3=areas or None)
    if not keys and (sensitive or weights or population or minimum):
        raise InvalidArgument("--keys", "is missing", "Name the columns that an intruder may know: --keys age,sex.")
    assessed = None
    if keys:
        assessed = assess(
            frame,
            _names(keys),
            sensitive=_names(sensitive),
            weights=weights or None,
            population=population or None,
            missing=missing,  # type: ignore[arg-type]
        )
    if as_json:
        typer.echo(json.dumps(_document(checked, assessed), indent=2))
    else:
        _print(checked, assessed)
    if assessed is not None and assessed.k < minimum:
        typer.echo(f"Some record looks like fewer than {minimum}: k is {assessed.k}.", err=True)
        raise typer.Exit(FOUND)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _document(checked: SafeHarborCheck, assessed: Assessment | None) -> dict[str, Any]:
    findings = [
        {"column": f.column, "letter": f.letter, "identifier": f.identifier, "evidence": f.evidence, "cells": f.cells}
        for f in checked.findings
    ]
    document: dict[str, Any] = {"rows": checked.rows, "safe_harbor": findings}
    if assessed is not None:
        document["keys"] = list(assessed.keys)
        document["measures"] = {name: value for name, value, _ in assessed.lines()}
    return document


def _print(checked: SafeHarborCheck, assessed: Assessment | None) -> None:
    from rich.console import Console

    console = Console()
    if assessed is not None:
        console.print(_measures(assessed))
    rows = [(f"({f.letter})", f.column, f.identifier, f.evidence, f.action) for f in checked.findings]
    console.print(
        _table("The 18 identifiers of HIPAA Safe Harbor", ("", "column", "looks like", "because", "do"), rows)
    )
    for caveat in checked.caveats:
        typer.echo(f"- {caveat}")
    if assessed is None:
        typer.echo("Next: name the columns that an intruder may know, for example --keys age,sex,region.")


def _measures(assessed: Assessment) -> Any:
    lines = [
        (name, f"{value:,.4g}" if isinstance(value, float) else f"{value:,}", text)
        for name, value, text in assessed.lines()
    ]
    title = f"Records that look alike in {', '.join(assessed.keys)}"
    return _table(title, ("measure", "value", "meaning"), lines)


def _table(title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows or [("", "nothing found", *[""] * (len(heads) - 2))]:
        table.add_row(*map(Text, row))
    return table
