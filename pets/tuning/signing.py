"""Detached signatures of reports: who stands for a page, checked without the page having to be trusted."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pets.config import parse_toml
from pets.errors import BadSignature, ConfigError

if TYPE_CHECKING:
    from pets.identity import Identity, PublicIdentity

FORMAT = "pets signature 1"
PURPOSE = "pets tuning report"
"""What is signed: a signature for another purpose never verifies."""

ENDING = ".sig"
_KEYS = ("format", "purpose", "name", "fingerprint", "sha256", "signature")


@dataclass(frozen=True, slots=True)
class Signature:
    """A detached signature of one file.

    Attributes
    ----------
    name, fingerprint
        Who signed, and the fingerprint of the keys.
    sha256
        Digest of the file, for the reader's eye.
    signature
        Ed25519 and ML-DSA-65 together, 3,373 bytes; both must verify.
    """

    name: str
    fingerprint: str
    sha256: str
    signature: bytes

    @classmethod
    def of(cls, content: bytes, signer: Identity) -> Signature:
        """Sign a file's content."""
        public = signer.public
        digest = hashlib.sha256(content).hexdigest()
        return cls(public.name, public.fingerprint, digest, signer.sign(content, PURPOSE))

    def verify(self, content: bytes, signer: PublicIdentity) -> None:
        """Check that `signer` signed this very content.

        Raises
        ------
        BadSignature
            Another name or other keys signed, or the file was changed.
        """
        if self.name != signer.name or self.fingerprint != signer.fingerprint:
            raise BadSignature(
                self.name, f"it is not by the keys of {signer.name!r} that were given",
                "Compare the fingerprints over the telephone: pets keys show.",
            )  # fmt: skip
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise BadSignature(self.name, "the file is not the one that was signed")
        signer.verify(self.signature, content, PURPOSE)

    def to_toml(self) -> str:
        """Return the document that lies beside the file."""
        import tomli_w

        fields: dict[str, Any] = {
            "format": FORMAT,
            "purpose": PURPOSE,
            "name": self.name,
            "fingerprint": self.fingerprint,
            "sha256": self.sha256,
            "signature": base64.b64encode(self.signature).decode(),
        }
        return tomli_w.dumps(fields)

    @classmethod
    def from_toml(cls, text: str | bytes) -> Signature:
        """Read :meth:`to_toml`.

        Raises
        ------
        ConfigError
            The document is no signature.
        """
        data = parse_toml(text)
        if set(data) != set(_KEYS) or data["format"] != FORMAT or not all(isinstance(v, str) for v in data.values()):
            raise ConfigError(
                "format", f"must be that of a signature, {FORMAT!r}", f"Give the file that ends in {ENDING}."
            )
        if data["purpose"] != PURPOSE:
            raise ConfigError("purpose", "is another one", "Only reports of pets tune are verified here.")
        try:
            signature = base64.b64decode(data["signature"], validate=True)
        except (binascii.Error, ValueError):
            raise ConfigError("signature", "is not Base64") from None
        return cls(data["name"], data["fingerprint"], data["sha256"], signature)
