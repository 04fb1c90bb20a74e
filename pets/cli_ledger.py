"""The command ``pets ledger``: look at a privacy budget, and check that nobody has edited it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pets.errors import LedgerError, LedgerTampered, PetsError

if TYPE_CHECKING:
    from rich.table import Table

    from pets.ledger import Entry, Ledger

FAILED = 1
TAMPERED = 4

app = typer.Typer(
    name="ledger",
    help="Look at a privacy budget, and check that nobody has edited it.",
    no_args_is_help=True,
)

LedgerFile = Annotated[
    Path, typer.Argument(metavar="PATH", help="The ledger file, for example budget.sqlite.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of tables for people.")]


@app.command()
def show(
    path: LedgerFile,
    as_json: AsJson = False,
    entries: Annotated[int, typer.Option(help="How many of the newest entries to print.", min=0)] = 10,
) -> None:
    """Show what each account has spent and has left, and the newest entries.

    An account is one data set and one kind of person (or family, or centre) who is protected. The limit holds
    for each account. A budget bounds what all releases together can tell about one such person; when
    it is used up, no further release is possible. Exact releases (suppressed tables, for instance) are
    counted apart, because no budget bounds what they tell.

    The last line is the hash of the newest entry. Keep it elsewhere, and 'pets ledger verify --head' can
    prove later that nothing up to that entry was changed.
    """
    with _reported(as_json), _opened(path) as ledger:
        newest = ledger.entries(last=entries)
        if as_json:
            _print_json(_overview(ledger, newest))
        else:
            _print_tables(ledger, newest)


@app.command()
def verify(
    path: LedgerFile,
    head: Annotated[
        str | None,
        typer.Option(
            help="Hash of an entry that was kept elsewhere, for example in a published release.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check that no entry of the ledger was changed, removed, added behind its back or moved.

    Every entry carries the hash of the one before it. This recomputes all hashes, all running totals and
    all limits. Somebody who rewrites the whole file with new hashes is found only with --head: the hash of an
    entry that was written down where that somebody could not change it.

    Exit code: 0 the ledger holds together, 4 it was tampered with or damaged, 1 it could not be checked.
    """
    with _reported(as_json), _opened(path) as ledger:
        found = ledger.verify(head)
        if as_json:
            fields = {name: getattr(found, name) for name in ("entries", "accounts", "answers", "head", "anchored")}
            _print_json({"ok": True} | fields)
        else:
            typer.echo(f"OK. {found}")
            typer.echo(f"Newest entry: {found.head}")


@contextmanager
def _opened(path: Path) -> Iterator[Ledger]:
    from pets.ledger import Ledger

    if not path.exists():
        raise LedgerError(f"there is no ledger at {str(path)!r}. Check the path.")
    with Ledger(path) as ledger:
        yield ledger


@contextmanager
def _reported(as_json: bool = False) -> Iterator[None]:
    """Print an error in one line and leave with its exit code."""
    try:
        yield
    except PetsError as error:
        tampered = isinstance(error, LedgerTampered)
        if as_json:
            _print_json(
                {"ok": False, "tampered": tampered, "error": str(error), "entry": getattr(error, "sequence", None)}
            )
        else:
            typer.echo(f"{'TAMPERED OR DAMAGED' if tampered else 'Error'}: {error}", err=True)
        raise typer.Exit(TAMPERED if tampered else FAILED) from None


def _overview(ledger: Ledger, newest: tuple[Entry, ...]) -> dict[str, Any]:
    accounts = [
        {
            "dataset": account.dataset,
            "unit": account.unit,
            "spent": account.spent.to_dict(),
            "remaining": account.remaining.to_dict(),
            "exact_releases": account.exact_releases,
        }
        for account in ledger.accounts()
    ]
    limit = ledger.limit.to_dict()
    return {"limit": limit, "accounts": accounts, "entries": [e.to_dict() for e in newest], "head": ledger.head}


def _print_json(data: dict[str, Any]) -> None:
    typer.echo(json.dumps(data, indent=2))


def _print_tables(ledger: Ledger, newest: tuple[Entry, ...]) -> None:
    from rich.console import Console

    console = Console()
    typer.echo(f"Each account may spend at most {ledger.limit}.")
    typer.echo(ledger.limit.explain())
    console.print(_account_table(ledger))
    exact = sum(account.exact_releases for account in ledger.accounts())
    if exact:
        typer.echo(
            f"WARNING: {exact} exact release(s). What they tell is bounded by no budget and adds to everything above."
        )
    if newest:
        console.print(_entry_table(newest))
    typer.echo(f"Newest entry: {ledger.head}")


def _account_table(ledger: Ledger) -> Table:
    from pets.ledger.display import bar, exact_words, printable

    limit = ledger.limit
    rows = [
        (
            printable(a.dataset),
            printable(a.unit) or "not named",
            bar(a, limit),
            str(a.spent),
            str(a.remaining),
            exact_words(a.exact_releases),
        )
        for a in ledger.accounts()
    ]
    return _table("Accounts", ("data set", "who is protected", "used", "spent", "left", "exact releases"), rows)


def _entry_table(newest: tuple[Entry, ...]) -> Table:
    from pets.ledger.display import printable, sentence

    rows = [(str(e.sequence), e.time[:19].replace("T", " "), sentence(e), printable(e.note)[:200]) for e in newest]
    return _table("Newest entries", ("number", "time (UTC)", "what", "note"), rows)


def _table(title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for head in heads:
        table.add_column(head, overflow="fold", no_wrap=head == "used")
    for row in rows:
        table.add_row(*map(Text, row))  # as Text, or else brackets in a note would be read as markup
    return table
