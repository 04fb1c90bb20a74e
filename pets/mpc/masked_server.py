"""What the collector does in a masked sum: it adds what it cannot read, and learns only the total."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.errors import MessageRejected, ProtocolAbort
from pets.mpc import field
from pets.mpc import masked_messages as layout
from pets.mpc.faults import SharesDisagree
from pets.mpc.prg import add_mask, keystream
from pets.mpc.ring import Ring
from pets.mpc.shamir import LIMBS, reconstruct_secrets
from pets.session import Context, Evidence, Outcome, Turn

_AT_ONCE = 1_000_000
"""Values that are unpacked together: many small vectors share the cost of a call, few large ones the memory."""


class MaskedServer:
    """Relays the shares, adds the masked values, and removes the masks with the help of the survivors.

    Parameters
    ----------
    context
        The contract and keys.
    threshold
        How many sites must help to unmask.
    least
        How many sites the sum must be over.
    """

    def __init__(self, context: Context, threshold: int, least: int) -> None:
        self.context, self.threshold, self.least = context, threshold, least
        self.sites = context.spec.sites
        self.ring = Ring(context.spec.ring_bits)
        self.place = {name: place for place, name in enumerate(self.sites)}
        self._deposits: dict[str, layout.Shares] = {}
        self._included: tuple[str, ...] = ()
        self._active: tuple[str, ...] = ()
        self._agreeing: tuple[str, ...] = ()
        self._total: NDArray[Any] = np.zeros(context.spec.size, dtype=self.ring.dtype)
        self._sent: dict[str, bytes] = {}
        self._next = [self._relay_shares, self._add, self._relay_consents, self._unmask]

    def start(self) -> Turn:
        """Wait for the deposits."""
        return Turn(expect=frozenset(self.sites))

    def advance(self, bodies: Mapping[str, bytes]) -> Turn:
        """Go on with those who answered."""
        return self._next.pop(0)(bodies)

    def _present(self, bodies: Mapping[str, bytes], least: int | None = None) -> tuple[str, ...]:
        present = tuple(name for name in self.sites if name in bodies)
        needed = max(self.threshold, self.least) if least is None else least
        if len(present) < needed:
            raise self.context.too_few(f"{len(present)} sites are left, and {needed} are needed")
        return present

    def _relay_shares(self, bodies: Mapping[str, bytes]) -> Turn:
        self._included = self._present(bodies)
        count = len(self.sites)
        for name in self._included:
            try:
                self._deposits[name] = layout.Shares.from_bytes(bodies[name], count)
            except MessageRejected as error:
                raise self.context.abort(f"a deposit {error.problem}", name) from None
        self._check_commitments()
        places = [self.place[name] for name in self._included]
        boxes = np.frombuffer(b"".join(self._deposits[name].boxes for name in self._included), dtype=np.uint8)
        boxes = boxes.reshape(len(self._included), count, layout.BOX)
        bits = layout.mark(self._included, self.sites)
        send = {name: bits + boxes[:, place].tobytes() for name, place in zip(self._included, places, strict=True)}
        return Turn(send=send, expect=frozenset(self._included))

    def _check_commitments(self) -> None:
        """Both ends of each pair must hold the same seed; else some masks could not be taken off later."""
        places = [self.place[name] for name in self._included]
        held = np.frombuffer(b"".join(self._deposits[name].commitments for name in self._included), dtype="V16")
        table = held.reshape(len(places), len(self.sites))[:, places]
        wrong = np.argwhere(table != table.T)
        if len(wrong):
            first, second = (self._included[place] for place in wrong[0])
            raise self.context.abort(f"{first!r} and {second!r} hold different keys; one of them is at fault")

    def _add(self, bodies: Mapping[str, bytes]) -> Turn:
        self._active = self._present(bodies)
        size = self.context.spec.size
        batch = max(_AT_ONCE // max(size, 1), 1)
        for name in self._active:
            if len(bodies[name]) != self.ring.packed_size(size):
                raise self.context.abort("a masked vector has the wrong length", name)
        for start in range(0, len(self._active), batch):
            names = self._active[start : start + batch]
            for vector in self.ring.unpack([bodies[name] for name in names], size):
                self._total += vector
        for name in self._active:
            self._sent[name] = bodies[name]
        dropped = [name for name in self._included if name not in bodies]
        body = layout.mark(self._active, self.sites) + layout.mark(dropped, self.sites)
        return Turn(send=dict.fromkeys(self._active, body), expect=frozenset(self._active))

    def _relay_consents(self, bodies: Mapping[str, bytes]) -> Turn:
        self._agreeing = self._present(bodies, self.threshold)
        dropped = tuple(name for name in self._included if name not in self._active)
        common = layout.consent(self.context.spec.id, self._active, dropped)
        evidence, tags = [], []
        for name in self._agreeing:
            try:
                signature, rest = layout.split_signed(bodies[name])
                (own,) = layout.cut(rest, layout.TAG * len(self.sites))
            except MessageRejected as error:
                raise self.context.abort(f"a consent {error.problem}", name) from None
            tags.append(own)
            evidence.append(Evidence(name, layout.statement(common, self._sent[name]), signature))
        self._sent.clear()
        table = np.frombuffer(b"".join(tags), dtype=np.uint8).reshape(len(tags), len(self.sites), layout.TAG)
        bits = layout.mark(self._agreeing, self.sites)
        send = {name: bits + table[:, self.place[name]].tobytes() for name in self._agreeing}
        return Turn(send=send, expect=frozenset(self._agreeing), evidence=tuple(evidence))

    def _unmask(self, bodies: Mapping[str, bytes]) -> Turn:
        helping = self._present(bodies, self.threshold)
        dropped = [name for name in self._included if name not in self._active]
        secrets = self._recover(helping, [*self._active, *dropped], bodies)
        for name in self._active:
            self._check(name, secrets[name], self._deposits[name].self_digest)
            add_mask(self._total, secrets[name], subtract=True)
        for name in dropped:
            self._check(name, secrets[name], self._deposits[name].recovery_digest)
            self._remove_pair_masks(name, secrets[name])
        mask = self._total.dtype.type((1 << self.ring.bits) - 1)
        total = self.context.spec.decode((self._total & mask).astype(np.uint64))
        self._check_range(total)
        return Turn(result=Outcome(total, self._active), done=True)

    def _check_range(self, total: NDArray[np.int64]) -> None:
        """A site's mask that does not cancel, or a value outside its bounds, leaves most totals an impossible one."""
        spec = self.context.spec
        weight = sum(spec.weight(name) for name in self._active)
        low, high = spec.least * weight - spec.noise_bound, spec.upper * weight + spec.noise_bound
        if len(total) and (int(total.min()) < low or int(total.max()) > high):
            raise self.context.abort("the total is impossible under the declared bounds; some site broke the protocol")

    def _recover(self, helping: tuple[str, ...], owners: list[str], bodies: Mapping[str, bytes]) -> dict[str, bytes]:
        columns = len(owners) * layout.SHARE // field.ELEMENT_BYTES
        rows = []
        for name in helping:
            try:
                rows.append(field.from_bytes(bodies[name], columns))
            except MessageRejected as error:
                raise self.context.abort(f"its help {error.problem}", name) from None
        points = [self.place[name] + 1 for name in helping]
        try:
            secrets = reconstruct_secrets(points, np.stack(rows), self.threshold)
        except SharesDisagree:
            raise self._disagreement(helping, owners, np.stack(rows)) from None
        return dict(zip(owners, secrets, strict=True))

    def _disagreement(self, helping: tuple[str, ...], owners: list[str], shares: NDArray[np.uint64]) -> ProtocolAbort:
        """Name who is at fault if that is certain: a wrong share may be its bearer's fault, or of who had dealt it."""
        points = [self.place[name] + 1 for name in helping]
        found = []
        for number, owner in enumerate(owners):
            try:
                reconstruct_secrets(points, shares[:, LIMBS * number : LIMBS * (number + 1)], self.threshold)
            except SharesDisagree as error:
                found += [(owner, self.sites[point - 1]) for point in error.suspects] or [(owner, "")]
        own = {owner for owner, bearer in found if owner == bearer}
        if len(own) == 1:
            return self.context.abort("its share of its own secret contradicts the others", own.pop())
        owner, bearer = found[0] if found else ("", "")
        if bearer:
            return self.context.abort(f"the share of the secret of {owner!r} that {bearer!r} gave is wrong: one is at fault")
        return self.context.abort(f"the shares of the secret of {owner!r} contradict each other")

    def _check(self, name: str, secret: bytes, expected: bytes) -> None:
        if layout.digest(self.context.spec.id, secret) != expected:
            raise self.context.abort(f"the secret of {name!r} that its peers' shares give is not the one it deposited")

    def _remove_pair_masks(self, name: str, recovery: bytes) -> None:
        deposit = self._deposits[name]
        pad = keystream(recovery, len(deposit.escrow))
        seeds = (np.frombuffer(deposit.escrow, np.uint8) ^ np.frombuffer(pad, np.uint8)).tobytes()
        for peer in self._active:
            place = self.place[peer]
            seed = seeds[place * layout.SEED : (place + 1) * layout.SEED]
            held = deposit.commitments[place * layout.COMMITMENT : (place + 1) * layout.COMMITMENT]
            if layout.commitment(self.context.spec.id, seed) != held:
                raise self.context.abort("a deposited key is not the one committed to", name)
            # The survivor added this mask if it comes first in the pair, and subtracted it otherwise.
            add_mask(self._total, seed, subtract=place < self.place[name])
