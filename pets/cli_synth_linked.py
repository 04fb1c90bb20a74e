"""The side of ``pets synth`` that makes linked tables: patients, their tumours, the treatments of each tumour."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from pets.cli_synth_pages import linked_internal_page, linked_page
from pets.cli_synth_parts import (
    INTERNAL,
    MODEL,
    REPORT,
    checked_folder,
    of_an_earlier_run,
    opened,
    progress,
    rows_file,
    text_file,
    write_together,
)
from pets.errors import InvalidArgument, did_you_mean

if TYPE_CHECKING:
    from pets.domain import Domain
    from pets.synthetic.linked import LinkedDomain

_KINDS = {"auto": "adaptive", "mst": "mst", "aim": "aim", "independent": "independent"}


def refuse_linked(domain: Path) -> None:
    """Refuse a file that declares several tables, where one is expected.

    Raises
    ------
    InvalidArgument
        It does.
    """
    from pets.config import read_file

    tables = read_file(domain).get("tables")
    if isinstance(tables, Mapping):
        named = " ".join(f"--table {name}={name}.csv" for name in tables)
        raise InvalidArgument("--table", f"is missing: {domain.name} declares several tables", f"Give {named}.")


def synth_linked(
    tables: list[str],
    domain: Path,
    output: Path,
    settings: tuple[float | None, float, str, int | None],
    n: int | None,
    book: tuple[Path | None, str],
    *,
    only_declared: bool,
    evaluate: bool,
) -> None:
    """Fit linked tables, and write artificial ones with their pages.

    Parameters
    ----------
    tables
        Options of the form NAME=FILE.
    domain
        File that declares them.
    output
        Folder.
    settings
        Epsilon, delta, mechanism, and the declared number of patients.
    n
        Artificial patients.
    book
        Ledger, and the name of the data in it.
    only_declared
        Whether undeclared columns are left out instead of refused.
    evaluate
        Whether the page on fidelity is written.
    """
    from pets.synthetic.linked import Linked, LinkedDomain

    epsilon, delta, mechanism, rows = settings
    declared = LinkedDomain.from_file(domain)
    files = _files(tables, declared)
    if mechanism not in _KINDS:
        raise InvalidArgument("--mechanism", "is none for linked tables", did_you_mean(mechanism, _KINDS))
    if epsilon is None:
        raise InvalidArgument("--epsilon", "is missing: it is what bounds the privacy loss", "Try --epsilon 1.")
    plan = Linked(
        epsilon, delta, children=declared.children, survival=declared.survival, rows=rows, kind=_KINDS[mechanism]
    )
    checked_folder(
        output, (*map(rows_file, declared.domains), MODEL, REPORT, INTERNAL), (*files.values(), domain, book[0])
    )
    frames = {name: _read(files[name], declared, name, only_declared) for name in declared.domains}
    with progress() as say, opened(book[0]) as ledger:
        say(f"fitting {len(frames)} tables", 0, 0)
        model = plan.fit(frames, declared.domains, ledger, dataset=book[1])
        say("drawing artificial rows", 0, 0)
        made = model.sample(n)
        contents: dict[str, Callable[[Path], object]] = {rows_file(name): _csv(frame) for name, frame in made.items()}
        contents |= {MODEL: model.save, REPORT: text_file(linked_page(model, {k: len(v) for k, v in made.items()}))}
        write_together(output, contents, of_an_earlier_run(output))
    _summary(output, model, made)
    if evaluate:  # an error here leaves what was paid for, told and written
        with progress() as say:
            page = linked_internal_page(_compared(frames, made, declared, say))
        (output / INTERNAL).write_text(page, encoding="utf-8")
        Console(stderr=True).print(Text(f"INTERNAL: {output / INTERNAL} (fidelity; do not pass on)", style="red"))


def _files(tables: list[str], declared: LinkedDomain) -> dict[str, Path]:
    """Return the file of each declared table."""
    found: dict[str, Path] = {}
    for option in tables:
        name, separator, path = option.partition("=")
        if not separator or not name or not path:
            raise InvalidArgument(
                "--table", "must have the form NAME=FILE", "For example: --table tumours=tumours.csv."
            )
        if name not in declared.domains:
            raise InvalidArgument("--table", f"{name!r} is not declared", did_you_mean(name, declared.domains))
        if name in found:
            raise InvalidArgument("--table", f"names {name!r} twice", "Give one file for each table.")
        found[name] = Path(path)
    for name in declared.domains:
        if name not in found:
            raise InvalidArgument("--table", f"is missing for {name!r}", f"Add --table {name}={name}.csv.")
        if Path(name).name != name or len(name) > 100:
            raise InvalidArgument("--domain", f"has a table {name!r}, which cannot be the name of a file", "Rename it.")
    return found


def _read(path: Path, declared: LinkedDomain, name: str, only_declared: bool) -> Any:
    """Return the rows of a table; its keys are texts, in every table."""
    from pets.declared_rows import read_rows

    domain, keys = declared.domains[name], declared.keys(name)
    frame = read_rows(path, domain)
    others = [str(column) for column in frame.columns if column not in domain and column not in keys]
    if others and not only_declared:
        raise InvalidArgument(
            f"--table {name}", f"has columns that the domain does not declare: {', '.join(others[:6])}",
            "Declare them, or leave them out with --only-declared.",
        )  # fmt: skip
    return frame.drop(columns=others)


def _csv(frame: Any) -> Callable[[Path], object]:
    return lambda path: frame.to_csv(path, index=False)


def _compared(
    real: Mapping[str, Any], made: Mapping[str, Any], declared: LinkedDomain, say: Callable[[str, int, int], None]
) -> dict[str, Any]:
    """Return the fidelity of each table by itself; None for one without rows to compare."""
    from pets.synthetic.fidelity import EvaluationIncompleteWarning, evaluate

    survival = {child.table: child.survival for child in declared.children}
    found: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EvaluationIncompleteWarning)  # the page shows them first, in red
        for name, domain in declared.domains.items():
            clocks = survival.get(name, declared.survival)
            keys = list(declared.keys(name))
            rows, artificial = real[name].drop(columns=keys), made[name].drop(columns=keys)
            if min(len(rows), len(artificial)) < 2:
                found[name] = None
                continue
            found[name] = evaluate(rows, artificial, _rows_of(domain), survival=clocks, progress=say)
    return found


def _rows_of(domain: Domain) -> Domain:
    """Return a domain in which each row stands for itself: what is compared stays with the data holder."""
    from pets.privacy_unit import PrivacyUnit

    return domain.with_unit(PrivacyUnit())


def _summary(output: Path, model: Any, made: Mapping[str, Any]) -> None:
    log = Console(stderr=True)
    log.print(Text(model.explain()))
    for name, frame in made.items():
        log.print(Text(f"rows:     {output / rows_file(name)} ({len(frame):,})"))
    log.print(Text(f"model:    {output / MODEL}\nreport:   {output / REPORT}"))
