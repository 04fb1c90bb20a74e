"""Record keys: a number for each patient, the same in every release of a project, unrelated in any other.

They are values of a keyed pseudo-random function (HMAC-SHA-256, RFC 2104) of the patient's pseudonym. Whoever does not
hold the secret cannot compute them, so that the perturbation of a cell can neither be predicted nor undone; and because
they do not change between releases, the same patients get the same perturbation, and publishing twice averages nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from numpy.typing import NDArray

from pets.csprng import random_bytes
from pets.errors import DataError, InvalidArgument, KeyFileError
from pets.identity import disk
from pets.identity.encoding import frame as framed
from pets.identity.secret import Unpicklable

SECRET = 32
_HEADER = b"pets cell keys 1\n"


class CellKeySecret(Unpicklable):
    """The secret from which the record keys of all projects follow. Keep it, or later releases can be averaged.

    Parameters
    ----------
    secret
        32 bytes. Use :meth:`new` for a fresh one.

    Raises
    ------
    InvalidArgument
        It is not 32 bytes.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        if not isinstance(secret, bytes) or len(secret) != SECRET:
            raise InvalidArgument("secret", "must be 32 bytes", "Use CellKeySecret.new().")
        self._secret = secret

    @classmethod
    def new(cls) -> CellKeySecret:
        """Return a fresh secret."""
        return cls(random_bytes(SECRET))

    def project(self, name: str, *, keys: int = 256) -> RecordKeys:
        """Return the record keys of a project: the same for the same name, unrelated for another.

        Parameters
        ----------
        name
            Of the project, i.e. of everything whose tables may be compared with each other.
        keys
            How many different keys there are: that of the p-table, a power of two.

        Raises
        ------
        InvalidArgument
            The name is empty or too long, or `keys` is no power of two up to 65,536.
        """
        if not isinstance(name, str) or not 1 <= len(name) <= 128 or not name.isprintable():
            raise InvalidArgument("name", "must be a text of 1 to 128 printable characters")
        if isinstance(keys, bool) or not isinstance(keys, int) or not 2 <= keys <= 2**16 or keys & (keys - 1):
            raise InvalidArgument("keys", "must be a power of two between 2 and 65,536")
        return RecordKeys(_mac(self._secret, framed("pets cell key project 1", name)), keys)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the secret to a new file that only its owner can read (mode 0600).

        Raises
        ------
        KeyFileError
            The file exists, or cannot be written.
        """
        disk.create(path, _HEADER + self._secret.hex().encode() + b"\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> CellKeySecret:
        """Return the secret in a file.

        Raises
        ------
        KeyFileError
            The file is missing, damaged, or open to others than its owner.
        """
        content = disk.read_secret(path)
        try:
            if not content.startswith(_HEADER):
                raise ValueError
            return cls(bytes.fromhex(content[len(_HEADER) :].decode("ascii").strip()))
        except ValueError:  # InvalidArgument is one
            raise KeyFileError(path, "is damaged, or no file of a cell-key secret", "Restore it.") from None

    def __repr__(self) -> str:
        return "<CellKeySecret>"


class RecordKeys(Unpicklable):
    """Record keys of one project; made by :meth:`CellKeySecret.project`."""

    __slots__ = ("_secret", "keys")

    def __init__(self, secret: bytes, keys: int) -> None:
        self._secret = secret
        self.keys = keys

    def of(self, pseudonyms: Iterable[Any], column: str = "pseudonyms") -> NDArray[np.int64]:
        """Return the record key of each record.

        Parameters
        ----------
        pseudonyms
            What stands for the patient in each record: texts, or whole numbers (7, 7.0 and '7' are the same patient).
        column
            How to call them in an error.

        Returns
        -------
        ndarray of int64
            Shape (records,), each from 0 to `keys` - 1, uniform to whoever does not hold the secret.

        Raises
        ------
        DataError
            A pseudonym is missing, or neither text nor whole number.
        """
        known: dict[str, int] = {}
        keyed = HMAC(self._secret, SHA256())
        texts = [_text(pseudonym, column) for pseudonym in pseudonyms]
        for text in set(texts):
            mac = keyed.copy()
            mac.update(framed("pets record key 1", text))
            known[text] = int.from_bytes(mac.finalize()[:8], "little") % self.keys
        return np.array([known[text] for text in texts], dtype=np.int64)

    def __repr__(self) -> str:
        return f"<RecordKeys below {self.keys}>"


def _text(pseudonym: object, column: str) -> str:
    if isinstance(pseudonym, str) and pseudonym.isascii() and pseudonym:
        return pseudonym
    if isinstance(pseudonym, float | np.floating) and float(pseudonym).is_integer():
        pseudonym = int(pseudonym)  # a column of numbers with a gap elsewhere is one of floats
    whole = isinstance(pseudonym, int | np.integer) and not isinstance(pseudonym, bool | np.bool_)
    if whole or (isinstance(pseudonym, str) and pseudonym and not any("\ud800" <= c <= "\udfff" for c in pseudonym)):
        return str(pseudonym)
    raise DataError(column, "has a record without a usable pseudonym", "Give each patient a text or a whole number.")


def _mac(key: bytes, message: bytes) -> bytes:
    mac = HMAC(key, SHA256())
    mac.update(message)
    return mac.finalize()
