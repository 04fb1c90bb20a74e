"""What the sites and the server do when the key belongs to all sites together (threshold BFV).

Two kinds of masks, both from keys that only two sites share:

* on what is encrypted, modulo t. They cancel in the sum over all sites and nowhere else, so that nothing is learnt from
  opening anything but that sum, whatever the server asks for and whoever answers.
* on the partial decryptions, modulo q. Their seeds follow from the very sum that a site was asked to open. They cancel
  if all sites were asked to open the same one; else every partial decryption is uniformly random. So no site needs to
  ask the others what they were told, and nobody sees a partial decryption, only the sum of all.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from pets.errors import MessageRejected
from pets.he.bfv_kernel import encrypt_vector
from pets.he.contract import centred, restored
from pets.he.key_holding import added
from pets.he.keys import PublicKey, SecretKey
from pets.he.masks import sum_of_plain_masks
from pets.he.parameters import Parameters
from pets.he.rlwe import read_ciphertext, write_sum
from pets.he.streams import StreamRandom
from pets.he.threshold_kernel import (
    commitment,
    decrypt_partially,
    fuse,
    generate_key_share,
    joint_key,
    read_key_share,
    read_partial,
    zero_sum_mask,
)
from pets.he.wire import key_share_bytes
from pets.session import SERVER, Context, Outcome, Turn
from pets.session.bodies import cut
from pets.session.flowing import Flow

STAGES = ("commitment", "key share", "input", "partial decryption")
COMMITMENT = 32
TAG = 16


def site(context: Context, parameters: Parameters, values: NDArray[np.int64]) -> Flow:
    """Run a site: it makes its share of the key, sends its ciphertext, and helps to open one sum."""
    secret, share = generate_key_share(parameters, context.spec.id, StreamRandom(context.stream("key share")))
    answer = yield Turn(send={SERVER: _committed(context, share)}, expect=frozenset({SERVER}))
    commitments = _checked_commitments(context, _from_server(context, answer))
    answer = yield Turn(send={SERVER: share}, expect=frozenset({SERVER}), sealed=False)
    key = _joint(context, parameters, commitments, _from_server(context, answer))
    body = _encrypted(context, key, values)
    answer = yield Turn(send={SERVER: body}, expect=frozenset({SERVER}), sealed=False)
    total = _from_server(context, answer)
    if read_ciphertext(parameters, total, key.id).additions != len(context.spec.sites):
        raise context.abort("what is to be opened is not the sum over all sites", SERVER)
    return Turn(send={SERVER: _partial(context, secret, total, key.id)}, done=True)


def _from_server(context: Context, bodies: Mapping[str, bytes]) -> bytes:
    if SERVER not in bodies:
        raise context.abort("the server did not answer in time")
    return bodies[SERVER]


def _tag(context: Context, peer: str, sender: str, committed: bytes) -> bytes:
    """Return what tells `peer` that the commitment is `sender`'s, though it comes through the server."""
    key = context.pair_key(peer if sender == context.me else sender, "commitment")
    place = context.spec.sites.index(sender).to_bytes(4, "big")
    return hmac.digest(key, place + committed, "sha256")[:TAG]


def _committed(context: Context, share: bytes) -> bytes:
    """Return the commitment to the own share, and a tag for each other site."""
    own = commitment(share)
    tags = (bytes(TAG) if peer == context.me else _tag(context, peer, context.me, own) for peer in context.spec.sites)
    return own + b"".join(tags)


def _checked_commitments(context: Context, body: bytes) -> tuple[bytes, ...]:
    """Return all commitments, every one of which its own site has made."""
    sites = context.spec.sites
    fields = cut(body, *[COMMITMENT, TAG] * len(sites))
    for sender, committed, tag in zip(sites, fields[::2], fields[1::2], strict=True):
        if sender != context.me and not hmac.compare_digest(tag, _tag(context, context.me, sender, committed)):
            raise context.abort(f"the commitment of {sender!r} was not made by it")
    return fields[::2]


def _joint(context: Context, parameters: Parameters, commitments: tuple[bytes, ...], body: bytes) -> PublicKey:
    """Return the joint key, of shares that were all committed to before this site showed its own."""
    sites = context.spec.sites
    shares = cut(body, *[key_share_bytes(parameters)] * len(sites))
    for name, committed, share in zip(sites, commitments, shares, strict=True):
        if commitment(share) != committed:
            raise context.abort(f"the share of the key of {name!r} is not the one that it was bound to")
    return joint_key(parameters, context.spec.id, shares, committed=True)


def _encrypted(context: Context, key: PublicKey, values: NDArray[np.int64]) -> bytes:
    mask = sum_of_plain_masks(key.parameters, *_seeds(context, lambda peer: context.pair_key(peer, "plain mask")))
    random = StreamRandom(context.stream("encryption"))
    return encrypt_vector(key, centred(context.spec, context.me, values), random, plain_mask=mask)


def _partial(context: Context, secret: SecretKey, total: bytes, key_id: bytes) -> bytes:
    digest = hashlib.sha256(total).digest()

    def seed(peer: str) -> bytes:
        return hmac.digest(context.pair_key(peer, "partial decryption mask"), digest, "sha256")

    mask = zero_sum_mask(secret.parameters, *_seeds(context, seed))
    return decrypt_partially(secret, total, key_id, mask, StreamRandom(context.stream("flooding")))


def _seeds(context: Context, seed: Callable[[str], bytes]) -> tuple[list[bytes], list[bytes]]:
    """Return the seeds to add and those to take away, so that masks add up to zero over all sites."""
    sites = context.spec.sites
    place = sites.index(context.me)
    return [seed(peer) for peer in sites[place + 1 :]], [seed(peer) for peer in sites[:place]]


def server(context: Context, parameters: Parameters) -> Flow:
    """Run the collector: it hands round what makes the key, adds the ciphertexts, and puts the parts together."""
    sites = context.spec.sites
    everyone = frozenset(sites)
    committed = _of_all(context, (yield Turn(expect=everyone)))
    fields = {name: _tags(context, name, committed[name]) for name in sites}
    lists = {
        to: b"".join(fields[name][0] + fields[name][1 + place] for name in sites) for place, to in enumerate(sites)
    }
    shares = _of_all(context, (yield Turn(send=lists, expect=everyone)))
    key_id = _key_of(context, parameters, {name: fields[name][0] for name in sites}, shares)
    bundle = b"".join(shares[name] for name in sites)
    bodies = _of_all(context, (yield Turn(send=dict.fromkeys(sites, bundle), expect=everyone, sealed=False)))
    total = write_sum(parameters, added(context, parameters, bodies, key_id))
    partials = _of_all(context, (yield Turn(send=dict.fromkeys(sites, total), expect=everyone, sealed=False)))
    totals = _fused(context, parameters, total, partials, key_id)
    return Turn(result=Outcome(restored(context.spec, sites, totals), sites), done=True)


def _of_all(context: Context, bodies: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the bodies in the order of the sites, all of whom are needed."""
    missing = [name for name in context.spec.sites if name not in bodies]
    if missing:
        raise context.too_few(f"{missing[0]!r} is missing, and all sites together hold the key")
    return {name: bodies[name] for name in context.spec.sites}


def _tags(context: Context, name: str, body: bytes) -> tuple[bytes, ...]:
    try:
        return cut(body, COMMITMENT, *[TAG] * len(context.spec.sites))
    except MessageRejected as error:
        raise context.abort(f"its commitment {error.problem}", name) from None


def _key_of(
    context: Context, parameters: Parameters, commitments: Mapping[str, bytes], shares: Mapping[str, bytes]
) -> bytes:
    """Return the identity of the joint key, or name the site whose share is none."""
    for name, share in shares.items():
        if commitment(share) != commitments[name]:
            raise context.abort("its share of the key is not the one that it was bound to", name)
    try:
        return joint_key(parameters, context.spec.id, shares.values(), committed=True).id
    except MessageRejected as error:
        for name, share in shares.items():
            _blame(context, name, lambda share=share: read_key_share(parameters, context.spec.id, share))  # type: ignore[misc]
        raise context.abort(f"a share of the key {error.problem}") from None


def _fused(
    context: Context, parameters: Parameters, total: bytes, partials: Mapping[str, bytes], key_id: bytes
) -> NDArray[np.int64]:
    """Return the totals, or name the site whose partial decryption is none."""
    try:
        return fuse(parameters, total, partials.values(), key_id)
    except MessageRejected as error:
        for name, part in partials.items():
            _blame(context, name, lambda part=part: read_partial(parameters, total, part, key_id))  # type: ignore[misc]
        raise context.abort(f"what all sites opened together {error.problem}") from None


def _blame(context: Context, name: str, read: Callable[[], object]) -> None:
    try:
        read()
    except MessageRejected as error:
        raise context.abort(f"its part {error.problem}", name) from None
