"""The honest broker's list of who is behind which pseudonym: a file of its own, and the only way back.

The file is JSON that only its owner can read (mode 0600), replaced as a whole and never half written. It belongs to one
project, kind and epoch. Keep it where those who analyse the data cannot reach it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import stat
from collections.abc import Mapping
from typing import Any, Final

from pets.config import parse_json
from pets.csprng import random_bytes
from pets.disclosure.microdata.normalisation import Normalisation
from pets.disclosure.microdata.pseudonyms import CODE, Pseudonyms, as_code, replace_identifiers
from pets.errors import ConfigError, InvalidArgument, KeyFileError
from pets.identity import disk

FORMAT: Final = "pets crosswalk 1"
RANDOM: Final = "random"
"""Stands for the key's fingerprint where codes were drawn and not derived."""

MAX_BYTES = 2**30
_FIELDS = ("format", "project", "kind", "epoch", "fingerprint", "normalisation", "people", "check")


class Crosswalk:
    """A crosswalk file, opened. Made by :meth:`new` and :meth:`open`.

    Every change is on the disk before the call returns, and two processes that add at once do not lose each other's
    entries.
    """

    __slots__ = ("_header", "_path")

    def __init__(self, path: str, header: Mapping[str, Any]) -> None:
        self._path, self._header = path, dict(header)

    @classmethod
    def new(cls, path: str | os.PathLike[str], pseudonyms: Pseudonyms) -> Crosswalk:
        """Make a crosswalk for keyed pseudonyms.

        Raises
        ------
        KeyFileError
            The file exists, or cannot be written.
        """
        return cls._created(path, _header(pseudonyms))

    @classmethod
    def for_random_codes(
        cls,
        path: str | os.PathLike[str],
        project: str,
        *,
        kind: str = "patient",
        normalisation: Normalisation | None = None,
    ) -> Crosswalk:
        """Make a crosswalk for codes drawn at random, which only this file links to people.

        Raises
        ------
        InvalidArgument
            The project or kind is no text.
        KeyFileError
            The file exists, or cannot be written.
        """
        if not isinstance(project, str) or not project or not isinstance(kind, str) or not kind:
            raise InvalidArgument("project", "and 'kind' must be texts that are not empty")
        rules = (Normalisation() if normalisation is None else normalisation).to_dict()
        header = {"project": project, "kind": kind, "epoch": 1, "fingerprint": RANDOM, "normalisation": rules}
        return cls._created(path, header)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Crosswalk:
        """Open a crosswalk.

        Raises
        ------
        KeyFileError
            The file is missing, damaged, or open to others than its owner.
        """
        data = _read(disk.absolute(path))
        return cls(disk.absolute(path), {key: data[key] for key in _FIELDS[1:6]})

    @classmethod
    def _created(cls, path: str | os.PathLike[str], header: Mapping[str, Any]) -> Crosswalk:
        where = disk.absolute(path)
        disk.create(where, _rendered(header, {}))
        return cls(where, header)

    def add(self, pseudonyms: Pseudonyms, codes: Mapping[str, str]) -> None:
        """Add people: normalised identifier to pseudonym.

        Raises
        ------
        InvalidArgument
            The pseudonyms are of another project, kind, epoch, key or normalisation.
        KeyFileError
            The file cannot be used, or a pseudonym stands for somebody else already.
        """
        if self._header != _header(pseudonyms):
            raise InvalidArgument(
                "crosswalk", "belongs to other pseudonyms", "Make one for each project, kind, epoch and normalisation."
            )
        with disk.locked(self._path):
            self._merge({code: written for written, code in codes.items()})

    def draw_codes(self, frame: object, column: str) -> Any:
        """Return the frame with a column of identifiers replaced by random codes; known people keep theirs.

        The codes are drawn by the secure generator and depend on nothing about the person, as 45 CFR 164.514(c)(1) asks
        of codes for re-identification.

        Raises
        ------
        InvalidArgument, DataError
            The crosswalk is one of keyed pseudonyms, or the frame or the column is not usable.
        KeyFileError
            The file cannot be used.
        """
        if self._header["fingerprint"] != RANDOM:
            raise InvalidArgument("crosswalk", "is one of keyed pseudonyms", "Use Pseudonyms.replace.")
        rules = Normalisation.from_dict(self._header["normalisation"])
        return replace_identifiers(frame, column, rules, self._drawn)

    def _drawn(self, identifiers: list[str]) -> dict[str, str]:
        with disk.locked(self._path):
            known = {written: code for code, written in _read(self._path)["people"].items()}
            codes = {written: known.get(written) or as_code(random_bytes(CODE)) for written in identifiers}
            self._merge({code: written for written, code in codes.items()})
        return codes

    def identify(self, pseudonym: str) -> str:
        """Return the normalised identifier behind a pseudonym.

        Raises
        ------
        InvalidArgument
            It is not in this crosswalk.
        KeyFileError
            The file cannot be used.
        """
        people: dict[str, str] = _read(self._path)["people"]
        if not isinstance(pseudonym, str) or pseudonym not in people:
            raise InvalidArgument("pseudonym", "is not in this crosswalk", "It may be of another project or epoch.")
        return people[pseudonym]

    def translation(self, pseudonyms: Pseudonyms) -> dict[str, str]:
        """Return each pseudonym here with the one of the same person in another project or epoch.

        Raises
        ------
        InvalidArgument
            Both normalise identifiers in different ways.
        KeyFileError
            The file cannot be used.
        """
        if self._header["normalisation"] != pseudonyms.normalisation.to_dict():
            raise InvalidArgument("pseudonyms", "normalise identifiers in another way", "Use the same normalisation.")
        return {code: pseudonyms.code_of(written) for code, written in _read(self._path)["people"].items()}

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the list as CSV to a new file that only its owner can read.

        Raises
        ------
        KeyFileError
            A file cannot be used, or exists.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("pseudonym", "identifier"))
        writer.writerows(sorted(_read(self._path)["people"].items()))
        disk.create(path, text.getvalue().encode())

    def __len__(self) -> int:
        return len(_read(self._path)["people"])

    def __repr__(self) -> str:
        return f"Crosswalk(project {self._header['project']!r}, {self._header['kind']}, epoch {self._header['epoch']})"

    def _merge(self, people: Mapping[str, str]) -> None:
        """Add entries. The caller holds the lock."""
        known: dict[str, str] = _read(self._path)["people"]
        if any(known.get(code, written) != written for code, written in people.items()):
            raise KeyFileError(self._path, "has other people behind some of these pseudonyms", "Check which key it is.")
        if not people.keys() <= known.keys():
            disk.replace(self._path, _rendered(self._header, known | dict(people)))


def _header(pseudonyms: Pseudonyms) -> dict[str, Any]:
    rules = pseudonyms.normalisation.to_dict()
    header = {"project": pseudonyms.project, "kind": pseudonyms.kind, "epoch": pseudonyms.epoch}
    return header | {"fingerprint": pseudonyms.fingerprint, "normalisation": rules}


def _rendered(header: Mapping[str, Any], people: Mapping[str, str]) -> bytes:
    body = {"format": FORMAT, **header, "people": dict(people)}
    return json.dumps(body | {"check": _check(body)}, ensure_ascii=True, indent=0).encode()


def _check(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def _read(path: str) -> dict[str, Any]:
    try:
        data = parse_json(_content(path), max_bytes=MAX_BYTES)
    except ConfigError:
        data = {}
    body = {key: value for key, value in data.items() if key != "check"}
    if set(data) != set(_FIELDS) or data["format"] != FORMAT or data["check"] != _check(body):
        raise KeyFileError(path, "is damaged, or no crosswalk of this version", "Restore it from a backup.")
    return data


def _content(path: str) -> bytes:
    """Return the content of a file that nobody but its owner can use; larger ones than keys are expected."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        with os.fdopen(handle, "rb") as stream:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise KeyFileError(path, "is not a regular file", "Check the path.")
            if os.name == "posix" and found.st_mode & 0o077:
                mode = stat.S_IMODE(found.st_mode)
                raise KeyFileError(path, f"can be used by others than its owner (mode {mode:04o})", "Run chmod 600.")
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise KeyFileError(
            path, f"cannot be used: {error.strerror or type(error).__name__}", "Check the path."
        ) from None
    if len(content) > MAX_BYTES:
        raise KeyFileError(path, "is too large for a crosswalk")
    return content
