"""The averaging attack: different questions with the same true answer get different noise, and that averages out.

An analyst who may ask freely finds a count n by asking for its parts: by sex, by year, by region; each way of dividing
it gives another estimate. Or, where small answers are withheld, by asking for other patients with and without those
wanted, and subtracting. Nothing in a bounded perturbation prevents this; only a limit on the questions does.

References
----------
Asghar, Kaafar, *Averaging attacks on bounded noise-based disclosure control algorithms*, PoPETs 2020(2).
Hoeffding, *Probability inequalities for sums of bounded random variables*, JASA 58, 1963.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource, random_source
from pets.disclosure.cell_key.ptable import PTable
from pets.disclosure.rounding.single import uniform_below
from pets.errors import InvalidArgument

Strategy = Literal["split", "subtract"]

_BATCH = 2**22


@dataclass(frozen=True, eq=False, repr=False)
class AveragingAttack:
    """How soon an analyst knows a count.

    Attributes
    ----------
    queries
        Numbers of answers that were averaged, shape (m,). One answer takes `parts` (or two) published cells.
    found
        Share of simulated analysts whose average, rounded, is the true count, shape (m,).
    low, high
        Wilson's 95 % interval of each share, shape (m,).
    answered
        Share of the questions that were answered at all: none of their cells was below the threshold.
    strategy, threshold, repeats
        As asked for.
    """

    queries: NDArray[np.int64]
    found: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    answered: float
    strategy: Strategy
    threshold: int
    repeats: int

    def needed(self, share: float = 0.95) -> int | None:
        """Return the smallest simulated number of answers after which `share` of the analysts are right, surely so.

        ``None`` if no simulated number is enough.
        """
        enough = np.flatnonzero(self.low >= share)
        return int(self.queries[enough[0]]) if enough.size else None

    def explain(self) -> str:
        """Return the outcome in plain words."""
        if self.answered == 0:
            return f"No question of this kind is answered: every one has a cell below {self.threshold}."
        needed = self.needed()
        if needed is None:
            best = 100 * float(self.found.max())
            return f"With up to {self.queries[-1]:,} answers, at most {best:.0f} of 100 analysts know the true count."
        return f"{needed:,} different answers are enough for 95 of 100 analysts to know the true count."

    def __repr__(self) -> str:
        return f"<AveragingAttack: {self.explain()}>"


def averaging_attack(
    ptable: PTable,
    count: int,
    *,
    strategy: Strategy = "split",
    parts: int = 2,
    threshold: int = 0,
    queries: int = 1000,
    repeats: int = 400,
    insecure_seed: int | None = None,
) -> AveragingAttack:
    """Simulate analysts who average different answers about the same patients.

    Parameters
    ----------
    ptable
        By what counts are perturbed.
    count
        True count that they want, at least 1.
    strategy
        ``'split'``: each question divides the patients at random into `parts`, all of which are asked for and added up.
        ``'subtract'``: each question asks for a random group of other patients, and for that group together with those
        wanted, and subtracts; the groups are as large as the threshold demands, so it never stops this.
    parts
        Number of parts of a split, at least 2.
    threshold
        Published counts below it are withheld, 0 for none. A question with such a cell is worth nothing.
    queries
        Most questions of one analyst.
    repeats
        Number of analysts.
    insecure_seed
        For tests: makes the simulation reproducible.

    Raises
    ------
    InvalidArgument
        A parameter is out of range.
    """
    _check(ptable, count, strategy, {"parts": (parts, 2, 64), "threshold": (threshold, 0, 10**6)})
    _check(ptable, count, strategy, {"queries": (queries, 1, 10**5), "repeats": (repeats, 20, 10**5)})
    source = random_source(insecure_seed)
    steps = np.unique(np.rint(np.geomspace(1, queries, 40)).astype(np.int64))
    right, answered = np.zeros(len(steps), dtype=np.int64), 0
    batch = max(1, _BATCH // (queries * parts))
    for start in range(0, repeats, batch):
        size = (min(batch, repeats - start), queries)
        ask = _split if strategy == "split" else _subtract
        estimates, known = ask(ptable, count, parts, threshold, size, source)
        sums = np.cumsum(np.where(known, estimates, 0), axis=1)[:, steps - 1]
        given = np.cumsum(known, axis=1)[:, steps - 1]
        # Rounded to the nearest whole number, in whole numbers: |sum - count * given| < given / 2.
        right += ((given > 0) & (2 * np.abs(sums - count * given) < given)).sum(axis=0)
        answered += int(known.sum())
    low, high = _wilson(right, repeats)
    return AveragingAttack(
        steps, right / repeats, low, high, answered / (repeats * queries), strategy, threshold, repeats
    )


def queries_that_suffice(ptable: PTable, parts: int = 2, failure: float = 0.05) -> int:
    """Return a number of answers after which the average is right except with probability `failure`, whatever the law.

    Hoeffding's bound for the mean of q independent errors, each of ``parts`` changes of at most D: it misses the count
    by half a case or more with probability at most ``2 exp(-q / (8 parts^2 D^2))``, if the p-table is unbiased.

    Raises
    ------
    InvalidArgument
        A parameter is out of range.
    """
    if not isinstance(failure, float) or not 0 < failure < 1:
        raise InvalidArgument("failure", "must be a probability strictly between 0 and 1")
    _check(ptable, 1, "split", {"parts": (parts, 1, 64)})
    return math.ceil(8 * (parts * ptable.largest) ** 2 * math.log(2 / failure))


def threshold_that_stops_splits(ptable: PTable, count: int, parts: int = 2) -> int:
    """Return a threshold at which no division of `count` into `parts` is answered in full.

    One of the parts has at most ``count / parts`` cases, and no more is added to it than the largest change. No
    threshold stops an analyst who subtracts larger groups.

    Raises
    ------
    InvalidArgument
        A parameter is out of range.
    """
    _check(ptable, count, "split", {"parts": (parts, 2, 64)})
    return count // parts + ptable.largest + 1


_Asked = tuple[NDArray[np.int64], NDArray[np.bool_]]


def _split(
    ptable: PTable, count: int, parts: int, threshold: int, size: tuple[int, int], source: RandomSource
) -> _Asked:
    """Divide the patients: each is in a part that is drawn for it, as if by an attribute that is independent."""
    sizes = np.zeros((*size, parts), dtype=np.int64)
    if count <= 256:
        lot = uniform_below(parts, (*size, count), source)
        for part in range(parts):
            sizes[..., part] = (lot == part).sum(axis=-1)
    else:  # equal parts, give or take: what matters is that none is small
        cuts = np.sort(uniform_below(count + 1, (*size, parts - 1), source), axis=-1)
        ends = np.concatenate([np.zeros((*size, 1), np.int64), cuts, np.full((*size, 1), count)], axis=-1)
        sizes = np.diff(ends, axis=-1)
    published = ptable.apply(sizes, uniform_below(ptable.keys, sizes.shape, source))
    return np.asarray(published.sum(axis=-1)), np.asarray((published >= threshold).all(axis=-1))


def _subtract(
    ptable: PTable, count: int, parts: int, threshold: int, size: tuple[int, int], source: RandomSource
) -> _Asked:
    del parts
    others = max(threshold + ptable.largest, len(ptable.changes)) + uniform_below(1000, size, source)
    without = ptable.apply(others, uniform_below(ptable.keys, size, source))
    together = ptable.apply(others + count, uniform_below(ptable.keys, size, source))
    return together - without, np.ones(size, dtype=np.bool_)


def _wilson(successes: NDArray[np.int64], trials: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    z2 = 1.959963984540054**2
    share = successes / trials
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = np.sqrt(z2 * (share * (1 - share) / trials + z2 / (4 * trials**2))) / (1 + z2 / trials)
    return np.minimum(middle - half, share), np.maximum(middle + half, share)  # rounding errors at 0 and 1


def _check(ptable: object, count: object, strategy: object, numbers: dict[str, tuple[object, int, int]]) -> None:
    if not isinstance(ptable, PTable):
        raise InvalidArgument("ptable", "must be a PTable", "Make one with make_ptable() or read_ptable().")
    if strategy not in get_args(Strategy):
        raise InvalidArgument("strategy", f"must be one of {', '.join(get_args(Strategy))}")
    for name, (value, least, most) in (numbers | {"count": (count, 1, 10**9)}).items():
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise InvalidArgument(name, f"must be a whole number between {least:,} and {most:,}")
