"""Rules that say which cells are sensitive, and how much uncertainty about them must remain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.contributions import Contributions
from pets.errors import InvalidArgument

Zeros = Literal["publish", "suppress", "allow"]
"""What happens to empty cells: they are printed; they are sensitive; or they may be hidden to protect others."""


@dataclass(frozen=True, eq=False)
class Verdict:
    """What a rule says of each cell, shape (n,) each.

    Attributes
    ----------
    sensitive
        Cells that must be hidden.
    below, above, width
        How far below and above the true value they must remain possible, and how wide their range must remain.
    """

    sensitive: NDArray[np.bool_]
    below: NDArray[np.float64]
    above: NDArray[np.float64]
    width: NDArray[np.float64]

    def __or__(self, other: Verdict) -> Verdict:
        """Return what two rules say together: a cell is sensitive by either, the stronger demand holds."""
        return Verdict(
            self.sensitive | other.sensitive,
            np.maximum(self.below, other.below),
            np.maximum(self.above, other.above),
            np.maximum(self.width, other.width),
        )


@runtime_checkable
class Rule(Protocol):
    """Anything that can judge cells by their contributions."""

    def judge(self, cells: Contributions) -> Verdict:
        """Return which cells are sensitive and what protection they need."""
        ...

    @property
    def needs(self) -> int:
        """How many of the largest contributions it looks at."""
        ...


@dataclass(frozen=True, slots=True)
class MinimumFrequency:
    """A cell of fewer than `minimum` contributors is sensitive.

    Parameters
    ----------
    minimum
        Smallest number of contributors that is shown, at least 2.
    zeros
        Whether empty cells are printed (``'publish'``), sensitive (``'suppress'``), or may be hidden to protect
        others (``'allow'``).
    width
        Least width of the range in which a hidden count must remain. 2 means that at least three counts stay
        possible.
    safety
        In a table of magnitudes, instead of `width`: protection level above and below, in per cent of the value.

    Raises
    ------
    InvalidArgument
        A parameter is out of range.
    """

    minimum: int = 5
    zeros: Zeros = "publish"
    width: float = 2.0
    safety: float = 30.0

    def __post_init__(self) -> None:
        if isinstance(self.minimum, bool) or not isinstance(self.minimum, int) or not 2 <= self.minimum <= 10**9:
            raise InvalidArgument("minimum", "must be a whole number of at least 2", "5 hides counts from 1 to 4.")
        if self.zeros not in ("publish", "suppress", "allow"):
            raise InvalidArgument("zeros", "must be 'publish', 'suppress' or 'allow'")
        if not 0 < self.width < float("inf"):
            raise InvalidArgument("width", "must be more than 0")
        _percentage("safety", self.safety)

    @property
    def needs(self) -> int:
        """No contribution is looked at."""
        return 0

    @property
    def range(self) -> tuple[int, int]:
        """Smallest and largest number of contributors of a sensitive cell: what the rule itself tells."""
        return (0 if self.zeros == "suppress" else 1), self.minimum - 1

    def judge(self, cells: Contributions) -> Verdict:
        """Return the cells with too few contributors."""
        low, high = self.range
        sensitive = (cells.contributors >= low) & (cells.contributors <= high)
        if np.array_equal(cells.values, cells.records):
            return _demand(sensitive, width=np.full(cells.cells, self.width))
        return _around(sensitive, self.safety / 100.0 * cells.values)


@dataclass(frozen=True, slots=True)
class Dominance:
    """The (n, k) rule: a cell is sensitive if its `n` largest contributions exceed `k` per cent of its value.

    Parameters
    ----------
    n
        How many contributions, at least 1.
    k
        Percentage, between 0 and 100.

    References
    ----------
    A. Hundepool et al., Statistical Disclosure Control, Wiley 2012, chapter 4: the rule, and its upper
    protection level ``100/k * (x_1 + ... + x_n) - X``.
    """

    n: int = 1
    k: float = 75.0

    def __post_init__(self) -> None:
        _whole("n", self.n)
        _percentage("k", self.k)

    @property
    def needs(self) -> int:
        """Contributions looked at."""
        return self.n

    def judge(self, cells: Contributions) -> Verdict:
        """Return the dominated cells."""
        level = 100.0 / self.k * cells.top(self.n) - cells.values
        return _around(level > _noise(cells), level)


@dataclass(frozen=True, slots=True)
class PercentRule:
    """The p % rule: a cell is sensitive if a contributor can estimate the largest other one to within `p` per cent.

    The best placed attacker is the second largest, or a coalition of the `coalition` next largest, who
    subtract their own contributions: sensitive if the rest ``X - x_1 - ... - x_(coalition + 1)`` is less than
    ``p / 100 * x_1``.

    Parameters
    ----------
    p
        Percentage above 0.
    coalition
        How many contributors pool what they know, at least 1.

    References
    ----------
    A. Hundepool et al., Statistical Disclosure Control, Wiley 2012, chapter 4: the rule, and its upper
    protection level ``p/100 * x_1 - (X - x_1 - x_2)``.
    """

    p: float = 10.0
    coalition: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.p < float("inf"):
            raise InvalidArgument("p", "must be a percentage above 0")
        _whole("coalition", self.coalition)

    @property
    def needs(self) -> int:
        """Contributions looked at."""
        return self.coalition + 1

    def judge(self, cells: Contributions) -> Verdict:
        """Return the cells whose largest contribution can be estimated too well."""
        rest = cells.values - cells.top(self.needs)
        level = self.p / 100.0 * cells.largest[:, 0] - rest
        return _around(level > _noise(cells), level)


@dataclass(frozen=True, slots=True)
class PriorPosterior:
    """The pq rule: everybody knows each contribution to within `q` per cent before; no better than `p` after.

    Sensitive if ``q / 100 * (X - x_1 - x_2) < p / 100 * x_1``. With q = 100 it is the p % rule.

    Parameters
    ----------
    p, q
        Percentages with 0 < p < q <= 100.

    References
    ----------
    A. Hundepool et al., Statistical Disclosure Control, Wiley 2012, chapter 4: the rule, and its upper
    protection level ``p/q * x_1 - (X - x_1 - x_2)``.
    """

    p: float = 10.0
    q: float = 100.0

    def __post_init__(self) -> None:
        if not 0 < self.p < self.q <= 100:
            raise InvalidArgument("p", "must be above 0 and below q, which is at most 100")

    @property
    def needs(self) -> int:
        """Contributions looked at."""
        return 2

    def judge(self, cells: Contributions) -> Verdict:
        """Return the cells from which somebody learns too much."""
        return PercentRule(100.0 * self.p / self.q).judge(cells)


@dataclass(frozen=True, slots=True)
class Request:
    """A cell is sensitive if somebody who asked for protection brings more than `share` per cent of it.

    Parameters
    ----------
    share
        Percentage, from 0.
    safety
        Protection level above and below, in per cent of the value.
    """

    share: float = 70.0
    safety: float = 10.0

    def __post_init__(self) -> None:
        if not 0 <= self.share < 100:
            raise InvalidArgument("share", "must be a percentage from 0 to below 100")
        _percentage("safety", self.safety)

    @property
    def needs(self) -> int:
        """No contribution is looked at."""
        return 0

    def judge(self, cells: Contributions) -> Verdict:
        """Return the cells in which a request weighs enough."""
        return _around(cells.requested > self.share / 100.0, self.safety / 100.0 * cells.values)


def judge(rules: Iterable[Rule], cells: Contributions) -> Verdict:
    """Return what all `rules` say together; without a rule nothing is sensitive."""
    found = _demand(np.zeros(cells.cells, dtype=np.bool_))
    for rule in rules:
        found = found | rule.judge(cells)
    return found


def _demand(sensitive: NDArray[np.bool_], **levels: NDArray[np.float64]) -> Verdict:
    none = np.zeros(len(sensitive))
    found = {name: np.where(sensitive, levels.get(name, none), 0.0) for name in ("below", "above", "width")}
    return Verdict(sensitive, **found)


def _around(sensitive: NDArray[np.bool_], level: NDArray[np.float64]) -> Verdict:
    """Demand `level` on both sides, as is usual: an attacker's lower estimate is as good as the upper one."""
    return _demand(sensitive, below=level, above=level)


def _noise(cells: Contributions) -> NDArray[np.float64]:
    """Return how far rounding alone can move a difference of sums."""
    return np.asarray(1e-12 * cells.values, dtype=np.float64)


def _percentage(name: str, value: float) -> None:
    if isinstance(value, bool) or not 0 < value < 100:
        raise InvalidArgument(name, "must be a percentage between 0 and 100")


def _whole(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidArgument(name, "must be a whole number of at least 1")
