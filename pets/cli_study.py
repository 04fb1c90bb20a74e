"""The side of ``pets collect`` and ``pets site`` that holds studies in rounds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from pets.cli_federation import INTERRUPTED, _check_columns, _check_data, _confirm, _read, _role, _run, _say, _show
from pets.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pets.federation import Study, StudyTranscript
    from pets.federation.study import Joint
    from pets.identity import Roster
    from pets.session.tcp import Contract, Store


def hold(
    study: Study,
    sites: Sequence[str],
    store: Store,
    out: Path,
    address: tuple[str, int],
    *,
    deadline: float,
    wait: float | None,
    purpose: str,
    number: int | None,
) -> None:
    """Hold all rounds as the collector, and write what comes out into a folder."""
    from pets.federation import collect_study

    if number is not None:
        raise InvalidArgument("--number", "is that of one session, and a study counts its own", "Leave it out.")
    if out.is_file():
        raise InvalidArgument("--out", f"{out} is a file", "Give a folder; several files are written.")

    def deliver(found: Any, transcript: StudyTranscript) -> None:
        _write(out, found, transcript, store.roster)

    _say(f"a study in rounds: {len(sites)} sites, {study.cost} in all")
    _interruptible(
        lambda: collect_study(
            study, sites, store, deliver,
            address=address, deadline=deadline, wait=wait, purpose=purpose, say=_say, runner=_run,
        )
    )  # fmt: skip


def take_part(
    study: Study, store: Store, data: Path | None, address: tuple[str, int], patience: float, yes: bool
) -> None:
    """Take part in all rounds; ask once, before any row is read."""
    from pets.federation import join_study

    me = store.identity.name

    def agree(joint: Joint, contract: Contract, begun: bool) -> Any:
        _check_data(me, contract.spec, data)
        if data is not None:
            _check_columns(study.columns, study.domain, data)
        if not begun:
            _explain(study, joint, contract, me)
            _confirm(yes)
        return None if data is None else _rows(study, data)

    _interruptible(lambda: join_study(study, store, agree, address=address, patience=patience, say=_say, runner=_run))
    _say(f"the study is over; from its totals, which are public, comes {study.makes()}.")
    _say("Done; the keys of all its sessions are destroyed.")


# ------------------------------------------------------------------------------------------------ parts


def _write(out: Path, found: Any, transcript: StudyTranscript, roster: Roster) -> None:
    """Write what comes out, the page that may go out with it, and the record of all rounds."""
    from pets.cli_synth_pages import release_page
    from pets.config import write_atomic
    from pets.synthetic import Model
    from pets.synthetic.pages import page

    is_model = isinstance(found, Model)
    signers = ", ".join(transcript.verify(roster, found if is_model else None)) or "the collector only"
    try:
        out.mkdir(exist_ok=True)
        if is_model:
            rows, name = found.sample(), "synthetic.csv"
            found.save(out / "model.pets")
        else:
            rows, name = found.to_frame().reset_index(), "coefficients.csv"
        rows.to_csv(out / name, index=False)
    except OSError as error:
        raise InvalidArgument("--out", f"{out} cannot be written: {error.strerror}", "Run the same again.") from None
    shown = release_page(found, len(rows)) if is_model else page("Regression", found._repr_html_())
    write_atomic(out / "report.html", shown)
    write_atomic(out / "transcript.json", transcript.to_json())
    _say(found.guarantee.explain())
    for note in found.notes if is_model else (found.explain(),):
        _say(f"note: {note}")
    names = [name, "model.pets"] if is_model else [name]
    for each in (*names, "report.html", "transcript.json"):
        _say(f"wrote {out / each}")
    _say(f"The record is of {len(transcript.rounds)} rounds, with the signatures of {signers}.")


def _explain(study: Study, joint: Joint, contract: Contract, me: str) -> None:
    """Say in plain words what would happen."""
    spec = contract.spec
    rows = [("you are", f"{me}, {_role(study.aggregator, spec, me)}"), ("the study", study.makes())]
    rows += [("it asks", joint.asks()), ("of the sites", ", ".join(spec.sites))]
    rows += [("purpose", spec.purpose)] if spec.purpose else []
    rows += [("what leaves", "in each round one masked table, with a share of the noise; never a row")]
    rows += [("what is promised", sentence) for _, sentence in study.promises()]
    rows += [("how accurate", sentence) for sentence in study.accuracy(joint)]
    rows += [("largest number", f"{spec.upper:,} in one site's table; a site with more is refused at its own side")]
    rows += [("your ledger pays", study.payment())] if me in spec.sites else []
    _show(rows, study.who_learns(joint))


def _rows(study: Study, data: Path) -> Any:
    """Return the declared columns of a file; others stay where they are."""
    frame = _read(data, study.domain)
    unit = study.domain.unit.id
    return frame[[name for name in frame.columns if name in study.domain or name == unit]]


def _interruptible(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except KeyboardInterrupt:  # between two rounds; within one _run says so
        _say("Stopped. Nothing is lost: run the same command again, and the study goes on where it stood.")
        raise typer.Exit(INTERRUPTED) from None
