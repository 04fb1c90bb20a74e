"""How far one privacy unit can move a tally: L0, L1, L2 and Linf, block by block.

Let each row add a value in ``[lower, upper]`` to at most one cell of a block, and let one unit own at most
``k`` rows (``max_rows`` at each of ``max_sites`` sites). Write ``m = max(|lower|, |upper|, 0)``.

*Add/remove.* The difference is the sum of at most ``k`` one-cell vectors. All norms are largest when the
``k`` rows agree, except L0, which is largest when they all differ:
``L1 = L2 = Linf = k m``, ``L0 = min(cells, k)``.

*Replace-one.* The difference is ``u - v`` with both as above. In two different cells it reaches
``L1 = 2 k m``, ``L2 = sqrt(2) k m``; in the same cell it reaches the width of the reachable interval,
``w = k (max(upper, 0) - min(lower, 0))``. Zero is in the interval because a unit may own fewer rows or rows
that add to no cell. So ``L1 = max(2 k m, w) = 2 k m`` where a second cell exists, else ``w``; ``Linf = w``;
``L2 = max(sqrt(2) k m, w)``; ``L0 = min(cells, 2 k)``.

These are suprema over all data sets, attained, hence exact (tests/query/test_sensitivity.py enumerates small
domains). L2 is kept as its exact square, since ``sqrt(2)`` is not rational.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from pets.privacy_unit import PrivacyUnit
from pets.query.layout import Block


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Largest change of an integer vector between neighbouring data sets.

    Attributes
    ----------
    l0
        Number of cells that can change.
    l1, linf
        Norms of the change, in integer units of the tally.
    l2_squared
        Square of the Euclidean norm of the change, exact.
    """

    l0: int
    l1: int
    l2_squared: int
    linf: int

    @property
    def l2(self) -> float:
        """Euclidean norm, rounded to the nearest float; calibrate with :attr:`l2_squared`."""
        return math.sqrt(self.l2_squared)

    def __str__(self) -> str:
        return f"L0 = {self.l0}, L1 = {self.l1}, L2 = {self.l2:.6g}, Linf = {self.linf}"


def of_block(block: Block, unit: PrivacyUnit) -> Sensitivity:
    """Return the exact sensitivity of one block under `unit` (see the module's derivation)."""
    rows = unit.max_rows * unit.max_sites
    most = max(abs(block.lower), abs(block.upper))
    ordinary = block.noised - block.counts_dropped if most else 0
    # How far one row can move each cell; no more than two cells decide the norms.
    reach = [most] * min(ordinary, 2) + [1] * block.counts_dropped
    if not reach:
        return Sensitivity(0, 0, 0, 0)
    cells = ordinary + block.counts_dropped
    if unit.neighbours == "add_remove":
        bound = rows * max(reach)
        return Sensitivity(min(cells, rows), bound, bound**2, bound)
    width = rows * max(_interval(block) if ordinary else 0, int(block.counts_dropped))
    # Convexity: the worst change puts all rows of each unit into one cell at an extreme value.
    first, second = [*sorted(reach, reverse=True), 0][:2]
    return Sensitivity(
        l0=min(cells, 2 * rows),
        l1=max(width, rows * (first + second)),
        l2_squared=max(width**2, rows**2 * (first**2 + second**2)),
        linf=width,
    )


def _interval(block: Block) -> int:
    """Return how far apart two values of one cell can be when one row is exchanged or left out."""
    return max(block.upper, 0) - min(block.lower, 0)


def combine(parts: Iterable[Sensitivity]) -> Sensitivity:
    """Return the sensitivity of several blocks released together.

    The same rows enter every block, so L1, squared L2 and L0 add up and Linf is the largest. Exact
    under add/remove; under replace-one an upper bound, since one exchange need not be worst for
    every block at once. Mechanisms calibrate block by block, so nothing is lost by it.
    """
    listed = list(parts)
    return Sensitivity(
        sum(part.l0 for part in listed),
        sum(part.l1 for part in listed),
        sum(part.l2_squared for part in listed),
        max((part.linf for part in listed), default=0),
    )
