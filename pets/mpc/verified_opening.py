"""What the three registries, the other sites and the collector do when a total is checked before it is opened."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.errors import MessageRejected
from pets.mpc.circuit import MinimumRule, centred, check_ranges, find_allowed
from pets.mpc.faults import BadMessage, SharesDisagree
from pets.mpc.replicated import DIGEST_BYTES, PARTIES, Evaluation, Seat
from pets.mpc.ring import Ring
from pets.session import SERVER, Context, Outcome, Turn
from pets.session.bodies import bits_size, cut, mark, marked
from pets.session.flowing import Flow
from pets.session.masks import add_mask

STAGES = ("input", "report", "check")
_SEED = 32
_AT_ONCE = 500_000
"""Inputs whose range is checked together; about 500 bytes of memory each."""


@dataclass(frozen=True)
class Terms:
    """What a session has agreed to check.

    Parameters
    ----------
    members
        The three registries that check.
    ring
        In which the shares add up; wide enough for the rule.
    rule
        Which cells may be opened; ``None``: all.
    ranges
        Whether the range of each input is checked.
    least
        How many sites the sum must be over.
    """

    members: tuple[str, ...]
    ring: Ring
    rule: MinimumRule | None
    ranges: bool
    least: int


def dealing(context: Context, terms: Terms, values: NDArray[np.int64]) -> dict[str, bytes]:
    """Return what a site sends: to member j the shares j and j + 1, of three that add up to its values.

    Two of the shares are 32-byte seeds. With every share in two hands, no single member can shift what is opened.
    """
    stream = context.stream("sharing")
    parts = [stream(_SEED) for _ in range(PARTIES)]
    heavy = context.spec.sites.index(context.me) % PARTIES
    rest = terms.ring.lift(values)
    for place in range(PARTIES):
        if place != heavy:
            add_mask(rest, parts[place], subtract=True)
    parts[heavy] = terms.ring.pack(rest)
    return {name: parts[j] + parts[(j + 1) % PARTIES] for j, name in enumerate(terms.members)}


def site(context: Context, terms: Terms, values: NDArray[np.int64]) -> Flow:
    """Run a site that is not one of the three: it deals, and is done."""
    return Turn(send=dealing(context, terms, values), done=True)
    yield  # makes this a generator


def member(context: Context, terms: Terms, values: NDArray[np.int64] | None) -> Flow:
    """Run one of the three: it deals if it is a site, checks, and sends its shares of what may be opened."""
    sites = context.spec.sites
    send = {} if values is None else dealing(context, terms, values)
    received = yield Turn(send=send, expect=frozenset(sites))
    if len(received) < terms.least:
        raise context.too_few(f"{len(received)} sites sent their share, and {terms.least} are needed")
    answer = yield Turn(send={SERVER: mark(list(received), sites)}, expect=frozenset({SERVER}))
    chosen = _chosen(context, terms, answer, received)
    place = terms.members.index(context.me)
    own, following = _shares(terms.ring, context, chosen, received, place)
    previous, after = _neighbours(context, terms)
    # One seat for both checks: its keystreams go on, and no part of them serves twice.
    seat = Seat(place, context.pair_key(previous, "circuit"), context.pair_key(after, "circuit"))
    if terms.ranges:
        yield from _check_inputs(context, terms, seat, chosen, (own, following))
    total, copy = own.sum(axis=0, dtype=own.dtype), following.sum(axis=0, dtype=own.dtype)
    allowed = np.ones(len(total), dtype=bool)
    if terms.rule is not None and len(total):
        evaluation = find_allowed(seat, terms.ring, total, terms.rule, copy)
        allowed = yield from _evaluate(context, terms, evaluation)
    parts = (np.packbits(allowed).tobytes(), _digest(terms.ring.pack(copy[allowed])), terms.ring.pack(total[allowed]))
    return Turn(send={SERVER: b"".join(parts)}, done=True)


def _chosen(
    context: Context, terms: Terms, answer: Mapping[str, bytes], received: Mapping[str, bytes]
) -> tuple[str, ...]:
    if SERVER not in answer:
        raise context.abort("the server did not answer in time")
    (bits,) = cut(answer[SERVER], bits_size(len(context.spec.sites)))
    chosen = marked(bits, context.spec.sites)
    if not set(chosen) <= set(received):
        raise context.abort("the server asks for a site that sent nothing", SERVER)
    if len(chosen) < terms.least:
        raise context.too_few(f"the server asks for {len(chosen)} sites, and {terms.least} are needed")
    return chosen


def _shares(
    ring: Ring, context: Context, chosen: Sequence[str], received: Mapping[str, bytes], place: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return this member's two shares of each site's values, each of shape (sites, cells)."""
    size, vector = context.spec.size, ring.packed_size(context.spec.size)
    table = np.zeros((2, len(chosen), size), dtype=ring.dtype)
    for row, name in enumerate(chosen):
        heavy = context.spec.sites.index(name) % PARTIES
        held = (place, (place + 1) % PARTIES)
        try:
            parts = cut(received[name], *(vector if share == heavy else _SEED for share in held))
        except MessageRejected as error:
            raise context.abort(f"its shares: {error.problem}", name) from None
        for copy, (share, part) in enumerate(zip(held, parts, strict=True)):
            if share == heavy:
                table[copy, row] = ring.unpack(part, size)
            else:
                add_mask(table[copy, row], part)
    return table[0], table[1]


def _check_inputs(
    context: Context,
    terms: Terms,
    seat: Seat,
    chosen: Sequence[str],
    shares: tuple[NDArray[Any], NDArray[Any]],
) -> Generator[Turn, Mapping[str, bytes], None]:
    """Stop, with its name, if a site's value leaves the declared range."""
    spec = context.spec
    if not spec.size:
        return
    weights = np.array([spec.weight(name) for name in chosen], dtype=np.int64)[:, None]
    lower, upper = spec.least * weights - spec.noise_bound, spec.upper * weights + spec.noise_bound
    step = max(_AT_ONCE // spec.size, 1)
    for start in range(0, len(chosen), step):
        rows = slice(start, start + step)
        own, following = (share[rows] for share in shares)
        evaluation = check_ranges(seat, terms.ring, own, lower[rows], upper[rows], following)
        inside = yield from _evaluate(context, terms, evaluation)
        wrong = np.flatnonzero(~inside.all(axis=1))
        if len(wrong):
            raise context.abort("it sent a value outside the declared range", chosen[start + int(wrong[0])])


def _evaluate(
    context: Context, terms: Terms, evaluation: Evaluation[NDArray[np.bool_]]
) -> Generator[Turn, Mapping[str, bytes], NDArray[np.bool_]]:
    """Carry the rounds of a circuit over messages to the two neighbours."""
    previous, after = neighbours = _neighbours(context, terms)
    step = evaluation.start()
    while step.result is None:
        # Each message is confidential between its two parties: who reads all three of a round reads a secret.
        send = {previous: step.to_previous, after: step.to_next}
        bodies = yield Turn(send=send, expect=frozenset(neighbours))
        for name in neighbours:
            if name not in bodies:
                raise context.abort(f"{name!r} did not answer in time")  # which is no proof that it is at fault
        try:
            step = evaluation.advance(bodies[previous], bodies[after])
        except BadMessage as error:
            raise context.abort(f"its message {error.problem}", terms.members[error.sender]) from None
        except SharesDisagree as error:
            raise context.abort(error.problem) from None
    return step.result


def _neighbours(context: Context, terms: Terms) -> tuple[str, str]:
    place = terms.members.index(context.me)
    return terms.members[place - 1], terms.members[(place + 1) % PARTIES]


def collector(context: Context, terms: Terms) -> Flow:
    """Run the party that finds out whom all three heard, and puts together the shares of what may be opened."""
    sites = context.spec.sites
    reports = yield Turn(expect=frozenset(terms.members))
    _require_all(context, terms, reports)
    heard = set(sites)
    for name in terms.members:
        try:
            heard &= set(marked(cut(reports[name], bits_size(len(sites)))[0], sites))
        except MessageRejected as error:
            raise context.abort(f"a report {error.problem}", name) from None
    survivors = tuple(name for name in sites if name in heard)
    if len(survivors) < terms.least:
        raise context.too_few(f"{len(survivors)} sites are left, and {terms.least} are needed")
    bodies = yield Turn(send=dict.fromkeys(terms.members, mark(survivors, sites)), expect=frozenset(terms.members))
    _require_all(context, terms, bodies)
    total, allowed = _opened(context, terms, bodies)
    hidden = None if terms.rule is None else ~allowed
    return Turn(result=Outcome(total, survivors, hidden), done=True)


def _require_all(context: Context, terms: Terms, bodies: Mapping[str, bytes]) -> None:
    for name in terms.members:
        if name not in bodies:
            raise context.too_few(f"{name!r} is missing, and all three must check")


def _opened(context: Context, terms: Terms, bodies: Mapping[str, bytes]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the total with 0 where nothing was opened, and which cells were."""
    size = context.spec.size
    decisions, digests, shares = [], [], []
    for name in terms.members:
        body = bodies[name]
        if len(body) < bits_size(size) + DIGEST_BYTES:
            raise context.abort("its part of the opening is too short", name)
        decisions.append(body[: bits_size(size)])
        digests.append(body[bits_size(size) : bits_size(size) + DIGEST_BYTES])
        shares.append(body[bits_size(size) + DIGEST_BYTES :])
    if len(set(decisions)) != 1:
        raise context.abort("the three do not agree on which cells may be opened")
    for place in range(PARTIES):
        if _digest(shares[(place + 1) % PARTIES]) != digests[place]:
            raise context.abort(
                f"{terms.members[place]!r} and {terms.members[(place + 1) % PARTIES]!r} opened different copies of one "
                "share; one of them lies"
            )
    flags = np.unpackbits(np.frombuffer(decisions[0], dtype=np.uint8), count=size).astype(bool)
    total = np.zeros(size, dtype=np.int64)
    try:
        opened = terms.ring.total(shares, int(flags.sum()))
    except MessageRejected as error:
        raise context.abort(f"a part of the opening {error.problem}") from None
    total[flags] = centred(opened, terms.ring)
    return total, flags


def _digest(share: bytes) -> bytes:
    return hashlib.sha256(b"pets share to be opened\x00" + share).digest()
