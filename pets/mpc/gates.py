"""Logic circuits over replicated shares, written once for all three parties and free of any network.

A bit `x` is the exclusive or of three, ``x_0 ^ x_1 ^ x_2``; party `i` holds `x_i` and ``x_{i+1}``. *Wires* hold
these two for many bits at once. Exclusive or is local. For an AND each party can compute one *cross term*,

    z_i = x_i y_i  ^  x_i y_{i+1}  ^  x_{i+1} y_i,        z_0 ^ z_1 ^ z_2 = x y,

and needs ``z_{i+1}`` from its neighbour. A circuit is a generator that yields the cross terms of one round, all
gates of the round together, and is sent the wires of the products; masking and sending is the caller's business
(:mod:`pets.mpc.replicated`). The number of ``yield`` statements passed is the number of rounds.

A number `x` modulo ``2**w`` comes in as three additive shares ``a_0 + a_1 + a_2``. The planes of `a_i` and
``a_{i+1}`` that party `i` holds are wires of all three numbers at once, because each plane is zero in the places
where another party's share stands; no message is needed to turn numbers into bits.

References
----------
T. Araki, J. Furukawa, Y. Lindell, A. Nof, K. Ohara, "High-throughput semi-honest secure three-party computation
with an honest majority", CCS 2016.
P. Mohassel, P. Rindal, "ABY3", CCS 2018 (conversion from numbers to bits).
J. Sklansky, "Conditional-sum addition logic", 1960, and R. P. Brent, H. T. Kung, "A regular layout for parallel
adders", 1982 (the tree of carries; only its last carry is wanted here).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.uint64]
"""Shape ``(gates, words)``: one share."""
Wires = NDArray[np.uint64]
"""Shape ``(2, gates, words)``: this party's share, and the next party's."""

T = TypeVar("T")
Circuit = Generator[Rows, Wires, T]


def cross_terms(left: Wires, right: Wires) -> Rows:
    """Return this party's share of ``left AND right``, not yet masked."""
    terms: Rows = (left[0] & (right[0] ^ right[1])) ^ (left[1] & right[0])
    return terms


def invert(wires: Wires, place: int) -> Wires:
    """Return NOT: share 0 is flipped, by the two parties that hold it."""
    flipped = wires.copy()
    if place == 0:
        flipped[0] = ~wires[0]
    elif place == 2:
        flipped[1] = ~wires[1]
    return flipped


def is_negative(shares: Wires) -> Circuit[Wires]:
    """Return the top bit of ``a_0 + a_1 + a_2 mod 2**w``.

    Takes ``4 w - 9 - r`` gates and ``2 + r`` rounds, ``r = ceil(log2(w - 2))``: 114 gates, 7 rounds at 32 bits.

    Parameters
    ----------
    shares
        Planes of `a_i` and of ``a_{i+1}``, shape ``(2, w, words)``, `w` at least 3.

    Returns
    -------
    ndarray
        Wires, shape ``(2, 1, words)``.
    """
    carries = yield _carry_save(shares)
    sums = shares[:, 1:]
    propagate = sums ^ carries
    generate = yield cross_terms(sums[:, :-1], carries[:, :-1])
    carry = yield from _last_carry(generate, propagate[:, :-1])
    return propagate[:, -1:] ^ carry


def is_minus_one(shares: Wires) -> Circuit[Wires]:
    """Return whether ``a_0 + a_1 + a_2 = -1 mod 2**w``; shapes as for :func:`is_negative`.

    With ``s`` and ``c`` from the carry-save adder, ``s + 2c`` is all ones exactly if ``s ^ 2c`` is, since without
    a first carry there is none at all. Takes ``2 w - 2`` gates and ``1 + ceil(log2(w))`` rounds.
    """
    carries = yield _carry_save(shares)
    bits = shares.copy()
    bits[:, 1:] ^= carries
    return (yield from all_ones(bits))


def all_ones(bits: Wires) -> Circuit[Wires]:
    """Return the AND of all rows, shape ``(2, 1, words)``, in ``ceil(log2(rows))`` rounds."""
    while bits.shape[1] > 1:
        even = bits.shape[1] // 2 * 2
        products = yield cross_terms(bits[:, 0:even:2], bits[:, 1:even:2])
        bits = np.concatenate([products, bits[:, even:]], axis=1)
    return bits


def together(*circuits: Circuit[Wires]) -> Circuit[list[Wires]]:
    """Run circuits side by side, each round's gates in one message, and return their results in order."""
    results: dict[int, Wires] = {}
    pending: dict[int, Rows] = {}
    for index, circuit in enumerate(circuits):
        _resume(index, circuit, None, pending, results)
    while pending:
        products = yield np.concatenate(list(pending.values()))
        start = 0
        for index, rows in list(pending.items()):
            del pending[index]
            _resume(index, circuits[index], products[:, start : start + len(rows)], pending, results)
            start += len(rows)
    return [results[index] for index in range(len(circuits))]


def _resume(
    index: int, circuit: Circuit[Wires], products: Wires | None, pending: dict[int, Rows], results: dict[int, Wires]
) -> None:
    """Run one circuit to its next round or to its end."""
    try:
        pending[index] = next(circuit) if products is None else circuit.send(products)
    except StopIteration as finished:
        results[index] = finished.value


def _carry_save(shares: Wires) -> Rows:
    """Return cross terms of the carries ``maj(a_0, a_1, a_2)`` out of all bits but the top one.

    The majority is ``a_0 a_1 ^ a_1 a_2 ^ a_2 a_0``, and party `i` can compute the term ``a_i a_{i+1}`` by itself.
    """
    return shares[0, :-1] & shares[1, :-1]


def _last_carry(generate: Wires, propagate: Wires) -> Circuit[Wires]:
    """Return the carry out of the highest bit, by a tree that joins neighbouring groups of bits.

    Upper group (g, p) and lower group (g', p') join to (g ^ p g', p p'). The lowest group's `p` is never needed.
    """
    while generate.shape[1] > 1:
        pairs = generate.shape[1] // 2
        even = 2 * pairs
        upper = propagate[:, 1:even:2]
        products = yield np.concatenate(
            [cross_terms(upper, generate[:, 0:even:2]), cross_terms(upper[:, 1:], propagate[:, 2:even:2])]
        )
        generate = np.concatenate([generate[:, 1:even:2] ^ products[:, :pairs], generate[:, even:]], axis=1)
        propagate = np.concatenate([upper[:, :1], products[:, pairs:], propagate[:, even:]], axis=1)
    return generate
