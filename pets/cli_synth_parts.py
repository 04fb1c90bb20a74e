"""What the sides of ``pets synth`` share: the folder that it writes to, the ledger, the progress bar."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from pets.errors import ConfigError, InvalidArgument

ROWS, MODEL, REPORT, INTERNAL = "synthetic.csv", "model.pets", "report.html", "INTERNAL.html"


def rows_file(table: str) -> str:
    """Return the name of the file for the rows of one of several tables."""
    return f"synthetic-{table}.csv"


def checked_folder(output: Path, names: Iterable[str], inputs: Iterable[Path | None] = ()) -> Path:
    """Make the folder, and refuse what would fail only after the budget is spent.

    Parameters
    ----------
    output
        The folder.
    names
        Of the files that will be written.
    inputs
        Files that are read: none of them is replaced.

    Raises
    ------
    InvalidArgument
        It is a file, cannot be made, or holds one of the files that are read under a name that is written.
    """
    if output.is_file():
        raise InvalidArgument("--output", f"{output} is a file", "Give a folder; several files are written.")
    try:
        output.mkdir(parents=True, exist_ok=True)
        written = [output / name for name in {*names, *of_an_earlier_run(output)}]
        for path in inputs:
            if path is not None and any(one.exists() and path.exists() and one.samefile(path) for one in written):
                raise InvalidArgument("--output", f"would replace {path}, which is read", "Name another folder.")
    except OSError:
        raise InvalidArgument("--output", f"{output} cannot be made", "Give a folder that you may write to.") from None
    return output


def of_an_earlier_run(output: Path) -> list[str]:
    """Return the names of the files that an earlier run has left in a folder, except for those of a sweep."""
    found = [name for name in (ROWS, MODEL, REPORT, INTERNAL) if (output / name).is_file()]
    tables = [] if MODEL not in found else _tables_of(output / MODEL)
    return found + [name for name in map(rows_file, tables) if (output / name).is_file()]


def write_together(output: Path, contents: Mapping[str, Callable[[Path], object]], instead_of: Iterable[str]) -> None:
    """Write several files; once all are complete they take the place of those of an earlier run.

    Nobody finds rows of one run beside the pages of another: what was there goes first.

    Parameters
    ----------
    output
        The folder.
    contents
        Name of each file and what writes it to a path.
    instead_of
        Names of files that go.

    Raises
    ------
    InvalidArgument
        A file cannot be written.
    """
    drafts = {name: output / f".{secrets.token_hex(8)}.{name}" for name in contents}
    try:
        for name, write in contents.items():
            write(drafts[name])
        for name in {*contents, *instead_of}:
            (output / name).unlink(missing_ok=True)
        for name, draft in drafts.items():
            draft.replace(output / name)
    except OSError as error:
        problem = f"{output} cannot be written to: {error.strerror}"
        raise InvalidArgument("--output", problem, "Give a folder that you may write to.") from None
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)


def text_file(content: str) -> Callable[[Path], object]:
    """Return what writes a text."""
    return lambda path: path.write_text(content, encoding="utf-8")


@contextmanager
def opened(path: Path | None) -> Iterator[Any]:
    """Yield the ledger in a file, or None without one."""
    if path is None:
        yield None
        return
    from pets.ledger import Ledger

    with Ledger(path) as ledger:
        yield ledger


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """Yield what shows on the terminal what is being done, and how much of it is."""
    log = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn()
    with Progress(*columns, console=log, transient=True, disable=not log.is_terminal) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda doing, done, of: bar.update(task, description=doing, completed=done, total=of or None)


def _tables_of(model: Path) -> list[str]:
    """Return the tables of a model of linked tables; none for another file."""
    from pets.synthetic.linked.tables import FORMAT
    from pets.synthetic.storage import unpacked

    try:
        document, _ = unpacked(model.read_bytes())
        listed = document.get("tables", []) if document.get("format") == FORMAT else []
        return [name for name in listed if isinstance(name, str) and Path(name).name == name]
    except (ConfigError, OSError, AttributeError, TypeError):
        return []
