"""What a site does in a masked sum."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from numpy.typing import NDArray

from pets.errors import MessageRejected
from pets.mpc import field
from pets.mpc import masked_messages as layout
from pets.mpc.ring import Ring
from pets.mpc.shamir import share_secrets
from pets.session import SERVER, Context, Turn
from pets.session.bodies import bits_size, cut, marked
from pets.session.masks import add_mask, keystream

_TO_SERVER = frozenset({SERVER})


class MaskedSite:
    """Deposits shares, sends its masked values, agrees on who is in the sum, and helps once to unmask it.

    Parameters
    ----------
    context
        The contract, keys and randomness.
    values
        What the site puts in, int64 of shape (size,).
    threshold
        How many sites must help to unmask.
    least
        How many sites the sum must be over.
    """

    def __init__(self, context: Context, values: NDArray[np.int64], threshold: int, least: int) -> None:
        self.context, self.threshold, self.least = context, threshold, least
        self.sites = context.spec.sites
        self.ring = Ring(context.spec.ring_bits)
        self.place = {name: place for place, name in enumerate(self.sites)}
        self._values = values
        self._self_seed = context.random("self mask", layout.SEED)
        self._recovery = context.random("recovery", layout.SEED)
        self._pair_seeds = {name: context.pair_key(name, "mask") for name in self.sites if name != context.me}
        self._shares: dict[str, bytes] = {}
        self._included: tuple[str, ...] = ()
        self._consent: tuple[tuple[str, ...], tuple[str, ...], bytes] = ((), (), b"")
        self._next = [self._send_input, self._send_consent, self._send_unmasking]

    def start(self) -> Turn:
        """Deposit the shares of both secrets, and the seeds of the pairs under the recovery secret."""
        session, count = self.context.spec.id, len(self.sites)
        seeds = b"".join(self._pair_seeds.get(name, bytes(layout.SEED)) for name in self.sites)
        pad = keystream(self._recovery, len(seeds))
        escrow = (np.frombuffer(seeds, np.uint8) ^ np.frombuffer(pad, np.uint8)).tobytes()
        shares = share_secrets([self._self_seed, self._recovery], count, self.threshold, self.context.stream("sharing"))
        deposit = layout.Shares(
            self_digest=layout.digest(session, self._self_seed),
            recovery_digest=layout.digest(session, self._recovery),
            commitments=b"".join(
                layout.commitment(session, self._pair_seeds[name])
                if name in self._pair_seeds
                else bytes(layout.COMMITMENT)
                for name in self.sites
            ),
            escrow=escrow,
            boxes=b"".join(self._box(name, field.to_bytes(row)) for name, row in zip(self.sites, shares, strict=True)),
        )
        return Turn(send={SERVER: deposit.to_bytes()}, expect=_TO_SERVER)

    def advance(self, bodies: Mapping[str, bytes]) -> Turn:
        """Answer the server; without it a site can only stop."""
        if SERVER not in bodies:
            raise self.context.abort("the server did not answer in time")
        return self._next.pop(0)(bodies[SERVER])

    def _box(self, name: str, shares: bytes) -> bytes:
        if name == self.context.me:
            self._shares[name] = shares
            return bytes(layout.BOX)
        cipher = ChaCha20Poly1305(self.context.pair_key(name, "shares"))
        return cipher.encrypt(self._nonce(self.context.me), shares, None)

    def _nonce(self, owner: str) -> bytes:
        """Return the nonce of the shares that `owner` seals: under a pair's key each end seals once."""
        return self.place[owner].to_bytes(12, "little")

    def _send_input(self, body: bytes) -> Turn:
        bits, boxes = self._cut_first(body)
        self._included = marked(bits, self.sites)
        self._require(self._included)
        if len(boxes) != layout.BOX * len(self._included):
            raise MessageRejected("holds another number of boxes than sites")
        for number, name in enumerate(self._included):
            if name != self.context.me:
                self._shares[name] = self._open(name, boxes[number * layout.BOX : (number + 1) * layout.BOX])
        return Turn(send={SERVER: self.ring.pack(self._masked())}, expect=_TO_SERVER, sealed=False)

    def _cut_first(self, body: bytes) -> tuple[bytes, bytes]:
        size = bits_size(len(self.sites))
        if len(body) < size:
            raise MessageRejected("is too short to say who takes part")
        return body[:size], body[size:]

    def _open(self, name: str, box: bytes) -> bytes:
        cipher = ChaCha20Poly1305(self.context.pair_key(name, "shares"))
        try:
            return cipher.decrypt(self._nonce(name), box, None)
        except InvalidTag:
            raise self.context.abort(f"the shares that {name!r} deposited for this site do not open") from None

    def _masked(self) -> NDArray[Any]:
        total = self.ring.lift(self._values)
        add_mask(total, self._self_seed)
        for name in self._included:
            if name != self.context.me:
                # Of each pair the first adds and the second subtracts, so that the sum of both has no mask.
                add_mask(total, self._pair_seeds[name], subtract=self.place[name] < self.place[self.context.me])
        return total

    def _send_consent(self, body: bytes) -> Turn:
        size = bits_size(len(self.sites))
        active, dropped = (marked(bits, self.sites) for bits in cut(body, size, size))
        self._check_sets(active, dropped)
        common = layout.consent(self.context.spec.id, active, dropped)
        self._consent = active, dropped, common
        signature = self.context.sign(layout.statement(common, self.context.sent[SERVER]))
        tags = b"".join(self._tag(name, self.context.me) for name in self.sites)
        return Turn(send={SERVER: layout.signed(signature) + tags}, expect=_TO_SERVER)

    def _check_sets(self, active: tuple[str, ...], dropped: tuple[str, ...]) -> None:
        """Refuse a list under which the server could learn more than the sum."""
        both = sorted(set(active) & set(dropped))
        if both:
            raise self.context.abort(f"the server calls {both[0]!r} both active and dropped out", SERVER)
        if set(active) | set(dropped) != set(self._included):
            raise self.context.abort("the server's list is not of those who deposited shares", SERVER)
        self._require(active)

    def _tag(self, reader: str, writer: str) -> bytes:
        """Return what proves to `reader` that `writer` was told the same sets."""
        if reader == writer:
            return bytes(layout.TAG)
        peer = writer if reader == self.context.me else reader
        words = self.place[writer].to_bytes(2, "little") + self._consent[2]
        return hmac.digest(self.context.pair_key(peer, "consent"), words, "sha256")[: layout.TAG]

    def _send_unmasking(self, body: bytes) -> Turn:
        active, dropped, _ = self._consent
        bits, tags = self._cut_first(body)
        agreeing = marked(bits, self.sites)
        if len(tags) != layout.TAG * len(agreeing):
            raise MessageRejected("holds another number of consents than sites")
        if not set(agreeing) <= set(active) or self.context.me not in agreeing:
            raise self.context.abort("the server counts consents of sites that are not in the sum", SERVER)
        for number, name in enumerate(agreeing):
            if name != self.context.me and not hmac.compare_digest(
                tags[number * layout.TAG : (number + 1) * layout.TAG], self._tag(self.context.me, name)
            ):
                raise self.context.abort(
                    f"{name!r} did not consent to the same list of sites: the server told two lists"
                )
        self._require(agreeing, self.threshold)
        # One kind of share of each site and never both: with both, the server could take off all masks of one site.
        kept = [self._shares[name][: layout.SHARE] for name in active]
        kept += [self._shares[name][layout.SHARE :] for name in dropped]
        self._shares.clear()
        return Turn(send={SERVER: b"".join(kept)}, done=True)

    def _require(self, present: tuple[str, ...], least: int | None = None) -> None:
        needed = max(self.threshold, self.least) if least is None else least
        if self.context.me not in present:
            raise self.context.abort("the server left this site out, which had answered in time", SERVER)
        if len(present) < needed:
            raise self.context.too_few(f"{len(present)} sites are left, and {needed} are needed")
