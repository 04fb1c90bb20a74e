"""Rounding of each count by itself, in whole numbers: to the nearest multiple, or to a random neighbour."""

from __future__ import annotations

from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pets.csprng import RandomSource, random_source
from pets.errors import InvalidArgument, RangeOverflow

Ties = Literal["up", "down", "even"]

LARGEST_BASE: Final = 10**6
"""Largest base: beyond it nothing is left of a table of counts."""

LARGEST_COUNT: Final = 2**53
"""Largest count: the solvers of controlled rounding compute in floating point."""


def round_nearest(values: ArrayLike, base: int, ties: Ties = "up") -> NDArray[np.int64]:
    """Return each count rounded to the nearest multiple of `base`.

    Parameters
    ----------
    values
        Counts, whole numbers of at least 0, of any shape.
    base
        Whole number between 2 and 1,000,000.
    ties
        What happens to a count half-way between two multiples, which only an even base can have: ``'up'`` and
        ``'down'`` take the larger and the smaller one, ``'even'`` the one that is an even multiple of `base`.

    Returns
    -------
    ndarray of int64
        Shape of `values`. The error is at most ``base // 2``, and for 'up' and 'down' always the same for a count,
        so that a reader who sees the multiple p knows the count to within `base` (or ``base + 1``) numbers.

    Raises
    ------
    InvalidArgument
        `values` holds something else than counts, or `base` or `ties` is not as described.
    RangeOverflow
        A count is beyond 2**53.

    Examples
    --------
    >>> round_nearest([0, 1, 2, 3, 7, 8], 5).tolist()
    [0, 0, 0, 5, 5, 10]
    >>> [round_nearest([2, 6], 4, ties=rule).tolist() for rule in ("up", "down", "even")]
    [[4, 8], [0, 4], [0, 8]]
    """
    counts, step = as_counts(values), as_base(base)
    if ties not in get_args(Ties):
        raise InvalidArgument("ties", f"must be one of {', '.join(get_args(Ties))}")
    multiple, rest = np.divmod(counts, step)
    half = 2 * rest == step
    upwards = {"up": half, "down": np.zeros_like(half), "even": half & (multiple % 2 == 1)}[ties]
    return np.asarray(step * (multiple + ((2 * rest > step) | upwards)), dtype=np.int64)


def round_randomly(values: ArrayLike, base: int, *, insecure_seed: int | None = None) -> NDArray[np.int64]:
    """Return each count rounded to one of the two multiples of `base` next to it, without bias.

    A count with the remainder r goes up with probability ``r / base`` exactly, else down. Its expectation is therefore
    the count itself, its variance ``r * (base - r)``; multiples, zeros among them, stay as they are. Cells are
    independent of each other: rounded parts do not add up to a rounded total.

    Parameters
    ----------
    values
        Counts, whole numbers of at least 0, of any shape.
    base
        Whole number between 2 and 1,000,000.
    insecure_seed
        For tests and benchmarks only: makes the draws reproducible and hence worthless as protection.

    Returns
    -------
    ndarray of int64
        Shape of `values`.

    Raises
    ------
    InvalidArgument
        `values` holds something else than counts, or `base` is not as described.
    RangeOverflow
        A count is beyond 2**53.
    EntropyError
        The operating system gives no secure randomness.

    Notes
    -----
    Each call draws anew. A reader of several roundings of one count sees both neighbours and, from how often each
    comes, the count: round a table once and keep the result.

    References
    ----------
    Fellegi, *Controlled random rounding*, Survey Methodology 1, 1975.

    Examples
    --------
    >>> round_randomly([0, 5, 10], 5).tolist()  # multiples stay
    [0, 5, 10]
    """
    counts, step = as_counts(values), as_base(base)
    rest = counts % step
    upwards = uniform_below(step, counts.shape, random_source(insecure_seed)) < rest
    return np.asarray(counts - rest + step * upwards, dtype=np.int64)


def uniform_below(bound: int, shape: tuple[int, ...], source: RandomSource) -> NDArray[np.int64]:
    """Return independent integers that are exactly uniform on ``0 .. bound - 1``."""
    size = int(np.prod(shape))
    drawn = source.words(size)
    limit = np.uint64((1 << 64) // bound * bound - 1)  # words beyond the last whole multiple would favour small results
    while (beyond := np.flatnonzero(drawn > limit)).size:
        drawn[beyond] = source.words(beyond.size)
    return np.asarray(drawn % np.uint64(bound), dtype=np.int64).reshape(shape)


def as_base(base: object) -> int:
    """Return `base` if it is a whole number that counts can be rounded to."""
    whole = isinstance(base, int | np.integer) and not isinstance(base, bool)
    if not whole or not 2 <= int(base) <= LARGEST_BASE:  # type: ignore[call-overload]
        raise InvalidArgument(
            "base", f"must be a whole number between 2 and {LARGEST_BASE:,}", "Usual are 3, 5 and 10."
        )
    return int(base)  # type: ignore[call-overload, no-any-return]


def as_counts(values: ArrayLike, argument: str = "values") -> NDArray[np.int64]:
    """Return counts as int64; floats that are whole numbers are taken as such."""
    try:
        given = np.asarray(values)
    except (TypeError, ValueError):
        raise InvalidArgument(argument, "must be an array of counts") from None
    if given.dtype.kind not in "iuf" or not np.isfinite(given).all():
        raise InvalidArgument(argument, "must hold counts, and no missing value", "Give whole numbers of at least 0.")
    if given.size and (given.min() < 0 or (given != np.floor(given)).any()):
        raise InvalidArgument(
            argument, "must hold whole numbers of at least 0", "Round amounts in units that are whole."
        )
    if given.size and given.max() > LARGEST_COUNT:
        raise RangeOverflow(f"{argument}: a count is beyond 2**53, so it cannot be rounded exactly.")
    return given.astype(np.int64)
