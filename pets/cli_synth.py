"""The command ``pets synth``: a table of confidential rows in, a table of artificial rows and a report out."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from pets.errors import InvalidArgument, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from pets.domain import Domain
    from pets.synthetic.encoding import Survival

PROVEN = ("auto", "mst", "aim", "independent")
UNPROVEN = ("cart", "sdv-gaussian_copula", "sdv-ctgan", "sdv-tvae")

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}"
    "body{color:#222;background:#fff}"
    "table{border-collapse:collapse;font-size:14px}th{text-align:left;border-bottom:1px solid #999}"
    "td,th{padding:3px 10px}td+td{font-variant-numeric:tabular-nums}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#1a1a1a}}"
)

File = Annotated[Path, typer.Argument(help="Confidential rows; .csv or .parquet.", metavar="FILE", show_default=False)]
DomainFile = Annotated[
    Path,
    typer.Option("--domain", help="What is declared public about the columns; .toml or .json.", metavar="DOMAIN"),
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
        help="TIME:EVENT of each survival time; TIME:EVENT:EARLIER if it cannot end before EARLIER.",
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
    file: File,
    domain: DomainFile,
    output: Out,
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
        Path | None, typer.Option(help="Ledger to charge before anything is drawn; made with 'pets ledger'.")
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
) -> None:
    """Make artificial rows that look like the confidential ones, with a proof of what they can tell about a patient.

    - **Say first what is public**: `pets suggest-domain FILE` drafts the domain; a person checks and declares it.
      Columns, categories and bounds are taken from there and never from the rows.

    - **With `--epsilon`** only noisy tables of the rows are used. 1 is a usual value; at 10 there is little
      protection. With few rows and a small epsilon the command refuses: the rows would be noise. Declare the number of
      rows with `--rows` if it is public anyway; otherwise a part of epsilon is spent on it.

    - **Without a proof** (`cart`, `sdv-...`) rows are closer to the real ones and may repeat them: for people who may
      see the real ones, or after a decision of the data holder. Needs `--allow-exact`.

    Writes `synthetic.csv`, `report.html` (promise and error bounds: may go out with the rows), `model.pets` (more rows
    at no cost) and `INTERNAL.html` (fidelity, computed from the real rows: stays where they are).

    Example: pets synth wilms.csv --domain wilms.toml --epsilon 1 --survival time:status -o synthetic/
    """
    from pets.domain import Domain

    declared, clocks = Domain.from_file(domain), _clocks(survival or [])
    files = _prepared(output, mechanism, allow_exact)
    made = _synthesizer(mechanism, epsilon, delta, clocks, rows, allow_exact)
    frame = _read(file, declared, only_declared)
    extra = {"allow_exact": True} if mechanism in UNPROVEN else {}
    with _progress() as say, _opened(ledger) as book:
        say(f"fitting {mechanism} to {file.name}", 0, 0)
        model = made.fit(frame, declared, book, dataset=dataset, **extra)
        say("drawing artificial rows", 0, 0)
        artificial = model.sample(_number(n, rows, model, frame))
        artificial.to_csv(files.rows, index=False)
        model.save(files.model)
        files.report.write_text(_report(model, len(artificial)), encoding="utf-8")
        if evaluate:
            _write_internal(files.internal, frame, artificial, declared, clocks, say)
    _summary(files, model, len(artificial), evaluate)


def _prepared(output: Path, mechanism: str, allow_exact: bool) -> _Files:
    """Refuse what can be refused before any row is read, and make the folder."""
    if mechanism not in (*PROVEN, *UNPROVEN):
        raise InvalidArgument("--mechanism", "is not known", did_you_mean(mechanism, (*PROVEN, *UNPROVEN)))
    if mechanism in UNPROVEN and not allow_exact:
        raise InvalidArgument(
            "--mechanism", f"{mechanism} proves nothing about privacy: its rows may repeat real ones",
            "Give --epsilon and a mechanism with a proof, or accept it with --allow-exact.",
        )  # fmt: skip
    if output.is_file():
        raise InvalidArgument("--output", f"{output} is a file", "Give a folder; several files are written.")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError:
        raise InvalidArgument("--output", f"{output} cannot be made", "Give a folder that you may write to.") from None
    names = ("synthetic.csv", "model.pets", "report.html", "INTERNAL.html")
    return _Files(*(output / name for name in names))


def _synthesizer(
    mechanism: str, epsilon: float | None, delta: float, survival: list[Survival], rows: int | None, allow_exact: bool
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


def _clocks(options: list[str]) -> list[Survival]:
    from pets.synthetic.encoding import Survival

    found = []
    for text in options:
        parts = text.split(":")
        if len(parts) not in (2, 3) or not all(parts):
            raise InvalidArgument("--survival", "must be TIME:EVENT or TIME:EVENT:EARLIER", "Write time:status.")
        found.append(Survival(*parts))
    return found


def _number(n: int | None, rows: int | None, model: Any, frame: Any) -> int:
    if n is not None:
        return n
    return rows if rows is not None else int(getattr(model, "rows", len(frame)))


def _read(path: Path, domain: Domain, only_declared: bool) -> Any:
    from pets.cli_tables import read_records

    frame = read_records(path)
    others = [str(name) for name in frame.columns if name not in domain and name != domain.unit.id]
    if others and not only_declared:
        named = ", ".join(others[:6]) + ", ..." * (len(others) > 6)
        raise InvalidArgument(
            "file", f"has columns that the domain does not declare: {named}",
            "Declare them, or leave them out with --only-declared.",
        )  # fmt: skip
    return frame.drop(columns=others)


@contextmanager
def _opened(path: Path | None) -> Iterator[Any]:
    if path is None:
        yield None
        return
    from pets.ledger import Ledger

    with Ledger(path) as ledger:
        yield ledger


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    log = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn()
    with Progress(*columns, console=log, transient=True, disable=not log.is_terminal) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda doing, done, of: bar.update(task, description=doing, completed=done, total=of or None)


def _write_internal(
    path: Path,
    frame: Any,
    artificial: Any,
    domain: Domain,
    survival: list[Survival],
    say: Callable[[str, int, int], None],
) -> None:
    from pets.synthetic.fidelity import EvaluationIncompleteWarning, evaluate

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EvaluationIncompleteWarning)  # the page shows them first, in red
        found = evaluate(frame, artificial, domain, survival=survival, progress=say)
    path.write_text(_page("INTERNAL: fidelity of artificial rows", found._repr_html_()), encoding="utf-8")


def _report(model: Any, rows: int) -> str:
    """Return the page that may go out with the rows: it says nothing that the model does not."""
    parts = [f"<p><b>{rows:,} artificial rows.</b> {escape(model.guarantee.explain())}</p>"]
    if hasattr(model, "error_bounds"):
        parts.append(f"<p>{escape(model.explain())}</p>{_bounds(model)}")
    return _page("Artificial rows", "".join(parts))


def _bounds(model: Any) -> str:
    head = "<tr><th>table</th><th>cells</th><th>noise of a cell (SD, rows)</th><th>off by at most, with 95 %</th></tr>"
    lines = "".join(
        f"<tr><td>{escape(' x '.join(bound.columns))}</td><td>{bound.cells:,}</td><td>{bound.sigma:.2f}</td>"
        f"<td>{min(bound.share, 1.0):.1%} of the rows</td></tr>"
        for bound in model.error_bounds()
    )
    return f"<h2>How far the rows can be from the truth</h2><table>{head}{lines}</table>"


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{escape(title)}</h1>{body}</html>\n"
    )


def _summary(files: _Files, model: Any, rows: int, evaluated: bool) -> None:
    log = Console(stderr=True)
    log.print(Text(model.guarantee.explain()))
    for note in getattr(model, "notes", ()):
        log.print(Text(f"note: {note}", style="yellow"))
    log.print(
        f"rows:     {files.rows} ({rows:,})", f"model:    {files.model}", f"report:   {files.report}",
        sep="\n", highlight=False,
    )  # fmt: skip
    if evaluated:
        log.print(f"INTERNAL: {files.internal} (fidelity; do not pass on)", highlight=False, style="red")
