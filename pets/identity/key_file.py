"""The file of an :class:`~pets.identity.Identity`: text, so that a person who opens it reads what it is.

::

    # SECRET keys of FR for pets. Whoever has this file can speak as FR. ...
    format = "pets identity 1"
    name = "FR"
    fingerprint = "ABCD-..."
    protection = "argon2id"        (or "none")
    salt = "..."                   (Base64, empty without passphrase)
    secret = "..."                 (Base64: the seeds, or their ChaCha20-Poly1305 encryption)
    check = "..."                  (SHA-256 of all lines above)

A file is accepted only if writing its parsed content again gives the very same bytes.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any, TypeVar

from pets.config import parse_toml
from pets.csprng import random_bytes
from pets.errors import ConfigError, InvalidArgument, KeyFileError
from pets.identity import primitives
from pets.identity.encoding import frame, from_base64, to_base64
from pets.identity.public import PublicIdentity

if TYPE_CHECKING:
    from pets.identity.secret import Identity

    Kind = TypeVar("Kind", bound=Identity)

FORMAT = "pets identity 1"
NONE, ARGON2ID = "none", "argon2id"
_FIELDS = ("format", "name", "fingerprint", "protection", "salt", "secret", "check")
_SEED = primitives.SIGNING_SEED + primitives.SEALING_SEED
_SALT, _TAG = 16, 16


def render(public: PublicIdentity, seed: bytes, passphrase: str | None) -> bytes:
    """Return the content of a key file.

    Raises
    ------
    InvalidArgument
        The passphrase is empty or no text.
    """
    if passphrase is None:
        return _document(public.name, public.fingerprint, NONE, b"", seed)
    salt = random_bytes(_SALT)
    key = primitives.stretch(_checked(passphrase), salt)
    sealed = primitives.aead_encrypt(key, seed, _header(public.name, public.fingerprint))
    return _document(public.name, public.fingerprint, ARGON2ID, salt, sealed)


def parse(kind: type[Kind], path: str | os.PathLike[str], content: bytes, passphrase: str | None) -> Kind:
    """Return the identity in the content of a key file.

    Raises
    ------
    KeyFileError
        The content is damaged or of another format, or the passphrase is missing or wrong.
    """
    fields = read_fields(path, content)
    secret = fields["secret"]
    if fields["protection"] == ARGON2ID:
        secret = _decrypted(path, fields, passphrase)
    try:
        identity = kind(fields["name"], secret)
    except InvalidArgument:
        raise _damaged(path) from None
    if identity.public.fingerprint != fields["fingerprint"]:
        raise KeyFileError(path, "holds other keys than its fingerprint says", "Restore it from a backup.")
    return identity


def read_fields(path: str | os.PathLike[str], content: bytes) -> dict[str, Any]:
    """Return what a key file says in plain text, its secret still encrypted if it has a passphrase.

    Raises
    ------
    KeyFileError
        The content is damaged or of another format.
    """
    try:
        data = parse_toml(content)
        if set(data) != set(_FIELDS) or not all(isinstance(value, str) for value in data.values()):
            raise ConfigError("document", "has other keys than a key file")
        protected = data["protection"] == ARGON2ID
        salt = from_base64(data["salt"], _SALT if protected else 0, "salt")
        secret = from_base64(data["secret"], _SEED + _TAG * protected, "secret")
    except ConfigError:
        raise _damaged(path) from None
    # Anything that reads the same but is spelt otherwise was changed by someone.
    if _document(data["name"], data["fingerprint"], data["protection"], salt, secret) != content:
        raise _damaged(path)
    if data["protection"] not in (NONE, ARGON2ID):
        raise KeyFileError(path, "is protected in a way that this version does not know", "Update pets.")
    return {**data, "salt": salt, "secret": secret}


def _decrypted(path: str | os.PathLike[str], fields: dict[str, Any], passphrase: str | None) -> bytes:
    if passphrase is None:
        raise KeyFileError(path, "is protected by a passphrase", "Give it: load(path, passphrase), --passphrase-file.")
    key = primitives.stretch(_checked(passphrase), fields["salt"])
    secret = primitives.aead_decrypt(key, fields["secret"], _header(fields["name"], fields["fingerprint"]))
    if secret is None:
        raise KeyFileError(path, "cannot be opened with this passphrase", "Check the passphrase; the file is whole.")
    return secret


def _document(name: str, fingerprint: str, protection: str, salt: bytes, secret: bytes) -> bytes:
    import tomli_w

    values = (FORMAT, name, fingerprint, protection, to_base64(salt), to_base64(secret))
    head = (
        f"# SECRET keys of {name} for pets. Whoever has this file can speak as {name}.\n"
        "# Never send it to anybody. The file to send is the one that ends in .public.toml.\n"
    )
    body = head + tomli_w.dumps(dict(zip(_FIELDS, values, strict=False)))
    return f'{body}check = "{hashlib.sha256(body.encode()).hexdigest()}"\n'.encode()


def _header(name: str, fingerprint: str) -> bytes:
    return frame(FORMAT, name, fingerprint)


def _checked(passphrase: object) -> str:
    if not isinstance(passphrase, str) or not passphrase:
        raise InvalidArgument("passphrase", "must be a text that is not empty", "Leave it out for no protection.")
    return passphrase


def _damaged(path: str | os.PathLike[str]) -> KeyFileError:
    return KeyFileError(path, "is damaged, or not a key file of this version", "Restore it from a backup.")
