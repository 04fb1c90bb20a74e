"""The commands ``pets collect`` and ``pets site``: secure sums between processes.

One sum, if the plan asks one question; a study in rounds, if it has a table ``[synthesizer]`` or ``[training]``: see
``cli_study``.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from pets.errors import ContractDiffers, DataError, InvalidArgument, did_you_mean

if TYPE_CHECKING:
    from pets.domain import Domain
    from pets.identity import Identity, Roster
    from pets.pipeline import Pipeline
    from pets.roles import Aggregator
    from pets.session import Spec
    from pets.session.tcp import Contract, Finished, Store

INTERRUPTED = 130
DECLINED = 6

Result = TypeVar("Result")

PlanFile = Annotated[Path, typer.Argument(metavar="PLAN", help="The plan file; the same one at every party.")]
RosterFile = Annotated[
    Path, typer.Option("--roster", metavar="FILE", help="Everybody's public keys, compared and pinned.")
]
KeyFile = Annotated[Path, typer.Option("--key", metavar="FILE", help="This party's secret keys: NAME.key.")]
State = Annotated[
    Path,
    typer.Option(
        "--state",
        metavar="DIR",
        help="Folder of this party alone, made if missing: pair keys and, while a session runs, its sealed journal. "
        "Keep it between sessions, leave it out of backups.",
    ),
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="File whose first line is the passphrase of the secret keys.", show_default=False
    ),
]


def collect(
    plan: PlanFile,
    roster: RosterFile,
    key: KeyFile,
    state: State,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="PATH",
            help="Where the release is written, as JSON; for a study in rounds a folder.",
        ),
    ],
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where parties connect. Port 0 takes any free one and prints it.")
    ] = "127.0.0.1:7001",
    site: Annotated[
        list[str] | None,
        typer.Option("--site", metavar="NAME", help="A site that is asked; repeat it. Left out: all of the roster."),
    ] = None,
    deadline: Annotated[
        float,
        typer.Option(
            help="Seconds for each stage, in the first one also to read the rows; who is later has dropped out.",
            min=0.1,
        ),
    ] = 60.0,
    wait: Annotated[
        float | None,
        typer.Option(
            help="Seconds to wait at the start until all have come. Left out: the deadline.", show_default=False
        ),
    ] = None,
    number: Annotated[
        int | None,
        typer.Option(
            help="Number of the session. Left out: the unfinished one, or else the next.", min=1, show_default=False
        ),
    ] = None,
    purpose: Annotated[str, typer.Option(help="Why this is asked; shown to every party before it agrees.")] = "",
    passphrase_file: PassphraseFile = None,
) -> None:
    """Ask all sites, add up what none of them shows, and publish the release.

    Start this first; then 'pets site' at each registry. The collector learns what the plan's aggregator lets it learn
    ('pets preview PLAN' says what), usually the total only.

    Beside the release it writes FILE.transcript.json, the record that 'pets transcript verify' checks.

    If the plan has a table [synthesizer] or [training] it is a study in rounds, one sum in each. Into the folder PATH
    go artificial rows (synthetic.csv, model.pets) or a regression (coefficients.csv), report.html and
    transcript.json. All sites must be in every round.

    Killed or stopped, it goes on where it stood: run the same command again. Sites reconnect by themselves.

    Exit code: 0 published, 3 the ledger refused, 5 the session stopped or parties are missing, 1 any other failure.
    """
    from pets.cli_study import hold
    from pets.federation import Study, contract_of, plan_from_file, sites_of
    from pets.session import SERVER
    from pets.session.tcp import Collector, parse_address

    address = parse_address(listen, "--listen")
    if not out.resolve().parent.is_dir():
        raise InvalidArgument("--out", f"is in a folder that does not exist: {out.parent}", "Make the folder first.")
    pipeline = plan_from_file(plan)
    store = _store(state, key, roster, passphrase_file, SERVER)
    with store.locked():
        sites = sites_of(pipeline, store.roster, site or ())
        if isinstance(pipeline, Study):
            hold(pipeline, sites, store, out, address, deadline=deadline, wait=wait, purpose=purpose, number=number)
            return
        counted = _number(store) if number is None else number
        contract = contract_of(pipeline, store.roster, sites, number=counted, deadline=deadline, purpose=purpose)
        _say(f"session {counted}: {len(sites)} sites, {pipeline.cost}")
        collector = Collector(
            store, pipeline.aggregator, contract,
            lambda outcome: pipeline.publish(outcome, contract.spec).to_json().encode(),
            lambda finished: _deliver(store, finished, out),
            _say, wait=deadline if wait is None else wait,
        )  # fmt: skip
        _run(collector.run(*address))


def site(
    plan: PlanFile,
    roster: RosterFile,
    key: KeyFile,
    state: State,
    me: Annotated[str, typer.Option(metavar="NAME", help="Whose process this is, for example FR.")],
    data: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DATA]", help="The site's rows, .csv or .parquet. Left out by a party that only computes."
        ),
    ] = None,
    connect: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the collector listens.")] = "127.0.0.1:7001",
    yes: Annotated[bool, typer.Option("--yes", help="Take part without asking; for scripts.")] = False,
    patience: Annotated[
        float, typer.Option(help="Seconds of silence of the collector after which this party gives up.", min=1)
    ] = 3600.0,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Take part in a secure sum: as a registry with DATA, or without it as a party that only computes.

    First it reads what the collector asks, compares it with the PLAN here, says who would learn what, and asks. Until
    then no row is read, nothing is charged and nothing is sent but this party's name.

    In a study in rounds (a PLAN with [synthesizer] or [training]) it asks once. The ledger is charged for all rounds
    before the first number leaves. Then, in every round, this party works out from the published totals what is to be
    asked next, and refuses anything else.

    Cut off, it reconnects; killed, it goes on where it stood: run the same command again.

    Exit code: 0 done, 3 this site's ledger refused, 5 the session stopped, 6 the contract differs or you said no,
    1 any other failure.
    """
    from pets.cli_study import take_part
    from pets.federation import Study, expected_contract, plan_from_file
    from pets.session.tcp import Member, ask, parse_address

    address = parse_address(connect, "--connect")
    pipeline = plan_from_file(plan)
    store = _store(state, key, roster, passphrase_file, me)
    with store.locked():
        if isinstance(pipeline, Study):
            take_part(pipeline, store, data, address, patience, yes)
            return
        _say(f"asking the collector at {connect} for the contract")
        contract = _run(ask(address, store, patience, _say))
        differences = contract.differences(expected_contract(pipeline, store.roster, contract))
        if differences:
            raise ContractDiffers(differences)
        _check_data(me, contract.spec, data)
        if not store.begun(contract.spec):
            if data is not None:
                _check_columns(tuple(pipeline.query.needs()), pipeline.domain, data)
            _explain(pipeline, contract, me)
            _confirm(yes)
        contribute = None if data is None else lambda: pipeline.at_site(_read(data, pipeline.domain), contract.spec, me)
        member = Member(store, pipeline.aggregator, contract, contribute, address, patience, _say)
        ending = _run(member.run())
    _say(f"the collector says: {ending.why}. Done; the keys of this session are destroyed.")


# ------------------------------------------------------------------------------------------------ parts


def _number(store: Store) -> int:
    """Return the session that is not over yet, or else the next one."""
    unfinished = store.unfinished()
    return unfinished if unfinished is not None else max(1 if store.study is None else store.study.next, 1)


def _deliver(store: Store, finished: Finished, out: Path) -> None:
    """Write the release, and beside it the record of the session."""
    from pets.config import write_atomic
    from pets.session.record import Record
    from pets.session.tcp import PURPOSE

    record = Record.sign(store.identity, finished.transcript, PURPOSE, finished.epoch, finished.release)
    signers = record.verify(store.roster, finished.release)
    beside = out.with_suffix(".transcript.json")
    write_atomic(beside, record.to_json())
    write_atomic(out, finished.release.decode())
    _say(f"released: the total of {len(finished.survivors)} sites ({', '.join(finished.survivors)})")
    _say(f"release:    {out}")
    _say(f"transcript: {beside}, with the signatures of {', '.join(signers) or 'the collector only'}")


def _store(state: Path, key: Path, roster: Path, passphrase_file: Path | None, me: str) -> Store:
    from pets.cli_keys import _passphrase
    from pets.identity import Roster
    from pets.session.tcp import Store

    identity = _identity(key, _passphrase(passphrase_file), me)
    return Store(state, identity, _with(Roster.from_file(roster), identity))


def _identity(key: Path, passphrase: str | None, me: str) -> Identity:
    from pets.identity import Identity

    identity = Identity.load(key, passphrase)
    if identity.name != me:
        raise InvalidArgument(
            "--key", f"holds the keys of {identity.name!r}, not of {me!r}", "Give the right key file."
        )
    return identity


def _with(roster: Roster, identity: Identity) -> Roster:
    if roster.get(identity.name) != identity.public:
        raise InvalidArgument(
            "--roster", f"does not hold {identity.name!r} with the keys in the key file",
            "Ask the coordinator for the roster with your newest public keys.",
        )  # fmt: skip
    return roster


def _check_data(me: str, spec: Spec, data: Path | None) -> None:
    if (me in spec.sites) == (data is None):
        words = "is asked for data" if data is None else "computes without data in this session"
        raise InvalidArgument(
            "DATA", f"{me!r} {words}", "Name the file after the plan." if data is None else "Leave it out."
        )


def _check_columns(needed: Sequence[str], domain: Domain, data: Path) -> None:
    """Refuse a file without the columns that are asked for, before the other sites rely on this one; read no row."""
    from pets.table_file import read_names

    if not data.is_file():
        raise InvalidArgument("DATA", f"{data} does not exist", "Check the path.")
    columns = read_names(data)
    unit = domain.unit.id
    for name in (*needed, *([unit] if isinstance(unit, str) else [])):
        if name not in columns:
            raise DataError(name, f"is not in {data.name}", did_you_mean(name, columns))


def _explain(pipeline: Pipeline, contract: Contract, me: str) -> None:
    """Say in plain words what would happen."""
    spec = contract.spec
    rows = [("you are", f"{me}, {_role(pipeline.aggregator, spec, me)}")]
    rows += [("the question", repr(pipeline.query)), ("of the sites", ", ".join(spec.sites))]
    rows += [("purpose", spec.purpose)] if spec.purpose else []
    rows += [("session", f"number {spec.number}, {spec.size:,} numbers, contract {spec.id.hex()[:16]}")]
    rows += [("what is promised", sentence) for sentence in _promises(pipeline)]
    rows += [("largest cell", f"{spec.upper:,} in one site's table; a site with more is refused at its own side")]
    rows += [("your ledger pays", _payment(pipeline))] if me in spec.sites else []
    _show(rows, pipeline.who_learns(spec))


def _show(asked: Sequence[tuple[str, str]], learns: Mapping[str, str]) -> None:
    """Print what is asked, and who learns what."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(stderr=True)
    for title, rows in (("What is asked", asked), ("Who learns what", learns.items())):
        table = Table(show_header=False, box=None, padding=(0, 2, 0, 0), title=title, title_justify="left")
        table.add_column(style="cyan", max_width=32)
        table.add_column()
        for term, text in rows:
            table.add_row(term, Text(text))
        console.print(table, "")


def _role(aggregator: Aggregator, spec: Spec, me: str) -> str:
    if me in spec.sites:
        return "a site with data"
    computes = me in aggregator.parties(spec)
    return "a party that computes without data" if computes else "not in this sum, only in the agreement on keys"


def _payment(pipeline: Pipeline) -> str:
    """Say what a site charges to its own ledger."""
    if pipeline.noise_at == "curator":
        return f"nothing: the noise is added where the total is collected, and {pipeline.cost} is charged there"
    if pipeline.ledger is None:
        return f"nothing, because the plan names no ledger; the loss is {pipeline.cost}"
    left = pipeline.ledger.remaining(pipeline.dataset, str(pipeline.domain.unit))
    return f"{pipeline.cost}, once for this session; {left} is left for data set {pipeline.dataset!r}"


def _promises(pipeline: Pipeline) -> list[str]:
    return [pipeline.cost.explain(), pipeline.aggregator.guarantee(pipeline.bound).explain()]


def _confirm(yes: bool) -> None:
    if yes:
        return
    try:
        agreed = typer.confirm("Take part?", err=True)
    except (typer.Abort, EOFError):
        agreed = False
    if not agreed:
        _say("Not taking part. No row was read, nothing was sent. (Scripts agree with --yes.)")
        raise typer.Exit(DECLINED)


def _read(path: Path, domain: Domain) -> Any:
    from pets.declared_rows import read_rows

    return read_rows(path, domain)


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run until done; Ctrl-C and a polite kill close all connections and leave the journal for the next start."""

    async def main() -> Result:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker
        with suppress(NotImplementedError):  # Windows has no such handlers
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return asyncio.run(main())
    except (KeyboardInterrupt, asyncio.CancelledError):
        _say("Stopped. Nothing is lost: run the same command again, and the session goes on where it stood.")
        raise typer.Exit(INTERRUPTED) from None


def _say(text: str) -> None:
    typer.echo(text, err=True)
