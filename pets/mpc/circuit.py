"""Checks on totals and inputs that nobody knows: three parties decide bit by bit what may be opened.

* :func:`find_allowed` tells which cells of a total pass the minimum-cell rule, and :func:`open_allowed` opens them too.
  Of the others nobody learns more than that they are suppressed.
* :func:`check_ranges` tells which inputs lie in their declared range, and nothing else about them.

Numbers come as three additive shares modulo ``2**w``, ``x = a_0 + a_1 + a_2``. Party `i` gives `a_i`, and
``a_{i+1}`` too if the sites sent every share to two parties; otherwise a first round fetches it.

Guarantee
---------
Privacy is that of :mod:`pets.mpc.replicated`: semi-honest, against one of the three parties. What a *malicious*
party can do beyond it: flip the decision on any cell, so that a small cell is opened or an allowed one is
suppressed, or a value outside its range is reported as inside. What it cannot do unnoticed, when the sites
sent every share to two parties: make the others accept a wrong number for an opened cell. After a first round of
fetching it can, because then the only source of its share is itself; the copies merely agree.

References
----------
T. Araki, J. Furukawa, Y. Lindell, A. Nof, K. Ohara, CCS 2016. P. Mohassel, P. Rindal, "ABY3", CCS 2018.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pets.errors import InvalidArgument
from pets.mpc.bitslice import to_bools, to_planes
from pets.mpc.gates import Circuit, Wires, cross_terms, invert, is_minus_one, is_negative, together
from pets.mpc.replicated import Evaluation, Seat, Steps, evaluate, expect, open_bits, open_missing
from pets.mpc.ring import Ring

MIN_BITS = 3
Residues = NDArray[Any]
"""Unsigned integers of the ring's type; bits above its width do not matter."""


@dataclass(frozen=True)
class MinimumRule:
    """A cell may be opened if its total is at least `minimum`, or zero.

    Parameters
    ----------
    minimum
        Smallest total that may be seen, at least 1.
    bound
        What no total exceeds in magnitude: number of sites times bound per site, plus the tail of the noise.
    zero_allowed
        Whether a total of exactly 0 may be seen. Negative totals, which only noise can make, may not.
    """

    minimum: int
    bound: int
    zero_allowed: bool = True

    def __post_init__(self) -> None:
        for name, value, least in (("minimum", self.minimum, 1), ("bound", self.bound, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InvalidArgument(name, f"must be a whole number of at least {least}")

    def fits(self, ring: Ring) -> None:
        """Raise `InvalidArgument` unless no sum in the comparison leaves the ring."""
        if ring.bits < MIN_BITS or self.bound + self.minimum > 1 << (ring.bits - 1):
            raise InvalidArgument(
                "ring",
                f"of {ring.bits} bits is too narrow for the rule",
                "bound + minimum must be at most 2**(bits - 1).",
            )


@dataclass(frozen=True)
class Opened:
    """What all three parties know at the end.

    Attributes
    ----------
    values
        int64, shape ``(n,)``; 0 where not allowed.
    allowed
        bool, shape ``(n,)``: which cells were opened. The others are known to break the rule, no more.
    """

    values: NDArray[np.int64]
    allowed: NDArray[np.bool_]


def open_allowed(
    seat: Seat, ring: Ring, own: Residues, rule: MinimumRule, following: Residues | None = None
) -> Evaluation[Opened]:
    """Make this party's side of the opening of all cells that the rule allows.

    At 32 bits a party sends 22.1 bytes per cell for the decision and 4 for an opened value, in 9 rounds;
    fetching `following` costs 4 bytes and a round more.

    Parameters
    ----------
    seat
        This party's place and one-time keys.
    ring
        The integers modulo ``2**w`` in which the shares add up; the same for all three.
    own
        Additive shares `a_i` of the total, shape ``(n,)``.
    rule
        Public; the same for all three.
    following
        The next party's shares ``a_{i+1}``, if this party holds them.

    Raises
    ------
    InvalidArgument
        The shares have the wrong type or shape, or the ring is too narrow for the rule.
    """
    rule.fits(ring)
    _check_shares(ring, own, following)
    if own.ndim != 1:
        raise InvalidArgument("own", "must be one-dimensional")
    return Evaluation(_open_allowed(seat, ring, own, rule, following))


def find_allowed(
    seat: Seat, ring: Ring, own: Residues, rule: MinimumRule, following: Residues | None = None
) -> Evaluation[NDArray[np.bool_]]:
    """Make this party's side of finding the cells that the rule allows, without opening any.

    For when somebody else is to see the values: the three then send their shares of these cells there.
    Parameters and errors as for :func:`open_allowed`.

    Returns
    -------
    Evaluation
        Its result is a bool array, shape ``(n,)``.
    """
    rule.fits(ring)
    _check_shares(ring, own, following)
    if own.ndim != 1:
        raise InvalidArgument("own", "must be one-dimensional")
    return Evaluation(_find_allowed(seat, ring, own, rule, following))


def check_ranges(
    seat: Seat, ring: Ring, own: Residues, lower: ArrayLike, upper: ArrayLike, following: Residues | None = None
) -> Evaluation[NDArray[np.bool_]]:
    """Make this party's side of the check ``lower <= x <= upper`` of many inputs at once.

    An honest site's inputs all pass, so the result says nothing about them; of a site that cheats, it says
    where. At 32 bits a party sends 28.6 bytes per input, in 9 rounds, and 4 bytes and a round more to fetch
    `following`.

    Parameters
    ----------
    seat, ring
        As for :func:`open_allowed`.
    own
        Additive shares of the inputs, any shape, usually ``(sites, cells)``. A large batch saves rounds and costs
        memory: about 500 bytes per input at 32 bits.
    lower, upper
        Public integers that broadcast to the shape, with ``0 <= upper - lower < 2**(w - 1)``. Any residue
        outside is found, however far.
    following
        As for :func:`open_allowed`.

    Returns
    -------
    Evaluation
        Its result is a bool array of the shape of `own`: True where the input lies in its range.

    Raises
    ------
    InvalidArgument
        The shares have the wrong type or shape, or the bounds do not fit the ring.
    """
    _check_shares(ring, own, following)
    low, high = (_bounds(name, value, own.shape) for name, value in (("lower", lower), ("upper", upper)))
    half = 1 << (ring.bits - 1)
    if ring.bits < MIN_BITS or (low > high).any() or (low < -half).any() or (high >= half).any():
        raise InvalidArgument("lower", "and upper must be ordered and fit the ring")
    if (high.astype(np.uint64) - low.astype(np.uint64) >= np.uint64(half)).any():
        raise InvalidArgument("upper", "must exceed lower by less than half of the ring")
    following = following if following is None else following.reshape(-1)
    steps = _check_ranges(seat, ring, own.reshape(-1), (low, high), following)
    return Evaluation(_reshaped(steps, own.shape))


def _open_allowed(
    seat: Seat, ring: Ring, own: Residues, rule: MinimumRule, following: Residues | None
) -> Steps[Opened]:
    shares = yield from _replicate(seat, ring, own, following)
    allowed = yield from _find_allowed(seat, ring, shares[0], rule, shares[1])
    chosen = [share[allowed] for share in shares]
    missing = yield from open_missing(seat, ring.pack(chosen[0]), ring.pack(chosen[1]))
    values = np.zeros(len(own), dtype=np.int64)
    total = chosen[0] + chosen[1] + ring.unpack(missing, len(chosen[0]))
    values[allowed] = centred(total, ring)
    return Opened(values, allowed)


def _find_allowed(
    seat: Seat, ring: Ring, own: Residues, rule: MinimumRule, following: Residues | None
) -> Steps[NDArray[np.bool_]]:
    shares = yield from _replicate(seat, ring, own, following)
    decision = yield from evaluate(seat, _allowed(seat.place, ring, shares, rule))
    bits = yield from open_bits(seat, decision)
    return to_bools(bits[0], len(own))


def _check_ranges(
    seat: Seat,
    ring: Ring,
    own: Residues,
    bounds: tuple[NDArray[np.int64], NDArray[np.int64]],
    following: Residues | None,
) -> Steps[NDArray[np.bool_]]:
    shares = yield from _replicate(seat, ring, own, following)
    decision = yield from evaluate(seat, _inside(seat.place, ring, shares, bounds))
    bits = yield from open_bits(seat, decision)
    return to_bools(bits[0], len(own))


def _reshaped(steps: Steps[NDArray[np.bool_]], shape: tuple[int, ...]) -> Steps[NDArray[np.bool_]]:
    return (yield from steps).reshape(shape)


def _allowed(place: int, ring: Ring, shares: list[Residues], rule: MinimumRule) -> Circuit[Wires]:
    """Return ``x >= minimum  or  x == 0``, which exclude each other, so that their sum modulo 2 is enough."""
    too_small = is_negative(_planes(place, ring, shares, -rule.minimum))
    if not rule.zero_allowed:
        return invert((yield from too_small), place)
    zero = is_minus_one(_planes(place, ring, shares, -1))
    below, nought = yield from together(too_small, zero)
    return invert(below, place) ^ nought


def _inside(
    place: int, ring: Ring, shares: list[Residues], bounds: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> Circuit[Wires]:
    """Return ``x - lower >= 0  and  upper - x >= 0``.

    Modulo ``2**w``, with y = x - lower and R = upper - lower < 2**(w-1): if y <= R both differences are below
    ``2**(w-1)``, hence not negative. If R < y < 2**(w-1), then R - y is negative; if y is larger, y is.
    """
    lower, upper = bounds
    from_lower = is_negative(_planes(place, ring, shares, -lower))
    from_upper = is_negative(_planes(place, ring, [-share for share in shares], upper))
    below, above = yield from together(from_lower, from_upper)
    return (yield cross_terms(invert(below, place), invert(above, place)))


def _planes(place: int, ring: Ring, shares: list[Residues], constant: int | NDArray[np.int64]) -> Wires:
    """Return the wires of ``x + constant``: the two parties who hold share 0 add the constant to it."""
    offset = np.asarray(constant, dtype=np.int64).astype(np.uint64).astype(ring.dtype)
    holder = {0: 0, 2: 1}.get(place)
    shifted = [share + offset if index == holder else share for index, share in enumerate(shares)]
    return np.stack([to_planes(share, ring.bits) for share in shifted])


def _replicate(seat: Seat, ring: Ring, own: Residues, following: Residues | None) -> Steps[list[Residues]]:
    """Return `own` and `following`; where the latter is missing, each party sends its share to the previous one."""
    if following is not None:
        return [own, following]
    from_previous, from_next = yield ring.pack(own), b""
    expect(from_previous, 0, seat.previous)
    expect(from_next, ring.packed_size(len(own)), seat.next)
    return [own, ring.unpack(from_next, len(own))]


def centred(residues: Residues, ring: Ring) -> NDArray[np.int64]:
    """Return the integers from ``-2**(w-1)`` to ``2**(w-1) - 1`` with these residues."""
    unused = np.int64(64 - ring.bits)
    return (residues.astype(np.uint64).astype(np.int64) << unused) >> unused


def _bounds(name: str, value: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.int64]:
    array = np.asarray(value)
    if array.dtype.kind not in "iu" or (array.size and array.max() > np.iinfo(np.int64).max):
        raise InvalidArgument(name, "must hold integers of 64 bits")
    try:
        return np.broadcast_to(array.astype(np.int64), shape).reshape(-1)
    except ValueError:
        raise InvalidArgument(name, "does not fit the shape of the shares") from None


def _check_shares(ring: Ring, own: Residues, following: Residues | None) -> None:
    for name, share in (("own", own), ("following", following)):
        if share is None:
            continue
        if not isinstance(share, np.ndarray) or share.dtype != ring.dtype or not share.size:
            raise InvalidArgument(name, f"must be a non-empty array of {ring.dtype}")
        if share.shape != own.shape:
            raise InvalidArgument(name, "must have the shape of own")
