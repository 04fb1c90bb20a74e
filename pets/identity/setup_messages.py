"""What travels while keys are agreed. All lengths follow from the roster, so nothing has to be parsed.

Every body begins with a header: magic, kind, and the study's 32-byte identifier. With n parties in the order of
their names, and the position i of a party counted from 0:

=============  =========================================================================================
PREKEY         one record: public HPKE key (1216) and signature (3373)
PREKEYS        n records, everybody's
BUNDLE         n - 1 - i sealed keys (1168 each), one for each later name, and the signature of them all
BUNDLES to j   for each earlier name i < j: transcript (32), the digests of its n - 1 - i sealed keys (32
               each), its signature (3373), and the sealed key for j (1168)
=============  =========================================================================================
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from pets.errors import SetupFailed
from pets.identity.encoding import frame
from pets.identity.primitives import HPKE_PUBLIC, SEALED_KEY, SIGNATURE

PREKEY, PREKEYS, BUNDLE, BUNDLES = b"1", b"2", b"3", b"4"
STAGES = {PREKEY: "a prekey", PREKEYS: "the prekeys", BUNDLE: "a bundle of sealed keys", BUNDLES: "the sealed keys"}

_MAGIC = b"pets setup 1 "
_DIGEST = 32
HEADER = len(_MAGIC) + 1 + _DIGEST
RECORD = HPKE_PUBLIC + SIGNATURE

PREKEY_CONTEXT = "study prekey"
BUNDLE_CONTEXT = "study bundle"


@dataclass(frozen=True, slots=True)
class Envelope:
    """One earlier party's sealed key on its way to a later one, with what that party signed.

    Parameters
    ----------
    transcript
        Digest of the prekeys that the sender saw.
    digests
        SHA-256 of each key it sealed, in the order of the recipients' names.
    signature
        Of transcript and digests.
    sealed
        The key sealed to the recipient.
    """

    transcript: bytes
    digests: tuple[bytes, ...]
    signature: bytes
    sealed: bytes


def pack(kind: bytes, study: bytes, *parts: bytes) -> bytes:
    """Return a body of the given kind."""
    return b"".join((_MAGIC, kind, study, *parts))


def unpack(body: object, kind: bytes, study: bytes, size: int, sender: str) -> memoryview:
    """Return what follows the header of a body.

    Raises
    ------
    SetupFailed
        It is no such body: of another kind or study, or not `size` bytes long.
    """
    stage = STAGES[kind]
    if not isinstance(body, bytes | bytearray | memoryview):
        raise SetupFailed(stage, f"{sender!r} sent no bytes", sender)
    view = memoryview(bytes(body))
    if len(view) != HEADER + size:
        raise SetupFailed(stage, f"{sender!r} sent {len(view)} bytes instead of {HEADER + size}", sender)
    if view[: HEADER - _DIGEST] != _MAGIC + kind:
        raise SetupFailed(stage, f"{sender!r} sent a message of another kind or version", sender)
    if view[HEADER - _DIGEST : HEADER] != study:
        raise SetupFailed(stage, f"{sender!r} sent a message of another study, roster, purpose or epoch", sender)
    return view[HEADER:]


def split(view: memoryview, *sizes: int) -> list[bytes]:
    """Return consecutive pieces of `view`, whose length is the sum of `sizes`."""
    pieces, start = [], 0
    for size in sizes:
        pieces.append(bytes(view[start : start + size]))
        start += size
    return pieces


def prekey_statement(study: bytes, prekey: bytes) -> bytes:
    """Return what a party signs about its prekey."""
    return frame("pets study prekey v1", study, prekey)


def bundle_statement(study: bytes, transcript: bytes, digests: Sequence[bytes]) -> bytes:
    """Return what a party signs about the keys it sealed."""
    return frame("pets study bundle v1", study, transcript, *digests)


class Bundle:
    """A whole bundle at the hub, taken apart once for all its recipients."""

    __slots__ = ("_head", "_sealed")

    def __init__(self, transcript: bytes, view: memoryview) -> None:
        keys, signature = view[:-SIGNATURE], view[-SIGNATURE:]
        self._sealed = [keys[i : i + SEALED_KEY] for i in range(0, len(keys), SEALED_KEY)]
        # The hub vouches for the transcript of all: who signed another one is found by the recipient.
        self._head = b"".join((transcript, *(hashlib.sha256(key).digest() for key in self._sealed), signature))

    def envelope(self, index: int) -> bytes:
        """Return the envelope for the recipient at `index` among the later names."""
        return self._head + self._sealed[index]


def envelope_size(later: int) -> int:
    """Return the size of an envelope from a party with `later` names after its own."""
    return _DIGEST + _DIGEST * later + SIGNATURE + SEALED_KEY


def read_envelope(view: memoryview, later: int) -> Envelope:
    """Return the envelope in `view`, which has :func:`envelope_size` bytes."""
    transcript, *rest = split(view, _DIGEST, *[_DIGEST] * later, SIGNATURE, SEALED_KEY)
    return Envelope(transcript, tuple(rest[:later]), rest[later], rest[later + 1])
