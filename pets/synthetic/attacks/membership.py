"""Membership inference by shadow models: was this row among those that the model was fitted to?

For each fit in turn the attacker knows all other fits, and whether the target was in them. From these it learns how
the artificial rows look when the target is in and when it is out, and compares the likelihoods: the likelihood-ratio
attack of Carlini and others, with statistics of tables in place of losses.

References
----------
Carlini N, Chien S, Nasr M, Song S, Terzis A, Tramer F (2022). Membership inference attacks from first principles. IEEE
S&P. Annamalai M, Gadotti A, Rocher L (2024). A linear reconstruction approach for attribute inference attacks against
synthetic data. USENIX Security. Stadler T, Oprisanu B, Troncoso C (2022). Synthetic data: anonymisation groundhog day.
USENIX Security.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource
from pets.synthetic.attacks.rates import Estimate, over_repeats
from pets.synthetic.attacks.shadows import Shadows
from pets.synthetic.encoding.columns import Codes

Array = NDArray[np.float64]

_TABLES = 64
_SUBSETS = 24
_FALSE = 0.01


def statistics(shadows: Shadows, source: RandomSource) -> Array:
    """Return how well each row fits the artificial rows of each fit, shape (fits, rows, statistics).

    Four statistics: the mean logarithm of how often the row's pairs of values occur, that of its triples, that of its
    values in larger random sets of columns, and the logarithm of how often the whole row occurs.
    """
    columns = len(shadows.sizes)
    families = [_sets(columns, 2, source), _sets(columns, 3, source), _large_sets(columns, source), [_all(columns)]]
    families = [sets for sets in families if sets]
    found = np.empty((len(shadows.samples), shadows.codes.shape[1], len(families)))
    for i, sample in enumerate(shadows.samples):
        for k, sets in enumerate(families):
            counts = [_matches(sample, shadows.codes, axes) for axes in sets]
            found[i, :, k] = np.log((np.array(counts) + 0.5) / (sample.shape[1] + 1)).mean(axis=0)
    return found


def scores(found: Array, inside: NDArray[np.bool_]) -> Array:
    """Return the logarithm of the likelihood ratio 'in' to 'out' of each fit and row, shape (fits, rows).

    Fits come in pairs that share out the rows. What is known about a row comes from the other pairs: the second fit of
    a pair would tell whether the row was in the first. Statistics are taken as normal with one covariance for all rows,
    and the shift of a single row is shrunk towards that of all, as it rests on few fits.
    """
    paired = found.reshape(-1, 2, *found.shape[1:])
    first = inside[::2, :, None]
    with_, without = np.where(first, paired[:, 0], paired[:, 1]), np.where(first, paired[:, 1], paired[:, 0])
    pairs = len(paired)
    mean_in = (with_.sum(axis=0) - with_) / (pairs - 1)
    mean_out = (without.sum(axis=0) - without) / (pairs - 1)
    residual = np.concatenate([with_ - with_.mean(axis=0), without - without.mean(axis=0)]).reshape(-1, found.shape[2])
    covariance = residual.T @ residual / (len(residual) * (pairs - 1) / pairs)
    # Statistics that never vary get a scatter far below anything that matters, so that the inverse exists.
    covariance += 1e-9 * np.eye(found.shape[2])
    shift = mean_in - mean_out
    everyone = shift.mean(axis=(0, 1))
    scatter = 2 * np.diag(covariance) / (pairs - 1)
    spread = np.maximum(shift.reshape(-1, found.shape[2]).var(axis=0) - scatter, 0)
    shrunk = everyone + (shift - everyone) * spread / (spread + scatter)
    middle = (mean_in + mean_out) / 2
    weights = shrunk @ np.linalg.inv(covariance)
    return np.asarray(((paired - middle[:, None]) * weights[:, None]).sum(axis=3).reshape(inside.shape))


def advantage(score: Array, inside: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> Estimate:
    """Return TPR minus FPR of guessing 'in' where the ratio is above 1, over the chosen rows."""
    each = [
        _rate(s[chosen] > 0, i[chosen]) - _rate(s[chosen] > 0, ~i[chosen]) for s, i in zip(score, inside, strict=True)
    ]
    return over_repeats(np.array(each), -1.0, 1.0)


def true_positives(score: Array, inside: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> Estimate:
    """Return the TPR at a FPR of 1 %, over the chosen rows; the threshold comes from the other fits' non-members."""
    found = []
    for fit in range(len(score)):
        others = np.delete(np.arange(len(score)), fit)
        known = score[others][:, chosen][~inside[others][:, chosen]]
        threshold = np.quantile(known, 1 - _FALSE, method="higher")
        found.append(_rate(score[fit, chosen] > threshold, inside[fit, chosen]))
    return over_repeats(np.array(found), 0.0, 1.0)


def rare_rows(codes: Codes, sizes: tuple[int, ...], share: float = 0.05, least: int = 10) -> NDArray[np.bool_]:
    """Return the rows whose pairs of values are least common, a twentieth of all."""
    pairs: list[tuple[int, ...]] = list(combinations(range(len(sizes)), 2)) or [(0,)]
    common = np.mean([np.log(_matches(codes, codes, axes)) for axes in pairs], axis=0)
    chosen = np.zeros(codes.shape[1], dtype=np.bool_)
    chosen[np.argsort(common, kind="stable")[: max(least, round(share * codes.shape[1]))]] = True
    return chosen


def _rate(hit: NDArray[np.bool_], among: NDArray[np.bool_]) -> float:
    return float(hit[among].mean()) if among.any() else float("nan")


def _matches(sample: Codes, rows: Codes, axes: tuple[int, ...]) -> Array:
    """Return for each row how many sampled rows agree with it in some columns."""
    together = np.concatenate([sample[list(axes)], rows[list(axes)]], axis=1)
    keys = np.zeros(together.shape[1], dtype=np.int64)
    for values in together:
        _, keys = np.unique(keys * (int(values.max()) + 1) + values, return_inverse=True)
    made = np.bincount(keys[: sample.shape[1]], minlength=int(keys.max()) + 1)
    return made[keys[sample.shape[1] :]].astype(np.float64)


def _sets(columns: int, size: int, source: RandomSource) -> list[tuple[int, ...]]:
    every = list(combinations(range(columns), size))
    if len(every) <= _TABLES:
        return every
    order = np.argsort(source.words(len(every), np.uint64), kind="stable")[:_TABLES]
    return [every[i] for i in order]


def _all(columns: int) -> tuple[int, ...]:
    return tuple(range(columns))


def _large_sets(columns: int, source: RandomSource) -> list[tuple[int, ...]]:
    found = []
    for i in range(_SUBSETS if columns > 4 else 0):
        size = 4 + i % (columns - 4)
        found.append(tuple(sorted(np.argsort(source.words(columns, np.uint64))[:size].tolist())))
    return found
