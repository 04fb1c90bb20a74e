"""The command ``pets suppress``: a table of counts without its small cells, and without what gives them away."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pets.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from pets.disclosure.rules import Rule
    from pets.disclosure.table import Table

FAR = 0.2
"""Gap from which on a pattern may be far from the best."""

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="A .csv or .parquet file with one row for each case, or (with --count) one row for each cell of a table, "
        "margins included or not; or a .jj file of tau-ARGUS.",
        show_default=False,
    ),
]
By = Annotated[
    list[str] | None,
    typer.Option(help="Column of the table; once for each, or with commas between them.", metavar="COLUMN"),
]
CountColumn = Annotated[
    str | None, typer.Option("--count", help="Column with the counts, if FILE is a table already.", metavar="COLUMN")
]
Minimum = Annotated[
    int | None, typer.Option(help="Smallest count that is shown; without it or a preset, 5.", metavar="N", min=2)
]
PresetName = Annotated[
    str | None,
    typer.Option("--preset", help="A published rule instead, e.g. cms; see --presets.", metavar="NAME"),
]
Zeros = Annotated[
    str,
    typer.Option(
        help="Empty cells: 'publish' prints them as 0, 'suppress' hides them all, 'allow' hides some where it helps."
    ),
]
HierarchyFile = Annotated[
    list[str] | None,
    typer.Option(
        "--hierarchy",
        help="COLUMN=FILE: groups over the codes of a column, as .hrc or as CSV with the columns code and parent.",
        metavar="COLUMN=FILE",
    ),
]
MarginsOption = Annotated[
    str,
    typer.Option(
        help="Totals and groups: 'printed' with the table (and hidden if need be), 'known' to everybody from "
        "elsewhere, or 'none' if nobody ever learns them."
    ),
]
AttackerName = Annotated[
    str, typer.Option(help="Against whom: default (knows margins and printed zeros), classic or strongest.")
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write the table here as CSV; without it, to the screen.")
]


def _print_presets(wanted: bool) -> None:
    from pets.disclosure.presets import PRESETS

    if not wanted:
        return
    for found in PRESETS.values():
        typer.echo(
            f"{found.name}\n    {found.summary}\n    {found.source}\n    {found.url}\n    Checked: {found.checked}\n"
        )
    raise typer.Exit


Presets = Annotated[
    bool,
    typer.Option(
        "--presets", help="Show the published rules and where each comes from.", callback=_print_presets, is_eager=True
    ),
]


def suppress(
    file: File,
    by: By = None,
    count: CountColumn = None,
    minimum: Minimum = None,
    preset: PresetName = None,
    zeros: Zeros = "publish",
    hierarchy: HierarchyFile = None,
    total_label: Annotated[str, typer.Option(help="How totals are called in FILE and in the result.")] = "Total",
    margins: MarginsOption = "printed",
    codes: Annotated[
        Path | None, typer.Option(help="For a .jj file: CSV that names its cells.", show_default=False)
    ] = None,
    attacker: AttackerName = "default",
    fast: Annotated[
        bool, typer.Option("--fast", help="Do not look for the best pattern, only for a good one.")
    ] = False,
    time_limit: Annotated[float, typer.Option(help="Seconds after which the best pattern so far is taken.")] = 60.0,
    symbol: Annotated[str, typer.Option(help="What is printed in hidden cells, one symbol for all of them.")] = "*",
    rows: Annotated[
        bool, typer.Option("--rows", help="Each line is one case, even if a column or a code looks like a table's.")
    ] = False,
    no_totals: Annotated[
        bool, typer.Option("--no-totals", help="With --count: no line is a total, even if it looks like one.")
    ] = False,
    missing: Annotated[
        str | None, typer.Option(help="Code for lines without one, e.g. unknown.", metavar="CODE", show_default=False)
    ] = None,
    no_rounding: Annotated[
        bool, typer.Option("--no-rounding", help="With a preset that also rounds: rounding is done elsewhere.")
    ] = False,
    output: Output = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON; needs --output.")] = False,
    presets: Presets = False,  # noqa: ARG001 its callback does it
) -> None:
    """Hide small counts of a table, and as few others as possible so that nobody can work them out.

    Hiding the small counts alone is not enough: totals minus the other cells give most of them back. This command hides
    further cells until an attacker, who adds and subtracts and knows that counts are whole and which cells are
    empty, is left with several possible values for each small count. It looks for the pattern that costs
    least, says how far from the best it may be, and audits the result before it writes anything. The result holds
    no true count of a hidden cell.

    Try:

    - one row per case:
      `pets suppress cases.csv --by site,age,region --minimum 5 -o table.csv`

    - a finished table with totals, and diagnosis groups over subgroups:
      `pets suppress table.csv --by site --by region --count n --total-label All --hierarchy site=iccc3.hrc -o out.csv`

    - a file of tau-ARGUS: `pets suppress table.jj -o out.csv`

    Afterwards `pets audit` shows what the published table still tells.
    """
    from pets.cli_suppress_checks import check_options, check_reading, check_rounding, check_symbol

    check_options(file, output, as_json, attacker, time_limit)
    check_symbol(symbol)
    check_reading(count, rows, no_totals, missing)
    check_rounding(preset, no_rounding)
    reading = {"rows": rows, "no_totals": no_totals, "missing": missing}
    table, printed, filled = _open(
        file, by or [], count, minimum, preset, zeros, hierarchy or [], total_label, margins, codes, reading
    )
    with _progress() as report:
        found = _search(table, attacker, time_limit, fast, report)
    text = published_csv(table, found.suppressed, printed, count or "count", symbol)
    summary = _summary(table, found, printed)
    if output is None:
        sys.stdout.write(text)
    else:
        from pets.config import write_atomic

        write_atomic(output, text)
    if as_json:
        sys.stdout.write(json.dumps(summary, indent=2) + "\n")
    if filled:
        lines = "1 line without a code was" if filled == 1 else f"{filled} lines without a code were"
        Console(stderr=True, highlight=False).print(f"{lines} given {missing!r}.", markup=False)
    _say(summary, output, preset)


def published_csv(
    table: Table, suppressed: NDArray[np.bool_], printed: NDArray[np.bool_], column: str, symbol: str
) -> str:
    """Return the table as CSV, with `symbol` for every hidden cell."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*(table.dimensions or ("cell",)), column])
    for cell in range(table.cells):
        if not printed[cell]:
            continue
        value = symbol if suppressed[cell] else _plain(float(table.values[cell]))
        writer.writerow([*([codes[cell] for codes in table.codes] or [cell]), value])
    return buffer.getvalue()


def _open(
    file: Path,
    by: list[str],
    count: str | None,
    minimum: int | None,
    preset: str | None,
    zeros: str,
    hierarchy: list[str],
    total: str,
    margins: str,
    codes: Path | None,
    reading: dict[str, Any],
) -> tuple[Table, NDArray[np.bool_], int]:
    """Return the table, which of its cells are printed, and how many lines lacked a code."""
    import numpy as np

    from pets.cli_tables import is_jj, open_jj, open_sheet
    from pets.disclosure.build import Margins
    from pets.disclosure.sheet import Fate

    if margins not in get_args(Margins):
        raise InvalidArgument("--margins", "must be printed, known or none")
    if is_jj(file):
        given: dict[str, object] = {f"--{name.replace('_', '-')}": value for name, value in reading.items()}
        given |= {"--by": by, "--count": count, "--minimum": minimum, "--preset": preset, "--hierarchy": hierarchy}
        for name, value in given.items():
            if value:
                raise InvalidArgument(
                    name, "does not go with a .jj file", "It says itself what adds up and what is small."
                )
        found = open_jj(file, codes)
        return found, np.ones(found.cells, dtype=np.bool_), 0
    if codes is not None:
        raise InvalidArgument("--codes", "goes with a .jj file only")
    sheet, filled = open_sheet(file, by, count, hierarchy, total, margins, **reading)  # type: ignore[arg-type]
    return sheet.table(*_rules(minimum, preset, zeros)), np.asarray(sheet.fate == Fate.PRINTED), filled


def _rules(minimum: int | None, name: str | None, zeros: str) -> tuple[Rule, ...]:
    from pets.disclosure.presets import preset
    from pets.disclosure.rules import MinimumFrequency

    if zeros not in ("publish", "suppress", "allow"):
        raise InvalidArgument("--zeros", "must be publish, suppress or allow")
    if name is None:
        return (MinimumFrequency(minimum or 5, zeros),)  # type: ignore[arg-type]
    if minimum is not None:
        raise InvalidArgument("--minimum", "and --preset cannot both be given")
    found = preset(name)
    if not found.rules:
        raise InvalidArgument("--preset", f"{name!r} is about records, not about cells of a table")
    return found.rules


def _search(table: Table, attacker: str, seconds: float, fast: bool, report: Callable[..., None]) -> Any:
    from pets.disclosure.complementary import suppress as search

    return search(
        table,
        _attacker(attacker),
        time_limit=seconds,
        method="fast" if fast else "optimal",
        progress=report,
    )


def _attacker(name: str) -> str | None:
    return None if name == "default" else name


@contextmanager
def _progress() -> Iterator[Callable[..., None]]:
    """Show on the terminal what is being done, how good the best pattern is and how good one could be."""
    log = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=log, transient=True, disable=not log.is_terminal) as bar:
        task = bar.add_task("reading the table", total=None)

        def report(stage: str, cost: float, bound: float) -> None:
            known = cost < float("inf")
            words = f"{stage}: cost {_plain(cost)}, at least {_plain(round(bound, 1))}" if known else stage
            bar.update(task, description=words, total=cost if known and cost else None, completed=bound if known else 0)

        yield report


def _summary(table: Table, found: Any, printed: NDArray[np.bool_]) -> dict[str, Any]:
    hidden = found.suppressed & printed
    small = hidden & table.primary
    gap = float(found.gap)
    inner = _inner(table)
    return {
        "cells": int(printed.sum()),
        "hidden": int(hidden.sum()),
        "small": int(small.sum()),
        "others": int((hidden & ~small).sum()),
        "cases": float(table.values[inner].sum()),
        "cases_hidden": float(table.values[inner & found.suppressed].sum()),
        "cost": float(found.cost),
        "bound": float(found.bound),
        "gap": gap if gap < float("inf") else None,
        "optimal": bool(found.optimal),
        "attacker": str(found.attacker),
        "audited": True,
    }


def _inner(table: Table) -> NDArray[np.bool_]:
    """Which cells are no sum of others: each case is in one of them."""
    import numpy as np

    rows = table.relations
    sizes = np.diff(rows.indptr)[rows.rows]
    minus = np.bincount(rows.rows, weights=rows.signs == -1, minlength=rows.count)[rows.rows]
    # the margin is alone on its side of the sum; of a group with one part it is the one that comes first
    margin = np.where((sizes > 2) & (minus != 1), rows.signs == 1, rows.signs == -1)
    found = np.ones(table.cells, dtype=np.bool_)
    found[rows.indices[margin]] = False
    return found


def _say(summary: dict[str, Any], output: Path | None, preset: str | None) -> None:
    from pets.disclosure.presets import PRESETS

    log = Console(stderr=True, highlight=False)
    if not summary["hidden"]:
        log.print(f"Nothing to hide: none of the {summary['cells']} cells is small.")
    else:
        log.print(
            f"{summary['hidden']} of {summary['cells']} cells {_are(summary['hidden'])} hidden: "
            f"{_many(summary['small'], 'small one')} and {_many(summary['others'], 'other')} that would give them away."
        )
        log.print(
            f"{_plain(summary['cases_hidden'])} of {_many(summary['cases'], 'case')} are in hidden inner cells "
            f"(cost {_plain(summary['cost'])}: what the other hidden cells hold, margins counted again)."
        )
        log.print(_how_good(summary))
        log.print(f"Audited: a reader who {summary['attacker']} can work out no small count.")
        log.print("These figures are for you, not for print: a sum over hidden cells tells something of each.")
    if preset is not None and PRESETS[preset].rounding:
        log.print(
            f"Note: the rule {preset!r} also rounds what is shown to the nearest {PRESETS[preset].rounding}; "
            "this command does not round. Round the table before it goes out."
        )
    if output is not None:
        log.print(f"Table written to {output}")


def _how_good(summary: dict[str, Any]) -> str:
    if summary["optimal"]:
        return "No pattern that withstands the attack costs less: this one is proven best."
    if summary["bound"] <= 0:
        return "How much less another pattern could cost was not looked into."
    gap = summary["gap"]
    known = "" if gap is None else f", a gap of {100 * gap:.1f} %"
    least = f"No pattern can cost less than {_plain(round(summary['bound'], 1))}{known}."
    if gap is None or gap > FAR:
        return f"{least} This one may be far from the best: take fewer columns, or more time (--time-limit)."
    return f"{least} More time may find a better one."


def _many(number: float, noun: str) -> str:
    return f"{_plain(number)} {noun}" + ("" if number == 1 else "s")


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else f"{number:g}"
