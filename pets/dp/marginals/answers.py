"""Sums over groups and runs of labels from reconstructed tables, each with the exact law of its own error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import product
from math import prod, sqrt

import numpy as np
from numpy.typing import NDArray

from pets.domain.labels import Label
from pets.dp.arguments import release_argument
from pets.errors import InvalidArgument, PairingRefused, did_you_mean
from pets.noise import DiscreteGaussianLaw, NoiseLaw
from pets.query import Estimated
from pets.query.designs import Design
from pets.query.least_squares import LeastSquaresDesign
from pets.query.linear_law import Term, linear, real_half_width
from pets.release import Release

_LARGEST_DENOMINATOR = 10**9


@dataclass(frozen=True)
class Answer:
    """One number with its uncertainty.

    Attributes
    ----------
    value
        Unbiased estimate.
    stderr
        Standard error, exact for the noise.
    ci_low, ci_high
        Interval from the law of the error.
    """

    value: float
    stderr: float
    ci_low: float
    ci_high: float


def total_of(release: Release, labels: Mapping[str, Sequence[Label]], level: float = 0.95) -> Answer:
    """Return the number of rows whose attributes are among some labels.

    A group of a hierarchy, a run of years, a half of the country: the standard error is that of the sum, which for
    groups and runs that were planned for (``hierarchies``, ``ranges``) is far below that of its cells added up.

    Parameters
    ----------
    release
        What a :class:`~pets.dp.marginals.ResidualPlanner` released.
    labels
        For some attributes, the labels to count; all others are summed over.
    level
        Coverage of the interval.

    Raises
    ------
    InvalidArgument
        An attribute or a label is unknown, or no table has all the attributes.
    PairingRefused
        The release was not put together from components, or the table has structural zeros.
    """
    if not isinstance(labels, Mapping):
        raise InvalidArgument("labels", "must map attributes to lists of labels", "E.g. {'sex': ['f']}.")
    part = _smallest(release_argument(release), tuple(labels))
    weights = {axis.name: _indicator(axis.labels, labels[axis.name]) for axis in part.block.axes if axis.name in labels}
    value = part.counts()
    for name in reversed(part.names):
        place = part.names.index(name)
        value = np.tensordot(value, weights.get(name, np.ones(value.shape[place])), axes=(place, 0))
    law = law_of(part.design, weights)
    best_of = release.best_of
    width = real_half_width(law, level if best_of is None else best_of.level_of_each(level))
    stderr = sqrt(law.variance) * (1.0 if best_of is None else best_of.spread)
    return Answer(float(value), stderr, float(value) - width, float(value) + width)


def law_of(design: Design | LeastSquaresDesign, weights: Mapping[str, NDArray[np.float64]]) -> NoiseLaw:
    """Return the law of the error of a weighted sum of cells; see :meth:`~pets.query.designs.Design.variance`."""
    if isinstance(design, LeastSquaresDesign):
        return design.law_of(weights)
    return _law_of(design, tuple((name, tuple(np.asarray(w).tolist())) for name, w in sorted(weights.items())))


@lru_cache(maxsize=1024)
def _law_of(design: Design, weights: tuple[tuple[str, tuple[float, ...]], ...]) -> NoiseLaw:
    places = design.positions([name for name, _ in weights])
    vectors = [np.array(w, dtype=np.float64) for _, w in weights]
    reads = [design.trees[i].coefficients(vector) for i, vector in zip(places, vectors, strict=True)]
    sigma2 = dict(design.sigma2)
    terms: list[Term] = []
    for levels in product(*(range(design.trees[i].depth + 1) for i in places)):
        chosen = dict(zip(places, levels, strict=True))
        key = tuple(chosen.get(i, 0) for i in range(len(design.names)))
        law, scale = DiscreteGaussianLaw(sigma2[key]), design.scale(key)
        kinds = [_kinds(read[level]) for read, level in zip(reads, levels, strict=True)]
        for choice in product(*kinds):
            weight = prod((w for w, _ in choice), start=Fraction(1)) / scale
            terms.append((law, weight, prod(n for _, n in choice)))
    return linear(terms)


def _kinds(coefficients: NDArray[np.float64]) -> list[tuple[Fraction, int]]:
    """Return the distinct sizes of coefficients, as the short fractions that they are, with their number."""
    sizes, counts = np.unique(np.round(np.abs(coefficients), 13), return_counts=True)
    exact = [Fraction(size).limit_denominator(_LARGEST_DENOMINATOR) for size in sizes.tolist()]
    return [(size, int(n)) for size, n in zip(exact, counts.tolist(), strict=True) if size]


def _smallest(release: Release, names: Sequence[str]) -> Estimated:
    parts = [part for part in release.parts if isinstance(part, Estimated)]
    if len(parts) < len(release.parts):
        raise PairingRefused(
            "this release was measured cell by cell: use release.margin, or add up its cells. Released by "
            "pets.dp.ResidualPlanner or pets.dp.LaplacePlanner, sums have their own error"
        )
    fitting = [part for part in parts if set(names) <= set(part.names)]
    if not fitting:
        known = sorted({name for part in parts for name in part.names})
        for name in names:
            if name not in known:
                raise InvalidArgument("labels", f"names {name!r}, which is in no table", did_you_mean(str(name), known))
        tables = "; ".join(part.block.name for part in parts)
        raise InvalidArgument("labels", "names attributes that no table has together", f"There are: {tables}.")
    plain = [part for part in fitting if part.block.impossible is None]
    if not plain:
        raise PairingRefused("the table has structural zeros, whose noise was taken out; ask for this sum as a table")
    return min(plain, key=lambda part: part.block.cells)


def _indicator(known: Sequence[Label], wanted: Sequence[Label]) -> NDArray[np.float64]:
    if isinstance(wanted, str) or not isinstance(wanted, Sequence):
        raise InvalidArgument("labels", "must hold a list of labels for each attribute", "E.g. {'sex': ['f']}.")
    found = np.zeros(len(known))
    for label in wanted:
        if label not in known:
            hint = did_you_mean(str(label), [str(other) for other in known])
            raise InvalidArgument("labels", f"holds {label!r}, which is not declared", hint)
        found[list(known).index(label)] = 1.0
    return found
