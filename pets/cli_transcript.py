"""The command ``pets transcript``: the record of a secure sum, or of a study, checked by a third party."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pets.cli_federation import RosterFile
from pets.errors import InvalidArgument

if TYPE_CHECKING:
    from pets.identity import Roster

_SIGNED = (
    "It shows who is in the total, and which masked table each of those who signed sent. "
    "It cannot show that the collector added them up rightly, nor that the tables were true."
)
_UNSIGNED = (
    "Sites sign nothing in the protocol {!r}: it shows the contract, and which messages the collector says there were. "
    "It cannot show that the sites sent them, who is in the total, nor that the total is right."
)

transcript_app = typer.Typer(name="transcript", help="Check the record of a secure sum.", no_args_is_help=True)


@transcript_app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The record, for example release.transcript.json.")],
    roster: RosterFile,
    release: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The release (of a study the model.pets), to see that it is this one's.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Check, as a third party, the record of a secure sum, or of all rounds of a study, against the roster.

    All messages must be of one session, in one chain. What the sites signed (who is in the total, and which message
    each of them sent) must agree and verify by the keys in the roster, and so must the collector's signature of it all.
    In a masked sum enough sites must have signed, and the release must name the sites that they say are in the total.
    In other protocols sites sign nothing: the record shows what the collector says.

    The record holds digests of messages, never their content. So it cannot show that the total is right.

    In the record of a study every round must follow from the totals of the rounds before it; --release is the model.

    Exit code: 0 it holds, 4 it does not, 1 it could not be read.
    """
    from pets.identity import Roster
    from pets.session.record import Record, is_signed_by_sites

    content = _bytes(file)
    if _is_of_study(content):
        _verify_study(content, Roster.from_file(roster), release)
        return
    record = Record.from_json(content)
    signers = record.verify(Roster.from_file(roster), None if release is None else _bytes(release))
    spec = record.transcript.spec
    typer.echo(f"OK. Session {spec.number} of {', '.join(spec.sites)}: {len(record.transcript.headers)} messages.")
    typer.echo(f"Signed by {', '.join(signers)} and the collector." if signers else "Signed by the collector only.")
    typer.echo(_SIGNED if is_signed_by_sites(spec) else _UNSIGNED.format(spec.aggregator.get("type", "plain")))
    typer.echo(f"SHA-256 of the release: {record.release}" + ("" if release is None else "; it is this one."))


def _is_of_study(content: bytes) -> bool:
    """Return whether a record is of a study, and not of one session."""
    from pets.config import parse_json
    from pets.errors import ConfigError
    from pets.federation.transcript import STUDY
    from pets.session.record import MAX_BYTES

    try:
        return parse_json(content, max_bytes=MAX_BYTES).get("format") == STUDY
    except ConfigError:
        return False


def _verify_study(content: bytes, roster: Roster, release: Path | None) -> None:
    """Check the record of a study, and print what it shows."""
    from pets.federation import StudyTranscript
    from pets.synthetic import Model

    transcript = StudyTranscript.from_json(content)
    if release is not None and "synthesizer" not in transcript.facts:
        raise InvalidArgument(
            "--release", "is for models of artificial rows, and this study made none", "Leave it out."
        )
    signers = transcript.verify(roster, None if release is None else Model.load(release))
    sites = ", ".join(str(name) for name in transcript.facts["across"]["sites"])
    typer.echo(f"OK. A study of {sites}: {len(transcript.rounds)} rounds, each named by the totals of those before it.")
    typer.echo(f"Every round is signed by {', '.join(signers)} and the collector." if signers else "Sites signed none.")
    typer.echo("It cannot show that the collector added them up rightly, nor that the tables were true.")
    if release is not None:
        typer.echo(f"All tables of {release.name} are totals of these rounds.")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidArgument("FILE", f"{path} cannot be read ({error.strerror})", "Check the path.") from None
