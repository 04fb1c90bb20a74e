"""The command ``pets demo``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

if TYPE_CHECKING:
    from pets.demo import DemoFiles, Study

Output = Annotated[
    Path, typer.Option("--output", "-o", help="Folder to write to; it is made if it is missing.", metavar="DIR")
]
Epsilons = Annotated[
    list[float] | None,
    typer.Option(
        "--epsilon",
        "-e",
        help="A privacy loss to show; give it several times for several. Smaller protects more and adds more noise. "
        "Without it: 0.1, 0.25, 0.5, 1, 2 and 5.",
        metavar="EPSILON",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print results.json instead of a table.")]

_STYLES = {"joint": "blue", "registry": "cyan"}


def demo(output: Output = Path("demo-report"), epsilon: Epsilons = None, as_json: AsJson = False) -> None:
    """See on real counts what registries lose by masking small cells, and what noise would cost instead.

    Liver cancers at ages 0-14 in 21 European registries (Cancer Incidence in Five Continents XII, public
    counts) are joined into one table by sex and age, in three ways:

    - **masking**, today's practice: each registry hides cells under 5 (11, 16) before it sends them;

    - **one noise in the joint total**: differential privacy where the registries add up first;

    - **a noise at each registry**: differential privacy where nobody trusts anybody's sum.

    Writes `report.html` (opens offline, for a registry's director), `results.json` (every number) and
    `demo-ledger.sqlite` (what the noise has cost; try `pets ledger show`). Takes a few seconds. A second run
    gives the same noise again, because the ledger keeps each answer.
    """
    from pets.demo import EPSILONS, run_demo

    log = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=log, transient=True, disable=not log.is_terminal) as bar:
        task = bar.add_task("reading the counts", total=None)
        files = run_demo(
            output,
            epsilon or EPSILONS,
            lambda doing, done, of: bar.update(task, description=doing, completed=done, total=of),
        )
    if as_json:
        sys.stdout.write(files.results.read_text(encoding="utf-8"))
        return
    Console().print(headline(files.study))
    _say_where(log, files)


def headline(study: Study) -> Table:
    """Return the comparison as a table for the terminal."""
    from pets.demo import words
    from pets.demo.results import PLACES

    table = Table(
        title=f"{study.exact.total} liver cancers at ages 0-14 in {len(study.exact.tables)} European registries",
        caption=f"exact rate per million (95 % CI): {words.rate(study.exact.rate)}",
        title_justify="left",
        caption_justify="left",
    )
    for name in ("published how", "cases missing", "standard error", "rate per million (95 % CI)"):
        table.add_column(name, justify="left" if name == "published how" else "right")
    for result in study.masked:
        lost = f"{result.lost} ({words.percent(study.share(result.lost))})"
        table.add_row(f"masked under {result.minimum}", lost, "", words.rate(result.rate), style="dark_orange3")
    for place in PLACES:
        table.add_section()
        for value in study.epsilons:
            release = study.at(value, place)
            error = f"±{words.spread(release.total.stderr)} ({words.percent(study.share(release.total.stderr))})"
            name = f"{words.NAMES[place].lower()}, {words.equation(value)}"
            table.add_row(name, "0", error, words.rate(release.rate), style=_STYLES[place])
    return table


def _say_where(log: Console, files: DemoFiles) -> None:
    log.print(
        f"report:  {files.report}", f"numbers: {files.results}", f"ledger:  {files.ledger}", sep="\n", highlight=False
    )
