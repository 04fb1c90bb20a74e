"""The `pets` command. Results go to stdout; progress, warnings and errors go to stderr.

Exit codes: 0 done, 1 failure, 2 wrong usage, 3 budget exceeded, 4 verification failed, 5 the session stopped or a party
cannot be reached, 6 the contract differs or was declined, 130 interrupted.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pets.cli_audit import audit
from pets.cli_demo import demo
from pets.cli_federation import collect
from pets.cli_federation import site as take_part
from pets.cli_harmonise import harmonise
from pets.cli_keys import app as keys_app
from pets.cli_ledger import app as ledger_app
from pets.cli_microdata import microdata
from pets.cli_simulate import simulate
from pets.cli_suppress import suppress
from pets.cli_synth import synth
from pets.cli_transcript import transcript_app
from pets.cli_tune import tune, verify
from pets.errors import (
    BadSignature,
    BudgetExceeded,
    ContractDiffers,
    InvalidArgument,
    LedgerTampered,
    NotConnected,
    PetsError,
    ProtocolAbort,
    TranscriptInvalid,
)

if TYPE_CHECKING:
    from pets.domain import Domain
    from pets.federation.study import StudyPreview
    from pets.pipeline import Pipeline
    from pets.preview import Preview
    from pets.release import Release

app = typer.Typer(
    name="pets",
    help="Privacy-enhancing technology for registries: ask a question of many registries, publish an answer whose "
    "privacy loss and whose error are known beforehand.\n\nNew here? Run: pets demo. Choosing epsilon? Run: "
    "pets tune --demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.add_typer(keys_app, name="keys")
app.add_typer(ledger_app, name="ledger")
app.add_typer(transcript_app, name="transcript")
app.command("demo")(demo)
app.command("simulate")(simulate)
app.command("collect")(collect)
app.command("site")(take_part)
app.command("harmonise")(harmonise)
app.command("suppress")(suppress)
app.command("audit")(audit)
app.command("microdata")(microdata)
app.command("synth")(synth)
app.command("tune")(tune)
app.command("verify")(verify)

PlanFile = Annotated[
    Path, typer.Argument(help="Plan file (.toml or .json): query, domain, mechanism, ledger.", metavar="PLAN")
]
Site = Annotated[
    list[str], typer.Option("--site", help="NAME=FILE, once for each site; .csv or .parquet.", metavar="NAME=FILE")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]


@app.command()
def preview(
    plan: PlanFile,
    site: Annotated[
        list[str] | None,
        typer.Option("--site", help="Name of a site, once for each; matters with noise at the sites.", metavar="NAME"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a plan promises, how accurate it is and who sees what. Reads no data, spends nothing."""
    from pets.federation import plan_from_file

    shown = plan_from_file(plan).preview(site or ())
    if as_json:
        _print_json({title: [list(row) for row in rows] for title, rows in shown.sections().items()})
    else:
        _print_preview(shown)


@app.command()
def run(
    plan: PlanFile,
    site: Site,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the release as JSON to this file.")
    ] = None,
    repeat: Annotated[str, typer.Option(help="Any new text makes a fresh, newly charged draw.")] = "",
    level: Annotated[float, typer.Option(help="Coverage of the intervals.")] = 0.95,
    as_json: AsJson = False,
) -> None:
    """Run a plan over the sites' files, charge the ledger and print the release.

    The same plan over the same sites is answered from the ledger at no further cost.
    """
    from pets.config import write_atomic
    from pets.noise import NoNoise, half_width
    from pets.pipeline import Pipeline

    # All that can be refused is refused before anything is charged.
    half_width(NoNoise(), level)
    if output is not None and not output.resolve().parent.is_dir():
        raise InvalidArgument(
            "--output", f"is in a folder that does not exist: {output.parent}", "Make the folder first."
        )
    pipeline = Pipeline.from_file(plan)
    frames = {name: _read(path, pipeline.domain) for name, path in _sites(site).items()}
    before = None if pipeline.ledger is None else pipeline.ledger.head
    release = pipeline.run(frames, repeat=repeat)
    _say_what_it_cost(pipeline, before)
    if output is not None:
        write_atomic(output, release.to_json())
        Console(stderr=True).print(f"release written to {output}")
    if as_json:
        sys.stdout.write(release.to_json() + "\n")
    else:
        _print_release(release, level)


@app.command("suggest-domain")
def suggest_domain(
    file: Annotated[Path, typer.Argument(help="A table to look at; .csv or .parquet.")],
    unit_id: Annotated[str | None, typer.Option("--id", help="Column that identifies a patient.")] = None,
) -> None:
    """Draft a domain file from a table, for a data steward to correct and declare public.

    What it prints was read from confidential rows: do not publish it before a person has checked every line.
    """
    from pets.cli_tables import read_records
    from pets.domain import Domain

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the draft itself begins with the same warning
        sys.stdout.write(Domain.suggest(read_records(file), id=unit_id).to_toml())


def _say_what_it_cost(pipeline: Pipeline, before: str | None) -> None:
    """Tell on stderr whether the ledger paid, or answered from its memory."""
    if pipeline.ledger is None:
        return
    if pipeline.ledger.head == before:
        text = (
            "answered from the ledger: this request was made before, so nothing was charged and the files were "
            "not used. New data needs a new 'dataset' in the plan; --repeat asks for a fresh draw."
        )
    else:
        left = pipeline.ledger.remaining(pipeline.dataset, str(pipeline.domain.unit))
        text = f"charged: {pipeline.cost}; left for data set {pipeline.dataset!r}: {left}"
    Console(stderr=True).print(Text(text))


def _sites(options: list[str]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for name, path in map(_site, options):
        if name in named:
            raise InvalidArgument("--site", f"gives {name!r} twice", "Give each site a name of its own.")
        named[name] = path
    return named


def _site(text: str) -> tuple[str, Path]:
    name, separator, path = text.partition("=")
    if not separator or not name or not path:
        raise InvalidArgument("--site", "must have the form NAME=FILE", "For example: --site FR=france.csv")
    return name, Path(path)


def _read(path: Path, domain: Domain) -> Any:
    from pets.declared_rows import read_rows

    return read_rows(path, domain)


def _print_preview(shown: Preview | StudyPreview) -> None:
    console = Console()
    for title, rows in shown.sections().items():
        table = Table(
            title=title, title_justify="left", show_header=False, box=None, title_style="bold", padding=(0, 2, 0, 0)
        )
        table.add_column(style="cyan", no_wrap=False, max_width=30)
        table.add_column()
        for term, text in rows:
            table.add_row(term, text)
        console.print(table, "")


def _print_release(release: Release, level: float) -> None:
    from pets.release_view import show_value

    columns = release.to_columns(level)
    table = Table(caption="\n".join([*_left_out(release, level), *release.explain()]), caption_justify="left")
    for name in columns:
        table.add_column(name, justify="right" if name in ("value", "stderr", "ci_low", "ci_high") else "left")
    for i in range(len(columns["value"])):
        table.add_row(*(show_value(column[i]) for column in columns.values()))
    Console().print(table)


def _left_out(release: Release, level: float) -> list[str]:
    found = release.dropped(level)
    if found is None:
        return []
    number, low, high = found
    return [f"Rows left out because they fit no declared cell: {number} ({max(low, 0)} to {max(high, 0)})."]


def _print_json(data: object) -> None:
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    Console(stderr=True).print(Text("warning: ", style="yellow") + Text(str(message), style="default"))


def main() -> None:
    """Run the command; a `pets` error becomes one sentence on stderr and an exit code."""
    warnings.showwarning = _show_warning
    try:
        app()
    except PetsError as error:
        text = " ".join([str(error), *getattr(error, "__notes__", [])])
        Console(stderr=True).print(Text("error: ", style="bold red") + Text(text, style="not bold default"))
        raise SystemExit(_exit_code(error)) from None


def _exit_code(error: PetsError) -> int:
    kinds: dict[int, tuple[type[PetsError], ...]] = {
        3: (BudgetExceeded,),
        4: (LedgerTampered, BadSignature, TranscriptInvalid),
        5: (ProtocolAbort, NotConnected),
        6: (ContractDiffers,),
    }
    return next((code for code, types in kinds.items() if isinstance(error, types)), 1)


if __name__ == "__main__":
    main()
