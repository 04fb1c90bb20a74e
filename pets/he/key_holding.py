"""What the key holder, the sites and the server do when one party holds the key (BFV and CKKS).

The key holder could read whatever it is asked to open, and the server decides what that is. So each site adds a mask to
its ciphertext, uniform modulo q, the keystream of a key that only it and the key holder have. The key holder takes off
the masks of exactly the sites that the server names, which must be enough, and answers once. Anything but the sum over
those sites comes out uniformly random.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pets.errors import MessageRejected
from pets.he.arithmetic import Words
from pets.he.contract import centred, restored
from pets.he.keys import PublicKey, SecretKey, generate_key, public_key
from pets.he.masks import sum_of_masks
from pets.he.parameters import Parameters
from pets.he.rlwe import Ciphertext, add_ciphertexts, read_ciphertext, write_sum
from pets.he.streams import StreamRandom
from pets.he.wire import ID_BYTES, OtherKey
from pets.session import SERVER, Context, Outcome, Turn
from pets.session.bodies import bits_size, cut, mark, marked
from pets.session.flowing import Flow

STAGES = ("keys", "input", "opening")
_MASK = "ciphertext mask"


class Scheme(Protocol):
    """How values are encrypted, and how a sum is opened."""

    @property
    def parameters(self) -> Parameters:
        """Parameters of the ciphertexts."""
        ...

    def encrypt(
        self, key: PublicKey | SecretKey, values: NDArray[np.int64], random: StreamRandom, mask: Words
    ) -> bytes:
        """Return the masked ciphertext of a site's values."""
        ...

    def ask(self, total: Ciphertext, random: StreamRandom) -> Ciphertext:
        """Return what the server has opened, given the sum."""
        ...

    def open(self, secret: SecretKey, total: Ciphertext, mask: Words) -> bytes:
        """Return the key holder's answer."""
        ...

    def read(self, answer: bytes, random: StreamRandom) -> NDArray[np.int64]:
        """Return the totals in the answer; `random` repeats what it gave to :meth:`ask`."""
        ...


@dataclass(frozen=True)
class Terms:
    """What a session has agreed on.

    Parameters
    ----------
    scheme
        How values are encrypted and opened.
    key_holder
        Name of the party that opens.
    least
        How many sites the sum must be over.
    """

    scheme: Scheme
    key_holder: str
    least: int

    @property
    def parameters(self) -> Parameters:
        """Parameters of the ciphertexts."""
        return self.scheme.parameters


def site(context: Context, terms: Terms, values: NDArray[np.int64]) -> Flow:
    """Run a site: it waits for the key, and sends its masked ciphertext."""
    holder = terms.key_holder
    bodies = yield Turn(expect=frozenset({holder}))
    if holder not in bodies:
        raise context.abort("the key holder did not send the key in time")
    kind = PublicKey if terms.parameters.mode == "public" else SecretKey
    key = kind.from_bytes(terms.parameters, bodies[holder])
    mask = sum_of_masks(terms.parameters, [context.pair_key(holder, _MASK)])
    # Sealed: the key holder, who could open it, must not find it on the way.
    return Turn(send={SERVER: _encrypted(context, terms, key, values, mask)}, done=True)


def key_holder(context: Context, terms: Terms, values: NDArray[np.int64] | None) -> Flow:
    """Run the key holder: it makes the key, sends it out, and opens one sum."""
    secret = generate_key(terms.parameters, StreamRandom(context.stream("secret key")))
    key: PublicKey | SecretKey = secret
    if terms.parameters.mode == "public":
        key = public_key(secret, StreamRandom(context.stream("public key")))
    others = [name for name in context.spec.sites if name != context.me]
    yield Turn(send=dict.fromkeys(others, key.to_bytes()) | {SERVER: key.id})
    own = {}
    if values is not None:
        mask = sum_of_masks(terms.parameters, [_seed(context, context.me)])
        own = {SERVER: _encrypted(context, terms, key, values, mask)}
    request = yield Turn(send=own, expect=frozenset({SERVER}))
    return Turn(send={SERVER: _opened(context, terms, secret, key.id, request)}, done=True)


def _encrypted(
    context: Context, terms: Terms, key: PublicKey | SecretKey, values: NDArray[np.int64], mask: Words
) -> bytes:
    random = StreamRandom(context.stream("encryption"))
    return terms.scheme.encrypt(key, centred(context.spec, context.me, values), random, mask)


def _seed(context: Context, name: str) -> bytes:
    """Return the seed of a site's mask, at the key holder."""
    return context.random("own mask", 32) if name == context.me else context.pair_key(name, _MASK)


def _opened(context: Context, terms: Terms, secret: SecretKey, key_id: bytes, request: Mapping[str, bytes]) -> bytes:
    if SERVER not in request:
        raise context.abort("the server did not ask in time")
    sites, body = context.spec.sites, request[SERVER]
    split = bits_size(len(sites))
    (bits,) = cut(body[:split], split)
    chosen = marked(bits, sites)
    if len(chosen) < terms.least:
        raise context.too_few(f"the server asks for {len(chosen)} sites, and {terms.least} are needed")
    total = read_ciphertext(terms.parameters, body[split:], key_id)
    mask = sum_of_masks(terms.parameters, [_seed(context, name) for name in chosen])
    try:
        return terms.scheme.open(secret, total, mask)
    except MessageRejected:
        raise context.abort("what was to be opened is no sum over the sites that the server names") from None


def server(context: Context, terms: Terms) -> Flow:
    """Run the collector: it adds what arrives, and has the sum opened."""
    sites, holder = context.spec.sites, terms.key_holder
    bodies = yield Turn(expect=frozenset({holder}))
    if holder not in bodies:
        raise context.abort("the key holder did not name its key in time")
    (key_id,) = cut(bodies[holder], ID_BYTES)
    bodies = yield Turn(expect=frozenset(sites))
    survivors = tuple(name for name in sites if name in bodies)
    if len(survivors) < terms.least:
        raise context.too_few(f"{len(survivors)} sites sent a ciphertext, and {terms.least} are needed")
    total = added(context, terms.parameters, {name: bodies[name] for name in survivors}, key_id)
    asked = write_sum(terms.parameters, terms.scheme.ask(total, StreamRandom(context.stream("blind"))))
    answer = yield Turn(send={holder: mark(survivors, sites) + asked}, expect=frozenset({holder}))
    if holder not in answer:
        raise context.abort("the key holder did not open the sum in time")
    totals = terms.scheme.read(answer[holder], StreamRandom(context.stream("blind")))
    return Turn(result=Outcome(restored(context.spec, survivors, totals), survivors), done=True)


def added(context: Context, parameters: Parameters, bodies: Mapping[str, bytes], key_id: bytes) -> Ciphertext:
    """Return the sum of what these sites sent; stops, with its name, at one that sent no ciphertext.

    Raises
    ------
    ProtocolAbort
        One of them did not.
    """
    current = [""]

    def one_by_one() -> Iterator[bytes]:
        for current[0], body in bodies.items():
            yield body

    try:
        return add_ciphertexts(parameters, one_by_one(), key_id, fresh=True)
    except OtherKey:
        # Perhaps it was given another key than the others.
        raise context.abort(f"the ciphertext of {current[0]!r} is under another key") from None
    except MessageRejected as error:
        raise context.abort(f"its ciphertext {error.problem}", current[0]) from None
