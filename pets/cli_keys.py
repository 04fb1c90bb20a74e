"""The command ``pets keys``: make a party's keys, compare fingerprints, pin who takes part."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pets.errors import InvalidArgument, KeyFileError

if TYPE_CHECKING:
    from pets.identity import Identity, PublicIdentity, Roster

app = typer.Typer(
    name="keys",
    help="Make a party's keys, compare fingerprints, and pin who takes part in a study.\n\n"
    "The whole way, once for each study:\n\n"
    "1. Each party: pets keys new FR --out keys\n\n"
    "2. Each party sends its .public.toml to the coordinator, and never the .key.\n\n"
    "3. The coordinator: pets keys roster build *.public.toml --out roster.toml, and sends roster.toml to all.\n\n"
    "4. Each party: pets keys show roster.toml, and compares the fingerprints over the telephone. This is what "
    "keeps a server, or anybody on the way, from taking a party's place.",
    no_args_is_help=True,
)
roster_app = typer.Typer(help="Pin who takes part: one file with everybody's public keys.", no_args_is_help=True)
app.add_typer(roster_app, name="roster")

PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="File whose first line is the passphrase of the secret keys.", show_default=False
    ),
]
RosterFile = Annotated[Path, typer.Argument(metavar="ROSTER", help="The roster, for example roster.toml.")]

READABLE = 0o644
_FORMAT = re.compile(rb'^format = "(pets [a-z ]+ \d+)"\r?$', re.MULTILINE)
_MAX_BYTES = 8 * 2**20


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The party's name in all studies, for example FR.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the two files; made if it is missing.")],
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make the keys of one party: NAME.key to keep secret, NAME.public.toml to send to the others.

    Run it on the machine that will take part, so that the secret keys never travel. The secret file can be read
    by its owner only (mode 0600). With --passphrase-file it is encrypted too. Nothing is overwritten.
    """
    from pets.identity import Identity

    passphrase = _passphrase(passphrase_file)
    identity = Identity.new(name)
    _make_folder(out)
    secret, public = _write_keys(identity, out, name, passphrase)
    _say(f"Made keys for {name}.")
    _print_parties([("", identity.public)])
    _say(f"Keep secret:  {secret}" + ("" if passphrase else "   (mode 0600, no passphrase)"))
    _say(f"Send:         {public}")
    _say("Next: send the second file to the coordinator, and read the fingerprint aloud when asked.")


@app.command()
def show(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Key, public, succession or roster files.")],
    passphrase_file: PassphraseFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")] = False,
) -> None:
    """Show the fingerprints in a file, to be read over the telephone. Shows no secret.

    A fingerprint stands for a name and its keys (160 bits of their SHA-256). If both ends read the same eight
    groups, both have the same keys. For a roster there is one fingerprint of the whole as well: if all parties read
    that one alike, all of them have the same names and keys, and the single ones need not be compared. (Each party's
    program refuses to begin a study whose roster has other keys than its own in its place.)
    """
    passphrase = _passphrase(passphrase_file)
    shown = [_look_at(path, passphrase) for path in files]
    if as_json:
        typer.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    for seen in shown:
        _say(f"{seen['file']}: {seen['kind']}")
        _print_rows(seen["parties"])
        if "roster_fingerprint" in seen:
            _say(f"Fingerprint of the whole roster:  {seen['roster_fingerprint']}")


@app.command()
def rotate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The secret keys in use, for example keys/FR.key.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the new files; that of FILE unless given.")
    ] = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make new keys for the same name, and a succession file in which the old keys vouch for the new ones.

    The others run 'pets keys roster succeed' with the succession file; after that a study agrees on keys anew,
    and the old secret file can be destroyed. Nothing is overwritten: new files are called NAME-2.key and so on.

    If the old keys may have been STOLEN, do not use this: the thief can write a succession too. Make new keys with
    'pets keys new', tell everybody over the telephone, and have a new roster built.
    """
    from pets.identity import Identity
    from pets.identity.disk import create
    from pets.identity.succession import Succession

    passphrase = _passphrase(passphrase_file)
    old = Identity.load(file, passphrase)
    renewed = Identity.new(old.name)
    folder = file.parent if out is None else out
    _make_folder(folder)
    stem = _free_stem(folder, old.name)
    secret, public = _write_keys(renewed, folder, stem, passphrase)
    statement = folder / f"{stem}.succession.toml"
    create(statement, Succession.sign(old, renewed).to_toml().encode(), READABLE)
    _say(f"Made new keys for {old.name}, signed by the old ones.")
    _print_parties([("old keys", old.public), ("new keys", renewed.public)])
    _say(f"Keep secret:  {secret}" + ("" if passphrase else "   (mode 0600, no passphrase)"))
    _say(f"Send:         {statement}   (parties that know the old keys)")
    _say(f"              {public}   (parties that do not)")
    _say(f"Next: when all have the new roster, destroy {file}. Keys of studies need to be agreed anew.")


@roster_app.command("build")
def build_roster(
    files: Annotated[list[Path], typer.Argument(metavar="PUBLIC...", help="Everybody's .public.toml file.")],
    out: Annotated[Path, typer.Option(metavar="ROSTER", help="The file to write; it must not exist yet.")],
) -> None:
    """Make a roster of everybody's public files, the server's among them.

    Two parties with the same name or with a common key are refused. Send the result to all parties; it is not
    secret, but each must compare the fingerprints ('pets keys show ROSTER') with their owners.
    """
    from pets.identity import Roster
    from pets.identity.disk import create

    if out.suffix.lower() != ".toml":
        raise InvalidArgument("--out", "must end in .toml")
    roster = Roster(_public(path) for path in files)
    create(out, roster.to_toml().encode(), READABLE)
    _tell_roster(out, roster)


@roster_app.command("add")
def add_to_roster(
    roster: RosterFile,
    file: Annotated[Path, typer.Argument(metavar="PUBLIC", help="The new party's .public.toml file.")],
) -> None:
    """Add one party to a roster. Studies that begin from now on need the new roster everywhere."""
    from pets.identity import Roster

    larger = Roster.from_file(roster).with_party(_public(file))
    larger.to_file(roster)
    _tell_roster(roster, larger)


@roster_app.command("succeed")
def succeed_in_roster(
    roster: RosterFile,
    file: Annotated[Path, typer.Argument(metavar="SUCCESSION", help="The party's .succession.toml file.")],
) -> None:
    """Replace one party's keys by new ones, if the keys in the roster have signed that.

    Exit code: 0 replaced, 4 a signature does not verify (the roster is unchanged), 1 any other failure.
    """
    from pets.identity import Roster
    from pets.identity.succession import Succession

    succession = Succession.from_toml(_read(file))
    renewed = succession.applied_to(Roster.from_file(roster))
    renewed.to_file(roster)
    _say(f"{succession.successor.name} has new keys, and the old ones have signed that.")
    _tell_roster(roster, renewed)


def _write_keys(identity: Identity, folder: Path, stem: str, passphrase: str | None) -> tuple[Path, Path]:
    from pets.identity.disk import create

    secret, public = folder / f"{stem}.key", folder / f"{stem}.public.toml"
    for path in (secret, public):
        if path.exists():
            raise KeyFileError(path, "exists already", "Keys are never overwritten: choose another folder.")
    identity.save(secret, passphrase)
    create(public, identity.public.to_toml().encode(), READABLE)
    return secret, public


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise KeyFileError(folder, f"cannot be made: {error.strerror}") from None


def _free_stem(folder: Path, name: str) -> str:
    number = 2
    while any((folder / f"{name}-{number}{end}").exists() for end in (".key", ".public.toml", ".succession.toml")):
        number += 1
    return f"{name}-{number}"


def _passphrase(path: Path | None) -> str | None:
    if path is None:
        return None
    lines = _read(path).decode("utf-8", "replace").splitlines()
    if not lines or not lines[0]:
        raise KeyFileError(path, "holds no passphrase in its first line")
    return lines[0]


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_MAX_BYTES)
    except OSError as error:
        raise KeyFileError(path, f"cannot be read: {error.strerror}", "Check the path.") from None


def _public(path: Path) -> PublicIdentity:
    from pets.errors import ConfigError
    from pets.identity import PublicIdentity

    try:
        return PublicIdentity.from_toml(_read(path))
    except ConfigError as error:
        raise KeyFileError(path, f"is not a public identity ({error.argument} {error.problem})", error.remedy) from None


def _look_at(path: Path, passphrase: str | None) -> dict[str, object]:
    from pets.identity import Identity, PublicIdentity, Roster, key_file, public, roster, store, succession
    from pets.identity.disk import read_secret

    content = _read(path)
    found = _FORMAT.search(content)
    kind = "" if found is None else found[1].decode()
    if kind == key_file.FORMAT:
        fields = key_file.read_fields(path, read_secret(path))
        if fields["protection"] == key_file.NONE or passphrase is not None:
            return _seen(path, "secret keys", [("", Identity.load(path, passphrase).public)])
        rows = [[fields["name"], fields["fingerprint"], "says the file; not checked"]]
        return {"file": str(path), "kind": "secret keys, encrypted", "parties": rows}
    if kind == public.FORMAT:
        return _seen(path, "public keys", [("", PublicIdentity.from_toml(content))])
    if kind == roster.FORMAT:
        members = Roster.from_file(path)
        seen = _seen(path, f"roster of {len(members)}", [("", member) for member in members.values()])
        return seen | {"roster_fingerprint": members.fingerprint}
    if kind == succession.FORMAT:
        statement = succession.Succession.from_toml(content)
        return _seen(path, "succession, signatures checked by 'roster succeed'", [("new keys", statement.successor)])
    if content.startswith(store.MAGIC):
        return {"file": str(path), "kind": "keys of a study, encrypted under their party's keys", "parties": []}
    raise KeyFileError(path, "is none of the files that 'pets keys' makes", "Check the path.")


def _seen(path: Path, kind: str, parties: list[tuple[str, PublicIdentity]]) -> dict[str, object]:
    rows = [[party.name, party.fingerprint, note] for note, party in parties]
    return {"file": str(path), "kind": kind, "parties": rows}


def _tell_roster(path: Path, roster: Roster) -> None:
    _say(f"Wrote {path}: {len(roster)} parties.")
    _print_parties([("", party) for party in roster.values()])
    _say(f"Fingerprint of the whole roster:  {roster.fingerprint}")
    _say("Next: compare each fingerprint with its owner over the telephone, and send the roster to all.")


def _print_parties(parties: list[tuple[str, PublicIdentity]]) -> None:
    _print_rows([[party.name, party.fingerprint, note] for note, party in parties])


def _print_rows(rows: object) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not isinstance(rows, list) or not rows:
        return
    table = Table(show_edge=False, pad_edge=False)
    notes = any(row[2] for row in rows)
    for head in ("party", "fingerprint", *([""] if notes else [])):
        table.add_column(head, no_wrap=head == "fingerprint", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row if notes else row[:2]))  # as Text: brackets in a name are no markup
    Console().print(table)


def _say(text: str) -> None:
    typer.echo(text)
