"""Proofs without draws: every neighbour and every output of a small integer mechanism, in exact arithmetic.

For independent noise of known law the privacy loss of an output is an exact rational number, so its maximum is proven
by looking at all of them. For other mechanisms :func:`exact_epsilon` compares two output laws that are given exactly,
or enclosed in certified intervals such as the sampler's own table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations_with_replacement

from pets.dp.additive import AdditiveNoise
from pets.dp.samplers.enclosure import tail_bounds
from pets.dp.samplers.law import Law
from pets.errors import InvalidArgument
from pets.guarantee.bounds import log_up, round_up
from pets.noise import DiscreteGaussianLaw, DiscreteLaplaceLaw, NoiseLaw, NoNoise
from pets.privacy_unit import PrivacyUnit
from pets.query import Block, BoundQuery

_MOST_NEIGHBOURS = 200_000
_BITS = 256
_WIDEST = 1_000

Interval = tuple[Fraction, Fraction]
Change = tuple[int, ...]
"""By how much each cell that changes does so, in falling order of size; cells of a block are alike."""

_Loss = Callable[[NoiseLaw, Change], Fraction | None]


@dataclass(frozen=True, slots=True)
class Proof:
    """An upper bound that holds for certain, provided the noise follows the law that the mechanism states.

    Attributes
    ----------
    value
        The bound, in the currency of the audit.
    neighbours
        Changes of the tally that were looked at: all that one unit (or group) can make, up to the order of the cells.
    how
        By which argument.
    """

    value: Fraction
    neighbours: int
    how: str


def prove(mechanism: object, query: BoundQuery, *, delta: Fraction = Fraction(0), distance: int = 1) -> Proof | None:
    """Return the exact epsilon at `delta` of a mechanism that adds independent noise, or None if there is no proof.

    Parameters
    ----------
    mechanism
        What adds the noise.
    query
        The question, with its privacy unit.
    delta
        Mass that may be left out.
    distance
        Number of units that are added or exchanged together.
    """
    if delta == 0:
        return _prove(mechanism, query, distance, _largest_loss, "largest loss of all outputs, in exact rationals")
    return _prove_at(mechanism, query, distance, delta)


def prove_zcdp(mechanism: object, query: BoundQuery, *, distance: int = 1) -> Proof | None:
    """Return the exact rho of a mechanism that adds discrete Gaussian noise, or None if there is no proof.

    Parameters
    ----------
    mechanism, query, distance
        See :func:`prove`.

    References
    ----------
    Canonne, Kamath, Steinke, *The discrete Gaussian for differential privacy*, NeurIPS 2020, proposition 5: the loss
    at every Rényi order a is at most a d²/(2 sigma²), and equal to it where (a - 1) d is whole.
    """
    return _prove(mechanism, query, distance, _concentrated, "proposition 5 of Canonne, Kamath and Steinke (2020)")


def _prove(mechanism: object, query: BoundQuery, distance: int, loss: _Loss, how: str) -> Proof | None:
    total, seen = Fraction(0), 0
    for block, law in _noisy_blocks(mechanism, query):
        changes = neighbours(block, query.domain.unit, distance)
        if changes is None or isinstance(law, NoNoise):
            return None
        losses = [loss(law, change) for change in changes]
        known = [found for found in losses if found is not None]
        if len(known) < len(losses):
            return None
        total += max(known)
        seen += len(losses)
    return Proof(total, seen, how) if seen else None


def _prove_at(mechanism: object, query: BoundQuery, distance: int, delta: Fraction) -> Proof | None:
    found = _noisy_blocks(mechanism, query)
    if len(found) != 1:
        return None
    (block, law) = found[0]
    changes = neighbours(block, query.domain.unit, distance)
    if changes is None or any(len(change) > 1 for change in changes) or isinstance(law, NoNoise):
        return None
    shifts = sorted({change[0] for change in changes})
    values = [epsilon_of_shift(law, shift, delta) for shift in shifts]
    known = [value for value in values if value is not None]
    how = "hockey-stick divergence of all events, from certified tables of the noise"
    return Proof(max(known), len(shifts), how) if known and len(known) == len(values) else None


def _noisy_blocks(mechanism: object, query: BoundQuery) -> list[tuple[Block, NoiseLaw]]:
    if not isinstance(mechanism, AdditiveNoise):
        return []
    pairs = zip(query.blocks, mechanism.error(query).laws, query.sensitivities, strict=True)
    return [(block, law) for block, law, sensitivity in pairs if sensitivity.l0]


def neighbours(block: Block, unit: PrivacyUnit, distance: int = 1) -> set[Change] | None:
    """Return every change of a block that `distance` units can make, up to the order and the sign of cells.

    A row adds to one cell an amount between the block's bounds. Only extreme amounts are looked at: every loss here is
    a convex function of the change, so nothing between is worse. ``None`` if there are too many to enumerate.
    """
    rows = unit.max_rows * unit.max_sites * distance
    cells = min(block.noised - block.counts_dropped, 2 * rows)
    moves = [(cell, amount) for cell in range(cells) for amount in {block.lower, block.upper} - {0}]
    moves += [(cells, 1)] * block.counts_dropped
    if math.comb(len(moves) + rows, rows) ** (1 + (unit.neighbours == "replace_one")) > _MOST_NEIGHBOURS:
        return None
    contents = {_added(own) for n in range(rows + 1) for own in combinations_with_replacement(moves, n)}
    if unit.neighbours == "add_remove":
        found = {_shape(dict(own)) for own in contents}
    else:
        found = {_shape(_difference(dict(one), dict(other))) for one in contents for other in contents}
    return found - {()}


def _added(moves: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    total: dict[int, int] = {}
    for cell, amount in moves:
        total[cell] = total.get(cell, 0) + amount
    return tuple(sorted(total.items()))


def _difference(one: dict[int, int], other: dict[int, int]) -> dict[int, int]:
    return {cell: one.get(cell, 0) - other.get(cell, 0) for cell in one.keys() | other.keys()}


def _shape(change: dict[int, int]) -> Change:
    return tuple(sorted((abs(amount) for amount in change.values() if amount), reverse=True))


def _largest_loss(law: NoiseLaw, change: Change) -> Fraction | None:
    """Return the largest loss of any output when the cells of a block change so much; None if it has no bound."""
    if not isinstance(law, DiscreteLaplaceLaw):
        return None
    return sum((max(_losses(law, shift)) for shift in change), Fraction(0))


def _losses(law: DiscreteLaplaceLaw, shift: int) -> Iterator[Fraction]:
    """Yield the loss of each output of one cell; outside 0..shift it stays what it is at the ends."""
    return ((abs(output - shift) - abs(output)) / law.scale for output in range(-1, shift + 2))


def _concentrated(law: NoiseLaw, change: Change) -> Fraction | None:
    if not isinstance(law, DiscreteGaussianLaw):
        return None
    return sum(shift**2 for shift in change) / (2 * law.sigma2)


def epsilon_of_shift(law: NoiseLaw, shift: int, delta: Fraction) -> Fraction | None:
    """Return a tight upper bound of epsilon at `delta` > 0 for one cell that moves by `shift`, or None if too wide.

    The likelihood ratio of either law is monotone, so the best event is a tail: epsilon is the largest of
    ``log((P(X > j - shift) - delta) / P(X > j))``, over all j, in certified bounds.
    """
    plain = _plain(law)
    if plain is None or plain.wider_than(_WIDEST):
        return None
    low, high = tail_bounds(plain, _BITS, zeros=1)  # from the far tail inwards: index i is P(X > n - i)
    reach = len(low) - 1
    one = 1 << _BITS

    def above(j: int, *, up: bool) -> int:
        """Return a bound of P(X > j) in units of 2**-bits, beyond the table by symmetry or its end."""
        if j < 0:
            return one - above(-j - 1, up=not up)
        if j > reach:
            return high[0] if up else 0
        return (high if up else low)[reach - j]

    best, missing = Fraction(0), math.ceil(delta * one)
    for j in range(-reach, reach):
        surplus = above(j - shift, up=True) - missing
        if surplus > 0 and above(j, up=False) > 0:
            ratio = Fraction(surplus, above(j, up=False))
            best = max(best, ratio)
    return round_up(log_up(best)) if best > 1 else Fraction(0)


def _plain(law: NoiseLaw) -> Law | None:
    if isinstance(law, DiscreteLaplaceLaw):
        return Law.laplace(law.scale)
    return Law.gaussian(law.sigma2) if isinstance(law, DiscreteGaussianLaw) else None


def table_law(law: Law, bits: int = 64) -> dict[int, Interval]:
    """Return certified bounds of P(k) for all k in the table that the sampler inverts.

    Parameters
    ----------
    law
        A law of scale at most 1,000.
    bits
        Resolution of the table; the sampler's is 64.
    """
    low, high = tail_bounds(law, bits, zeros=1)
    reach, unit = len(low) - 1, Fraction(1, 1 << bits)
    half = Fraction(1, 2)
    found = {}
    for k in range(1, reach + 1):
        # P(k) = G(k - 1) - G(k), and G(k - 1) is entry reach - k + 1.
        i = reach - k
        found[k] = found[-k] = (max(low[i + 1] - high[i], 0) * unit, (high[i + 1] - low[i]) * unit)
    found[0] = (2 * (half - high[reach] * unit), 2 * (half - low[reach] * unit))
    return found


def exact_epsilon(
    first: Mapping[Hashable, Fraction | Interval], second: Mapping[Hashable, Fraction | Interval], delta: object = 0
) -> Fraction | None:
    """Return an upper bound of epsilon at `delta` between two output laws, both directions; None if there is none.

    Parameters
    ----------
    first, second
        Probability of each output, exact, or as certified bounds (low, high). An output that is missing has none.
    delta
        Mass that may be left out.

    Raises
    ------
    InvalidArgument
        A probability is negative or above 1, or its bounds are in the wrong order.
    """
    from pets.exact import non_negative

    allowed = non_negative(delta, "delta")
    one, other = _enclosed(first, "first"), _enclosed(second, "second")
    found = [_one_sided(*pair, allowed) for pair in ((one, other), (other, one))]
    worst = [value for value in found if value is not None]
    return max(worst) if len(worst) == 2 else None


def _enclosed(law: Mapping[Hashable, Fraction | Interval], argument: str) -> dict[Hashable, Interval]:
    found = {key: p if isinstance(p, tuple) else (Fraction(p), Fraction(p)) for key, p in law.items()}
    if any(not 0 <= low <= high <= 1 for low, high in found.values()):
        raise InvalidArgument(argument, "must hold probabilities, or bounds (low, high) of them")
    return found


def _one_sided(one: dict[Hashable, Interval], other: dict[Hashable, Interval], delta: Fraction) -> Fraction | None:
    """Return epsilon with sum of (P - e^epsilon Q) over all outputs where that is positive at most delta."""
    pairs = [(high, other.get(key, (Fraction(0), Fraction(0)))[0]) for key, (_, high) in one.items() if high]
    lost = sum((p for p, q in pairs if q == 0), Fraction(0))
    if lost > delta:
        return None
    # Outputs by falling ratio: the sum is linear in e^epsilon between two ratios, so its root is found directly.
    rest = sorted(((p, q) for p, q in pairs if q), key=lambda pair: pair[0] / pair[1], reverse=True)
    mass, weight, growth = lost, Fraction(0), Fraction(1)
    if delta == 0:
        growth = max((p / q for p, q in rest[:1]), default=Fraction(1))
    else:
        for p, q in rest:
            if weight and mass - weight * (p / q) > delta:
                break
            mass, weight = mass + p, weight + q
        growth = (mass - delta) / weight if weight else Fraction(1)
    return round_up(log_up(growth)) if growth > 1 else Fraction(0)
