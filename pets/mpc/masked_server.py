"""What the collector does in a masked sum: it adds what it cannot read, and learns only the total."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.errors import MessageRejected, ProtocolAbort
from pets.mpc import field
from pets.mpc import masked_messages as layout
from pets.mpc.faults import SharesDisagree
from pets.mpc.ring import Ring
from pets.mpc.shamir import LIMBS, reconstruct_secrets
from pets.session import Context, Evidence, Outcome, Turn
from pets.session.bodies import cut, mark
from pets.session.masks import add_mask, keystream

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
        bits = mark(self._included, self.sites)
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
            self._total += self.ring.total([bodies[name] for name in names], size)
        for name in self._active:
            self._sent[name] = self.context.received[name]
        dropped = [name for name in self._included if name not in bodies]
        body = mark(self._active, self.sites) + mark(dropped, self.sites)
        return Turn(send=dict.fromkeys(self._active, body), expect=frozenset(self._active))

    def _relay_consents(self, bodies: Mapping[str, bytes]) -> Turn:
        self._agreeing = self._present(bodies, self.threshold)
        dropped = tuple(name for name in self._included if name not in self._active)
        common = layout.consent(self.context.spec.id, self._active, dropped)
        evidence, tags = [], []
        for name in self._agreeing:
            try:
                signature, rest = layout.split_signed(bodies[name])
                (own,) = cut(rest, layout.TAG * len(self.sites))
            except MessageRejected as error:
                raise self.context.abort(f"a consent {error.problem}", name) from None
            tags.append(own)
            evidence.append(Evidence(name, layout.statement(common, self._sent[name]), signature))
        self._sent.clear()
        table = np.frombuffer(b"".join(tags), dtype=np.uint8).reshape(len(tags), len(self.sites), layout.TAG)
        bits = mark(self._agreeing, self.sites)
        send = {name: bits + table[:, self.place[name]].tobytes() for name in self._agreeing}
        return Turn(send=send, expect=frozenset(self._agreeing), evidence=tuple(evidence))

    def _unmask(self, bodies: Mapping[str, bytes]) -> Turn:
        helping = self._present(bodies, self.threshold)
        dropped = tuple(name for name in self._included if name not in self._active)
        secrets = self._recover(helping, self._active + dropped, bodies)
        for name in self._active:
            add_mask(self._total, secrets[name], subtract=True)
        for name in dropped:
            self._remove_pair_masks(name, secrets[name])
        total = self.context.spec.decode(self._total)
        self._check_range(total)
        return Turn(result=Outcome(total, self._active), done=True)

    def _recover(
        self, helping: tuple[str, ...], owners: tuple[str, ...], bodies: Mapping[str, bytes]
    ) -> dict[str, bytes]:
        """Return the self seed of each survivor and the recovery secret of each site that dropped out."""
        columns = len(owners) * layout.SHARE // field.ELEMENT_BYTES
        rows = []
        for name in helping:
            try:
                rows.append(field.from_bytes(bodies[name], columns))
            except MessageRejected as error:
                raise self.context.abort(f"its help {error.problem}", name) from None
        points, shares = [self.place[name] + 1 for name in helping], np.stack(rows)
        # As many shares as needed give the secrets, and the deposited hashes prove them right. Only when they do not,
        # the shares left over are worth their cost: they tell who lied.
        try:
            secrets = reconstruct_secrets(points[: self.threshold], shares[: self.threshold], self.threshold)
        except SharesDisagree:
            raise self._disagreement(points, shares, owners) from None
        if not self._are_right(secrets, owners):
            raise self._disagreement(points, shares, owners)
        return dict(zip(owners, secrets, strict=True))

    def _disagreement(self, points: list[int], shares: NDArray[np.uint64], owners: tuple[str, ...]) -> ProtocolAbort:
        """Say whose secret is wrong. Nobody is named as the party at fault: the others can conspire against one."""
        found: list[tuple[str, str | None]] = []
        for number, owner in enumerate(owners):
            try:
                secret = reconstruct_secrets(points, shares[:, LIMBS * number : LIMBS * (number + 1)], self.threshold)
            except SharesDisagree as error:
                found += [(owner, self.sites[point - 1]) for point in error.suspects] or [(owner, None)]
            else:
                found += [] if self._are_right(secret, (owner,)) else [(owner, None)]
        owner, bearer = found[0]
        if bearer is None:
            return self.context.abort(f"the shares give no secret that {owner!r} deposited: it lies, or its peers do")
        return self.context.abort(
            f"the share of the secret of {owner!r} that {bearer!r} gave is wrong: one is at fault"
        )

    def _check_range(self, total: NDArray[np.int64]) -> None:
        """Masks that do not cancel, or a value out of bounds, make most totals impossible ones."""
        spec = self.context.spec
        weight = sum(spec.weight(name) for name in self._active)
        low, high = spec.least * weight - spec.noise_bound, spec.upper * weight + spec.noise_bound
        if len(total) and (int(total.min()) < low or int(total.max()) > high):
            raise self.context.abort("the total is impossible under the declared bounds: some site broke the protocol")

    def _are_right(self, secrets: Sequence[bytes], owners: tuple[str, ...]) -> bool:
        session = self.context.spec.id
        return all(layout.digest(session, s) == self._digest_of(name) for s, name in zip(secrets, owners, strict=True))

    def _digest_of(self, name: str) -> bytes:
        deposit = self._deposits[name]
        return deposit.self_digest if name in self._active else deposit.recovery_digest

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
