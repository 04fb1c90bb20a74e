"""The command ``pets synth``: a table of confidential rows in, a table of artificial rows and a report out."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from pets.cli_synth_linked import refuse_linked, synth_linked
from pets.cli_synth_pages import internal_page, release_page
from pets.cli_synth_parts import (
    INTERNAL,
    MODEL,
    REPORT,
    ROWS,
    checked_folder,
    of_an_earlier_run,
    opened,
    progress,
    text_file,
    write_together,
)
from pets.errors import InvalidArgument, did_you_mean

if TYPE_CHECKING:
    from pets.domain import Domain
    from pets.exact import Number
    from pets.synthetic.encoding import Survival

PROVEN = ("auto", "mst", "aim", "independent")
UNPROVEN = ("cart", "sdv-gaussian_copula", "sdv-ctgan", "sdv-tvae")

File = Annotated[
    Path | None, typer.Argument(help="Confidential rows; .csv or .parquet.", metavar="FILE", show_default=False)
]
DomainFile = Annotated[
    Path | None,
    typer.Option("--domain", help="What is declared public about the columns; .toml or .json.", metavar="DOMAIN"),
]
Released = Annotated[
    Path | None,
    typer.Option(
        "--from-release",
        help="Instead of FILE and --domain: released tables of counts, such as 'pets collect' writes. Costs nothing.",
        metavar="RELEASE",
    ),
]
RosterFile = Annotated[
    Path | None,
    typer.Option(help="With --from-release: check the signatures in its transcript by this roster first."),
]
Tables = Annotated[
    list[str] | None,
    typer.Option(
        "--table",
        help="Instead of FILE, for each of several linked tables: its name in the domain, and its file.",
        metavar="NAME=FILE",
    ),
]
Epsilons = Annotated[
    str | None,
    typer.Option(
        "--sweep",
        help="Fit at several epsilons instead, such as 0.1,1,10, and write INTERNAL-sweep.html and .csv: no rows.",
        metavar="EPSILONS",
    ),
]
Out = Annotated[
    Path, typer.Option("--output", "-o", help="Folder to write to; it is made if it is missing.", metavar="DIR")
]
Epsilon = Annotated[
    float | None, typer.Option("--epsilon", "-e", help="Privacy loss. Smaller protects more and adds more noise.")
]
Mechanism = Annotated[
    str, typer.Option(help=f"With a proof: {', '.join(PROVEN)}. Without any: {', '.join(UNPROVEN)}.", metavar="NAME")
]
Clocks = Annotated[
    list[str] | None,
    typer.Option(
        "--survival",
        help="TIME:EVENT of each survival time; TIME:EVENT:EARLIER if it cannot end before EARLIER. For dates "
        "LAST:EVENT:FROM, such as last_contact:status:diagnosis.",
        metavar="TIME:EVENT",
    ),
]


@dataclass(frozen=True)
class _Files:
    """What is written."""

    rows: Path
    model: Path
    report: Path
    internal: Path


def synth(
    output: Out,
    file: File = None,
    domain: DomainFile = None,
    epsilon: Epsilon = None,
    delta: Annotated[float, typer.Option(help="Chance with which the promise may fail; far below 1 / rows.")] = 1e-9,
    mechanism: Mechanism = "auto",
    survival: Clocks = None,
    rows: Annotated[
        int | None, typer.Option(help="Declare this number of rows public. Without it, a noisy count is bought.")
    ] = None,
    n: Annotated[
        int | None, typer.Option("-n", help="Artificial rows to write; by default as many as there are.")
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="Ledger to charge before anything is drawn; made in Python with pets.Ledger.")
    ] = None,
    dataset: Annotated[str, typer.Option(help="Name of the data in the ledger.")] = "default",
    only_declared: Annotated[
        bool, typer.Option("--only-declared", help="Leave out columns that the domain does not declare.")
    ] = False,
    allow_exact: Annotated[
        bool, typer.Option("--allow-exact", help="Accept a mechanism without any proof of privacy.")
    ] = False,
    evaluate: Annotated[
        bool, typer.Option(help="Also compare the rows with the real ones, in INTERNAL.html, which must not leave.")
    ] = True,
    from_release: Released = None,
    roster: RosterFile = None,
    table: Tables = None,
    sweep: Epsilons = None,
    fits: Annotated[int, typer.Option(help="With --sweep: fits at each epsilon.", min=1, max=100)] = 3,
) -> None:
    """Make artificial rows that look like the confidential ones, with a proof of what they can tell about a patient.

    - **Say first what is public**: `pets suggest-domain FILE` drafts the domain; a person checks and declares it.
      Columns, categories and bounds are taken from there and never from the rows.

    - **With `--epsilon`** only noisy tables of the rows are used. 1 is a usual value; at 10 there is little
      protection. With few rows and a small epsilon the command refuses: the rows would be noise. Declare the number of
      rows with `--rows` if it is public anyway; otherwise a part of epsilon is spent on it.

    - **Without a proof** (`cart`, `sdv-...`) rows are closer to the real ones and may repeat them: for people who may
      see the real ones, or after a decision of the data holder. Needs `--allow-exact`.

    - **`--sweep 0.1,1,10`** shows, for people who may see the rows, what other rows would be worth at each epsilon.

    - **`--from-release`** makes the rows of several registries together, from tables that they released with noise
      inside a secure sum: no confidential row is needed, and nothing is charged.

    - **Several tables** (patients, their tumours, the treatments of each tumour) under one promise about a patient with
      all rows: `--table patients=patients.csv --table tumours=tumours.csv`, and a domain that declares all of them.

    Writes `synthetic.csv` (or `synthetic-tumours.csv` and so on), `report.html` (promise and error bounds: may go out
    with the rows), `model.pets` (more rows at no cost) and `INTERNAL.html` (fidelity, computed from the real rows:
    stays where they are). Those of an earlier run in DIR go when the new ones are complete.

    Example: pets synth wilms.csv --domain wilms.toml --epsilon 1 --survival time:status -o synthetic/
    """
    if n is not None and n < 0:
        raise InvalidArgument("--n", "must be a whole number of at least 0", "Leave it out for as many as there are.")
    if from_release is not None:
        given = {"FILE": file, "--domain": domain, "--epsilon": epsilon, "--ledger": ledger, "--sweep": sweep}
        given |= {"--mechanism": mechanism if mechanism != "auto" else None, "--allow-exact": allow_exact or None}
        given |= {"--only-declared": only_declared or None, "--dataset": dataset if dataset != "default" else None}
        _refuse_with(given | {"--table": table}, "--from-release, which reads what was released already")
        _joint(from_release, roster, output, survival or [], rows, n)
        return
    if table:
        if domain is None:
            raise InvalidArgument("--domain", "is missing", "Give the file that declares the tables.")
        given = {"FILE": file, "--sweep": sweep, "--allow-exact": allow_exact or None, "--roster": roster}
        _refuse_with(given | {"--survival": survival}, "--table: linked tables have a proof and say all in the domain")
        linked = (epsilon, delta, mechanism, rows)
        synth_linked(
            table, domain, output, linked, n, (ledger, dataset), only_declared=only_declared, evaluate=evaluate
        )
        return
    if file is None or domain is None:
        raise InvalidArgument(
            "FILE" if file is None else "--domain", "is missing", "Give rows and a domain, or --from-release."
        )
    if roster is not None:
        raise InvalidArgument("--roster", "means nothing without --from-release", "Leave it out.")
    from pets.domain import Domain

    refuse_linked(domain)
    declared = Domain.from_file(domain)
    clocks = _clocks(survival or [], declared)
    if sweep is not None:
        given = {"--ledger": ledger, "--n": n, "--epsilon": epsilon, "--allow-exact": allow_exact or None}
        _refuse_with(given, "--sweep, which charges nothing, writes no rows and names its own epsilons")
        _swept(file, declared, only_declared, output, (sweep, fits), (mechanism, delta, clocks, rows))
        return
    files = _prepared(output, mechanism, allow_exact, (file, domain, ledger))
    made = _synthesizer(mechanism, epsilon, delta, clocks, rows, allow_exact)
    frame = _read(file, declared, only_declared)
    extra = {"allow_exact": True} if mechanism in UNPROVEN else {}
    with progress() as say, opened(ledger) as book:
        say(f"fitting {mechanism} to {file.name}", 0, 0)
        model = made.fit(frame, declared, book, dataset=dataset, **extra)
        say("drawing artificial rows", 0, 0)
        artificial = _written(model, files, _number(n, rows, model, frame))
    _summary(files, model, len(artificial))
    if evaluate:
        _write_internal(files.internal, frame, artificial, declared, clocks)


def _written(model: Any, files: _Files, rows: int) -> Any:
    """Write rows, model and the page that may go out with them; return the rows."""
    artificial = model.sample(rows)
    output = files.rows.parent
    contents = {ROWS: lambda path: artificial.to_csv(path, index=False), MODEL: model.save}
    contents[REPORT] = text_file(release_page(model, len(artificial)))
    write_together(output, contents, of_an_earlier_run(output))
    return artificial


def _refuse_with(given: Mapping[str, object], what: str) -> None:
    for name, value in given.items():
        if value is not None:
            raise InvalidArgument(name, f"means nothing with {what}", "Leave it out.")


def _joint(
    release: Path, roster: Path | None, output: Path, survival: list[str], rows: int | None, n: int | None
) -> None:
    """Make rows from a release; check first, if there is a roster, who signed that it is of their sum."""
    from pets.release import Release
    from pets.synthetic.released import from_release

    try:
        data = release.read_bytes()
    except OSError:
        raise InvalidArgument("--from-release", f"{release} cannot be read", "Check the path.") from None
    if roster is not None:
        _verified(release, roster, data)
    else:
        Console(stderr=True).print("The signatures of the release were not checked; --roster does so.", style="yellow")
    found = Release.from_json(data.decode("utf-8", "replace"))
    clocks = _clocks(survival, found.query.table_domain) if survival else []
    model = from_release(found, survival=clocks, rows=rows)
    files = _prepared(output, "auto", allow_exact=False, inputs=(release, roster))
    _summary(files, model, len(_written(model, files, model.rows if n is None else n)))


def _verified(release: Path, roster: Path, data: bytes) -> None:
    """Refuse a release that the transcript beside it does not name, or that the parties of the roster did not sign."""
    from pets.identity import Roster
    from pets.session.record import Record

    beside = release.with_suffix(".transcript.json")
    try:
        text = beside.read_bytes()
    except OSError:
        raise InvalidArgument(
            "--roster", f"needs the record of the session, {beside}", "Copy it beside the release."
        ) from None
    signers = Record.from_json(text).verify(Roster.from_file(roster), data)
    Console(stderr=True).print(
        Text(f"signed by {', '.join(signers)} and the collector" if signers else "signed by the collector only")
    )


def _swept(
    file: Path,
    domain: Domain,
    only_declared: bool,
    output: Path,
    sweep: tuple[str, int],
    made: tuple[str, float, list[Survival], int | None],
) -> None:
    """Write what other rows would be worth at several epsilons."""
    from pets.synthetic.sweeping import sweep as swept

    (epsilons, fits), (mechanism, delta, clocks, rows) = sweep, made
    if mechanism not in PROVEN:
        raise InvalidArgument("--mechanism", f"{mechanism} has no epsilon", f"Give one of {', '.join(PROVEN)}.")
    losses = [part.strip() for part in epsilons.split(",")]
    page, table = "INTERNAL-sweep.html", "INTERNAL-sweep.csv"
    checked_folder(output, (page, table), (file,))
    with progress() as say:
        found = swept(
            _read(file, domain, only_declared), domain, epsilons=losses, seeds=range(fits), survival=clocks,
            make=lambda loss: _synthesizer(mechanism, loss, delta, clocks, rows, allow_exact=False), progress=say,
        )  # fmt: skip
    contents = {page: text_file(found.to_html()), table: lambda path: found.to_frame().to_csv(path, index=False)}
    write_together(output, contents, ())
    log = Console(stderr=True)
    log.print(Text(found.explain()))
    log.print(f"INTERNAL: {output / page} and .csv (do not pass on)", highlight=False, style="red")


def _prepared(output: Path, mechanism: str, allow_exact: bool, inputs: Iterable[Path | None] = ()) -> _Files:
    """Refuse what can be refused before any row is read, and make the folder."""
    if mechanism not in (*PROVEN, *UNPROVEN):
        raise InvalidArgument("--mechanism", "is not known", did_you_mean(mechanism, (*PROVEN, *UNPROVEN)))
    if mechanism in UNPROVEN and not allow_exact:
        raise InvalidArgument(
            "--mechanism", f"{mechanism} proves nothing about privacy: its rows may repeat real ones",
            "Give --epsilon and a mechanism with a proof, or accept it with --allow-exact.",
        )  # fmt: skip
    names = (ROWS, MODEL, REPORT, INTERNAL)
    checked_folder(output, names, inputs)
    return _Files(*(output / name for name in names))


def _synthesizer(
    mechanism: str, epsilon: Number | None, delta: float, survival: list[Survival], rows: int | None, allow_exact: bool
) -> Any:
    from pets import synthetic

    if mechanism in UNPROVEN:
        if epsilon is not None:
            raise InvalidArgument("--epsilon", f"means nothing to {mechanism}, which adds no noise", "Leave it out.")
        from pets.synthetic.cart import CART
        from pets.synthetic.sdv import SDV

        return CART(survival=tuple(survival)) if mechanism == "cart" else SDV(mechanism[4:], survival=survival)
    if allow_exact:
        raise InvalidArgument("--allow-exact", f"means nothing to {mechanism}, which has a proof", "Leave it out.")
    if epsilon is None:
        raise InvalidArgument("--epsilon", "is missing: it is what bounds the privacy loss", "Try --epsilon 1.")
    kinds: dict[str, Any] = {
        "auto": synthetic.Adaptive,
        "mst": synthetic.MST,
        "aim": synthetic.AIM,
        "independent": synthetic.Independent,
    }
    return kinds[mechanism](epsilon, delta, survival=survival, rows=rows)


def _clocks(options: list[str], domain: Domain) -> list[Survival]:
    from pets.domain import Date
    from pets.synthetic.encoding import Survival

    found = []
    for text in options:
        parts = text.split(":")
        if len(parts) not in (2, 3) or not all(parts):
            raise InvalidArgument("--survival", "must be TIME:EVENT or TIME:EVENT:EARLIER", "Write time:status.")
        since = parts[2:] and parts[0] in domain and isinstance(domain[parts[0]], Date)
        found.append(Survival(parts[0], parts[1], origin=parts[2]) if since else Survival(*parts))
    return found


def _number(n: int | None, rows: int | None, model: Any, frame: Any) -> int:
    if n is not None:
        return n
    return rows if rows is not None else int(getattr(model, "rows", len(frame)))


def _read(path: Path, domain: Domain, only_declared: bool) -> Any:
    from pets.declared_rows import read_rows

    frame = read_rows(path, domain)
    others = [str(name) for name in frame.columns if name not in domain and name != domain.unit.id]
    if others and not only_declared:
        named = ", ".join(others[:6]) + ", ..." * (len(others) > 6)
        raise InvalidArgument(
            "file", f"has columns that the domain does not declare: {named}",
            "Declare them, or leave them out with --only-declared.",
        )  # fmt: skip
    return frame.drop(columns=others)


def _write_internal(path: Path, frame: Any, artificial: Any, domain: Domain, survival: list[Survival]) -> None:
    """Write the page that must stay where the rows are; an error here leaves what was paid for, told and written."""
    from pets.synthetic.fidelity import EvaluationIncompleteWarning, evaluate

    with warnings.catch_warnings(), progress() as say:
        warnings.simplefilter("ignore", EvaluationIncompleteWarning)  # the page shows them first, in red
        found = evaluate(frame, artificial, domain, survival=survival, progress=say)
    path.write_text(internal_page(found), encoding="utf-8")
    Console(stderr=True).print(f"INTERNAL: {path} (fidelity; do not pass on)", highlight=False, style="red")


def _summary(files: _Files, model: Any, rows: int) -> None:
    log = Console(stderr=True)
    log.print(Text(model.guarantee.explain()))
    for note in getattr(model, "notes", ()):
        log.print(Text(f"note: {note}", style="yellow"))
    log.print(
        f"rows:     {files.rows} ({rows:,})", f"model:    {files.model}", f"report:   {files.report}",
        sep="\n", highlight=False,
    )  # fmt: skip
