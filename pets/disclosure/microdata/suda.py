"""Special uniques: records that few keys are enough to single out.

A *minimal sample unique* (MSU) of a record is a set of keys in which it is unique, and of which no smaller part makes
it unique. Many and small ones mean a record that is unusual, not just seen through a fine grid.

References
----------
M. J. Elliot, A. Manning, K. Mayes, J. Gurd, M. Bane, "SUDA: a program for detecting special uniques", UNECE/Eurostat
    work session on statistical data confidentiality, Geneva, 2005 (the score ``'elliot'``, DIS-SUDA).
A. M. Manning, D. J. Haglin, J. A. Keane, "A recursive search algorithm for statistical disclosure assessment", Data
    Mining and Knowledge Discovery 16, 2008, 165-196 (SUDA2).
C. J. Skinner, M. J. Elliot, "A measure of disclosure risk for microdata", JRSS B 64(4), 2002 (DIS).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb, factorial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.microdata.classes import Classes, equivalence_classes
from pets.disclosure.microdata.codes import Codes, combine
from pets.disclosure.microdata.frame import Missing, choice, fraction, whole_number
from pets.disclosure.microdata.matching import sums_over_matches
from pets.errors import InvalidArgument

Scoring = Literal["elliot", "share"]
MAX_SUBSETS = 200_000


@dataclass(frozen=True, eq=False, repr=False)
class SpecialUniques:
    """What was found for each record.

    Attributes
    ----------
    keys
        The key columns.
    sizes
        Number of minimal sample uniques of each size, shape (rows, max_size); column i is for i + 1 keys. Confidential.
    scores
        Shape (rows,); 0 for records that are not unique. Confidential.
    contributions
        For each key the share of all scores that comes from sets with this key. They sum to more than 1.
    uniques, pairs
        Number of records that are unique on all keys, and that look alike with exactly one other.
    """

    keys: tuple[str, ...]
    sizes: Codes
    scores: NDArray[np.float64]
    contributions: dict[str, float]
    uniques: int
    pairs: int

    def dis_scores(self, sampling_fraction: float) -> NDArray[np.float64]:
        """Return DIS-SUDA scores: the chance that a match is correct, spread over the uniques by their scores.

        Parameters
        ----------
        sampling_fraction
            Share of the population that is in the sample, above 0. With 1 every match is correct.

        Raises
        ------
        InvalidArgument
            It is no number above 0 and up to 1.
        """
        share = fraction(sampling_fraction, "sampling_fraction", zero=False)
        return dis_scores(self.scores, self.uniques, self.pairs, len(self.keys), share)

    def __repr__(self) -> str:
        found = int((self.scores > 0).sum())
        return f"SpecialUniques({found:,} of {len(self.scores):,} records have minimal sample uniques)"


def special_uniques(
    frame: object,
    keys: Sequence[str] | str,
    *,
    max_size: int | None = None,
    scoring: Scoring = "elliot",
    missing: Missing = "value",
) -> SpecialUniques:
    """Find all minimal sample uniques (SUDA) and score the records.

    Parameters
    ----------
    frame, keys, missing
        As for :func:`~pets.disclosure.microdata.k_anonymity`.
    max_size
        Largest number of keys in a set; all keys when left out.
    scoring
        For M keys, a set of k keys scores (M-k)! with ``'elliot'`` (divided by (M-max_size)! when the search
        stops early), the published definition; and (2^(M-k) - 1) / binomial(M, k) with ``'share'``, the scale of the
        first implementations, which sdcMicro still offers.

    Raises
    ------
    InvalidArgument, DataError
        An argument, the frame or a column is not usable, or there are too many sets of keys to look at.
    """
    choice(scoring, "scoring", Scoring)
    classes = equivalence_classes(frame, keys, missing=missing)
    number = len(classes.keys)
    most = number if max_size is None else whole_number(max_size, "max_size", 1)
    if most > number:
        raise InvalidArgument("max_size", "is more than the number of keys")
    if sum(comb(number, size) for size in range(1, most + 1)) > MAX_SUBSETS:
        raise InvalidArgument(
            "max_size", f"leaves more than {MAX_SUBSETS:,} sets of keys", "Name fewer keys, or lower it."
        )
    scale = np.array([_score(number, size, most, scoring) for size in range(1, most + 1)])
    unique = np.flatnonzero(classes.frequencies == 1)
    sizes, per_key = _minimal_sets(classes, unique, most, scale)
    of_class = np.zeros((len(classes), most), dtype=np.int64)
    of_class[unique] = sizes
    scores = of_class @ scale
    total = float(scores.sum())
    shares = {key: float(part / total) if total else 0.0 for key, part in zip(classes.keys, per_key, strict=True)}
    pairs = int(classes.sizes[classes.frequencies == 2].sum())
    return SpecialUniques(classes.keys, of_class[classes.of_row], scores[classes.of_row], shares, len(unique), pairs)


def dis_scores(scores: NDArray[np.float64], uniques: int, pairs: int, keys: int, share: float) -> NDArray[np.float64]:
    """Return DIS-SUDA scores.

    Parameters
    ----------
    scores
        SUDA scores, shape (rows,).
    uniques, pairs
        Records that are unique, and that are in classes of two.
    keys
        Number of keys.
    share
        Sampling fraction.
    """
    positive = scores > 0
    if not positive.any():
        return np.zeros(len(scores))
    dis = uniques * share / (uniques * share + pairs * (1 - share))
    power = scores[positive] ** (1 + (8 - keys) / 20)
    found = np.zeros(len(scores))
    found[positive] = 1 / (1 + (uniques / dis - uniques) / (power * (1 / power).sum()))
    return found


def _score(keys: int, size: int, most: int, scoring: Scoring) -> float:
    if scoring == "share":
        return float((2 ** (keys - size) - 1) / comb(keys, size))
    return float(factorial(keys - size) / factorial(keys - min(most, keys - 1))) if size < keys else 1.0


def _minimal_sets(
    classes: Classes, unique: Codes, most: int, scale: NDArray[np.float64]
) -> tuple[Codes, NDArray[np.float64]]:
    """Return the number of minimal sets by size for each unique class, and the score that each key takes part in."""
    number = len(classes.keys)
    sizes = np.zeros((len(unique), most), dtype=np.int64)
    per_key = np.zeros(number)
    done: dict[tuple[int, ...], NDArray[np.bool_]] = {}  # set of keys: which classes are unique in it or in a part
    for size in range(1, most + 1):
        current = {}
        for chosen in combinations(range(number), size):
            parts = [chosen[:i] + chosen[i + 1 :] for i in range(size)]
            already = np.zeros(len(unique), dtype=np.bool_)
            for part in parts if size > 1 else ():
                already |= done[part]
            fresh = np.zeros(len(unique), dtype=np.bool_)
            if not already.all():
                fresh = _unique_in(classes, list(chosen))[unique] & ~already
            sizes[:, size - 1] += fresh
            per_key[list(chosen)] += scale[size - 1] * np.count_nonzero(fresh)
            current[chosen] = already | fresh
        done = current
    return sizes, per_key


def _unique_in(classes: Classes, chosen: list[int]) -> NDArray[np.bool_]:
    codes = classes.codes[:, chosen]
    rows = classes.sizes.astype(np.float64)
    if classes.missing == "matches_all" and (codes < 0).any():
        return np.asarray(sums_over_matches(codes, rows) == 1)
    group, groups = combine([codes[:, i] for i in range(len(chosen))], len(codes))
    alone: NDArray[np.bool_] = np.bincount(group, weights=rows, minlength=groups)[group] == 1
    return alone
