"""Who somebody is to others: a name, three public keys, and a fingerprint to read aloud."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from pets.config import parse_toml
from pets.errors import BadSignature, ConfigError, InvalidArgument
from pets.identity import primitives
from pets.identity.encoding import check_bytes, check_name, frame, from_base64, to_base64

FINGERPRINT_BITS = 160
"""Length of a fingerprint. To find other keys with a given fingerprint takes 2**160 trials (2**80 quantum ones)."""

FORMAT = "pets public identity 1"
MAX_BYTES = 16 * 2**10

_KEYS = {
    "ed25519": primitives.ED25519_PUBLIC,
    "ml_dsa": primitives.ML_DSA_PUBLIC,
    "hpke": primitives.HPKE_PUBLIC,
}


@dataclass(frozen=True)
class PublicIdentity:
    """The public half of an :class:`~pets.identity.Identity`.

    Parameters
    ----------
    name
        What the party is called, 1 to 64 characters.
    ed25519
        Ed25519 public key, 32 bytes.
    ml_dsa
        ML-DSA-65 public key, 1952 bytes.
    hpke
        ML-KEM-768 and X25519 public keys, 1216 bytes.

    Raises
    ------
    InvalidArgument
        The name cannot be used, or a key is not bytes of the right length.
    """

    name: str
    ed25519: bytes
    ml_dsa: bytes
    hpke: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        for key, size in _KEYS.items():
            object.__setattr__(self, key, check_bytes(getattr(self, key), size, key))
        try:
            self._verifier  # noqa: B018 - made now, so that a key that is no key is refused here
        except ValueError:
            raise InvalidArgument("ed25519", "or ml_dsa is not a public key") from None

    def __repr__(self) -> str:
        return f"<PublicIdentity {self.name}, {self.fingerprint}>"

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of name and keys, 32 bytes: what signatures, rosters and studies bind to."""
        return hashlib.sha256(frame("pets identity v1", self.name, self.ed25519, self.ml_dsa, self.hpke)).digest()

    @cached_property
    def fingerprint(self) -> str:
        """The first 160 bits of :attr:`digest` as eight groups of four letters and digits 2 to 7.

        Two people who compare it over the telephone know that they hold the same name and the same keys.
        """
        return spelled(self.digest)

    @cached_property
    def _verifier(self) -> primitives.VerifyingKey:
        return primitives.VerifyingKey(self.ed25519, self.ml_dsa)

    def verify(self, signature: bytes, statement: bytes, context: str) -> None:
        """Check that this party signed `statement` for the purpose `context`. Both halves must verify.

        Raises
        ------
        BadSignature
            They do not; ``party`` is this party's name.
        InvalidArgument
            An argument is not of the right type.
        """
        signature = check_bytes(signature, None, "signature")
        if len(signature) != primitives.SIGNATURE:
            raise BadSignature(self.name, f"it has {len(signature)} bytes instead of {primitives.SIGNATURE}")
        bad = self._verifier.refuted(signature, signed_message(self, statement, context))
        if bad:
            raise BadSignature(self.name, f"the {' and the '.join(bad)} part does not fit the {context} and the keys")

    def seal(self, plaintext: bytes, context: str) -> bytes:
        """Return `plaintext` sealed so that only this party can open it, and only for the purpose `context`.

        Anybody can seal: what is inside comes from whoever signed it, not from whoever sealed it.
        """
        return primitives.seal(self.hpke, check_bytes(plaintext, None, "plaintext"), sealing_info(self, context))

    def to_toml(self) -> str:
        """Return the document to send to others."""
        import tomli_w

        head = (
            f"# Public keys of {self.name} for pets. Not secret. Whoever receives this compares the fingerprint with\n"
            f"# {self.name} over the telephone before using it.\n"
        )
        return head + tomli_w.dumps({"format": FORMAT} | self.to_dict())

    @classmethod
    def from_toml(cls, text: str | bytes) -> Self:
        """Return the identity in a document; see :meth:`from_dict`."""
        data = parse_toml(text, max_bytes=MAX_BYTES)
        if data.pop("format", None) != FORMAT:
            raise ConfigError("format", f'must be "{FORMAT}"', "Give the file that ends in .public.toml.")
        return cls.from_dict(data)

    def to_dict(self) -> dict[str, str]:
        """Return name and keys as plain data, keys in Base64, with the fingerprint for the reader's eye."""
        keys = {key: to_base64(getattr(self, key)) for key in _KEYS}
        return {"name": self.name, "fingerprint": self.fingerprint} | keys

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the identity that plain data describe; see :meth:`to_dict`.

        Raises
        ------
        ConfigError
            A key is missing, unknown or malformed, or the fingerprint is not that of the keys.
        """
        wanted = ("name", "fingerprint", *_KEYS)
        if not isinstance(data, Mapping) or set(data) != set(wanted):
            raise ConfigError("identity", f"must be a table with exactly the keys {', '.join(wanted)}")
        keys = {key: from_base64(data[key], size, key) for key, size in _KEYS.items()}
        try:
            found = cls(data["name"], **keys)
        except InvalidArgument as error:
            raise ConfigError(error.argument, error.problem, error.remedy) from None
        if data["fingerprint"] != found.fingerprint:
            raise ConfigError("fingerprint", "is not that of name and keys", "Ask for the file again, and compare.")
        return found


def spelled(digest: bytes) -> str:
    """Return the first 160 bits of a digest as eight groups of four letters and digits 2 to 7."""
    letters = base64.b32encode(digest[: FINGERPRINT_BITS // 8]).decode("ascii")
    return "-".join(letters[i : i + 4] for i in range(0, len(letters), 4))


def signed_message(signer: PublicIdentity, statement: bytes, context: str) -> bytes:
    """Return what both signature algorithms sign: purpose, signer's keys, and the digest of the statement.

    The signer's keys are inside, so that no other key can be presented as having signed the same, and neither
    half means anything in another protocol.
    """
    if not isinstance(context, str) or not context:
        raise InvalidArgument("context", "must be a text that names what is signed")
    digest = hashlib.sha512(check_bytes(statement, None, "statement")).digest()
    return frame("pets signature v1", context, signer.digest, digest)


def sealing_info(recipient: PublicIdentity, context: str) -> bytes:
    """Return the context of HPKE for something sealed to `recipient`."""
    if not isinstance(context, str) or not context:
        raise InvalidArgument("context", "must be a text that names what is sealed")
    return frame("pets sealed v1", context, recipient.digest)
