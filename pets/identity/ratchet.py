"""From one secret of two parties to a fresh key for each session, so that old ones cannot be computed again.

For each pair there is a chain, begun with the secret that the two agreed on (RFC 5869, SHA-256)::

    C[0]      = Expand(Extract(study id, secret), "pair chain", both names in order, transcript of the agreement)
    C[n + 1]  = Expand(C[n], "next")
    K[n]      = Expand(C[n], "session", n, binding)        binding: the digest of what the session is about
    key       = Expand(K[n], label)                        what a protocol uses

`Expand` is one HMAC. Whoever steals `C[n + 1]` can compute neither `C[n]` nor `K[n]`: that would be to invert HMAC.
The other way does not hold: who has `C[n]` computes all later keys, until the parties agree anew
(every 30 days, at any change of the roster, and at once when a machine may have been read by others).

References
----------
H. Krawczyk, P. Eronen, RFC 5869, 2010.
M. Bellare, B. Yee, "Forward-security in private-key cryptography", CT-RSA 2003 (this chain: section 3).
T. Perrin, M. Marlinspike, "The Double Ratchet Algorithm", 2016 (its symmetric-key ratchet).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from pets.identity.encoding import frame
from pets.identity.primitives import hkdf_expand, hkdf_extract

_NEXT = frame("pets chain next v1")


def first_link(study: bytes, secret: bytes, lower: str, higher: str, transcript: bytes) -> bytes:
    """Return `C[0]` of the pair `lower`, `higher`."""
    return hkdf_expand(hkdf_extract(study, secret), frame("pets pair chain v1", lower, higher, transcript))


def next_link(link: bytes) -> bytes:
    """Return `C[n + 1]` from `C[n]`."""
    return hkdf_expand(link, _NEXT)


def session_keys(links: Mapping[str, bytes], session: bytes) -> dict[str, bytes]:
    """Return `K[n]` for each peer from its `C[n]` and the session's identifier, which holds `n` and the binding."""
    info = frame("pets chain session v1", session)
    return {peer: hkdf_expand(link, info) for peer, link in links.items()}


def session_id(study: bytes, number: int, binding: bytes) -> bytes:
    """Return 32 bytes that name session `number` of a study about `binding`."""
    return hashlib.sha256(frame("pets session v1", study, number, binding)).digest()
