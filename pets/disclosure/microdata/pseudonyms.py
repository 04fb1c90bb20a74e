"""Keyed pseudonyms: the same person gets the same code within a project, and unrelated codes in different ones.

One secret key lies with an *honest broker*, a person or office apart from those who analyse. From it HKDF-SHA-256
(RFC 5869) derives a key for each project, kind of thing and epoch; a pseudonym is the first 128 bits of HMAC-SHA-256
(RFC 2104) of the normalised identifier under that key. A hash without a key would be no protection: there are few
enough record numbers, names and dates to hash them all.

Who does not hold the key cannot go from a pseudonym to a person, nor link two projects, as long as HMAC-SHA-256 is a
pseudo-random function. Who holds the key can test any guess; so the broker keeps it and hands out pseudonyms only.

*Not enough for HIPAA Safe Harbor.* A code that is derived from an identifier, keyed or not, is itself an identifier of
kind (R) under 45 CFR 164.514(b)(2)(i) and (c)(1). Use :meth:`Crosswalk.draw_codes`, which draws codes at random, or
have an expert determine the risk. Nor do pseudonyms hide anything that the other columns tell: see
:func:`~pets.disclosure.microdata.assess`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pets.config import parse_toml
from pets.csprng import random_bytes
from pets.disclosure.microdata.frame import column_name, open_rows, whole_number
from pets.disclosure.microdata.normalisation import Normalisation
from pets.errors import ConfigError, DataError, InvalidArgument, KeyFileError
from pets.identity import disk
from pets.identity.encoding import frame as framed
from pets.identity.encoding import from_base64, to_base64
from pets.identity.secret import Unpicklable

if TYPE_CHECKING:
    from pets.disclosure.microdata.crosswalk import Crosswalk

FORMAT = "pets pseudonym key 1"
KEY, CODE = 32, 16
_FIELDS = ("format", "fingerprint", "secret", "check")


class PseudonymKey(Unpicklable):
    """The broker's secret, from which all projects' keys are derived.

    Parameters
    ----------
    secret
        32 bytes. Use :meth:`new` for a fresh one.

    Raises
    ------
    InvalidArgument
        It is not 32 bytes.
    """

    def __init__(self, secret: bytes) -> None:
        if not isinstance(secret, bytes) or len(secret) != KEY:
            raise InvalidArgument("secret", "must be 32 bytes", "Use PseudonymKey.new().")
        self._secret = secret

    @classmethod
    def new(cls) -> PseudonymKey:
        """Return a fresh key."""
        return cls(random_bytes(KEY))

    @property
    def fingerprint(self) -> str:
        """Sixteen digits that tell keys apart and tell nothing about the key."""
        return _derived(self._secret, framed("pets pseudonym key fingerprint")).hex()[:16].upper()

    def project(
        self, name: str, *, kind: str = "patient", epoch: int = 1, normalisation: Normalisation | None = None
    ) -> Pseudonyms:
        """Return the pseudonyms of one project.

        Parameters
        ----------
        name
            Of the project. Another name gives unrelated pseudonyms.
        kind
            What is identified, so that patient 17 and hospital 17 get unrelated pseudonyms.
        epoch
            From 1 on. The next one gives unrelated pseudonyms: rotation.
        normalisation
            How identifiers are written. Another one gives unrelated pseudonyms too, so no two spellings are mixed up.

        Raises
        ------
        InvalidArgument
            A name is empty or too long, or the epoch is below 1.
        """
        settings = Normalisation() if normalisation is None else normalisation
        if not isinstance(settings, Normalisation):
            raise InvalidArgument("normalisation", "must be a Normalisation")
        for argument, text in (("name", name), ("kind", kind)):
            if not isinstance(text, str) or not 1 <= len(text) <= 128 or not text.isprintable():
                raise InvalidArgument(argument, "must be a text of 1 to 128 printable characters")
        number = whole_number(epoch, "epoch", 1)
        rules = json.dumps(settings.to_dict(), sort_keys=True)
        key = _derived(self._secret, framed("pets pseudonyms 1", name, kind, number, rules))
        return Pseudonyms(name, kind, number, settings, self.fingerprint, key)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the key to a new file that only its owner can read (mode 0600).

        Raises
        ------
        KeyFileError
            The file exists, or cannot be written.
        """
        disk.create(path, _rendered(self.fingerprint, self._secret))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PseudonymKey:
        """Return the key in a file.

        Raises
        ------
        KeyFileError
            The file is missing, damaged, or open to others than its owner.
        """
        content = disk.read_secret(path)
        try:
            data = parse_toml(content)
            if set(data) != set(_FIELDS) or data["format"] != FORMAT:
                raise ConfigError("format", "is another")
            key = cls(from_base64(data["secret"], KEY, "secret"))
        except ConfigError:
            raise KeyFileError(path, "is damaged, or not a pseudonym key of this version", "Restore it.") from None
        if _rendered(key.fingerprint, key._secret) != content:
            raise KeyFileError(path, "is damaged: its check does not fit", "Restore it from a backup.")
        return key

    def __repr__(self) -> str:
        return f"PseudonymKey({self.fingerprint})"


@dataclass(frozen=True, eq=False, repr=False)
class Pseudonyms(Unpicklable):
    """The pseudonyms of one project, kind and epoch. Made by :meth:`PseudonymKey.project`.

    Attributes
    ----------
    project, kind, epoch, normalisation
        See :meth:`PseudonymKey.project`.
    fingerprint
        Of the broker's key.
    """

    project: str
    kind: str
    epoch: int
    normalisation: Normalisation
    fingerprint: str
    _key: bytes

    def of(self, identifier: str | int) -> str:
        """Return the pseudonym of one identifier: 26 letters and digits (Base32 of 128 bits).

        Raises
        ------
        DataError
            It is empty, or neither a text nor a whole number.
        """
        written = self.normalisation.read(identifier, "identifier")
        if written is None:
            raise DataError("identifier", "is empty after normalisation")
        return self.code_of(written)

    def code_of(self, written: str) -> str:
        """Return the pseudonym of an identifier that is normalised already."""
        # The standard library's one-shot call is OpenSSL's as well, and several times faster for short texts.
        return as_code(hmac.digest(self._key, written.encode("utf-8", "surrogatepass"), "sha256")[:CODE])

    def replace(self, frame: object, column: str, *, crosswalk: Crosswalk | None = None) -> Any:
        """Return the frame with a column of identifiers replaced by their pseudonyms.

        Parameters
        ----------
        frame
            Any data frame that narwhals supports; lazy ones are collected.
        column
            Texts or whole numbers. Cells that are missing or empty after normalisation become nulls.
        crosswalk
            Where the broker keeps who is who. Written before this returns. Without one nobody can go back, except by
            testing guesses with the key.

        Raises
        ------
        InvalidArgument, DataError
            The frame or the column is not usable.
        KeyFileError, InvalidArgument
            The crosswalk belongs to other pseudonyms, or cannot be written.
        """
        return replace_identifiers(frame, column, self.normalisation, lambda found: self._coded(found, crosswalk))

    def _coded(self, identifiers: list[str], crosswalk: Crosswalk | None) -> dict[str, str]:
        codes = {written: self.code_of(written) for written in identifiers}
        if crosswalk is not None:
            crosswalk.add(self, codes)
        return codes

    def rotated(self, key: PseudonymKey) -> Pseudonyms:
        """Return the pseudonyms of the next epoch.

        Raises
        ------
        InvalidArgument
            `key` is another one than these were made with.
        """
        if key.fingerprint != self.fingerprint:
            raise InvalidArgument("key", "is another key than these pseudonyms were made with")
        return key.project(self.project, kind=self.kind, epoch=self.epoch + 1, normalisation=self.normalisation)

    def __repr__(self) -> str:
        return f"Pseudonyms(project {self.project!r}, {self.kind}, epoch {self.epoch}, key {self.fingerprint})"


def replace_identifiers(
    frame: object, column: str, normalisation: Normalisation, coded: Callable[[list[str]], dict[str, str]]
) -> Any:
    """Return the frame with the identifiers in `column` replaced by what `coded` gives for the normalised ones."""
    rows = open_rows(frame, (column_name(column, "column"),), others=True)
    found = rows.code(column)
    written = [normalisation.read(value, column) for value in found.values]
    codes = coded(list(dict.fromkeys(text for text in written if text is not None)))
    by_code = [None if text is None else codes[text] for text in written] + [None]
    texts = [by_code[code] for code in found.codes.tolist()]
    return rows.frame.with_columns(_text_column(rows.frame, column, texts)).to_native()


def as_code(content: bytes) -> str:
    """Return 16 bytes as 26 letters and digits."""
    return base64.b32encode(content).decode("ascii").rstrip("=")


def _text_column(frame: nw.DataFrame[Any], name: str, texts: list[str | None]) -> nw.Series[Any]:
    if frame.implementation.is_pandas():
        import pandas as pd

        native = pd.Series(texts, index=frame.to_native().index, name=name, dtype=object)
        return nw.from_native(native, series_only=True)
    return nw.new_series(name, texts, nw.String, backend=frame.implementation)


def _derived(secret: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY, salt=None, info=info).derive(secret)


def _rendered(fingerprint: str, secret: bytes) -> bytes:
    import tomli_w

    head = (
        "# SECRET key of an honest broker for pseudonyms (pets). Whoever has this file can test who is behind them.\n"
        "# Keep it apart from the data, with a backup. Never send it to anybody.\n"
    )
    body = head + tomli_w.dumps({"format": FORMAT, "fingerprint": fingerprint, "secret": to_base64(secret)})
    return f'{body}check = "{hashlib.sha256(body.encode()).hexdigest()}"\n'.encode()
