"""Exact noise on the integers, vectorised, from the cryptographic generator.

>>> from fractions import Fraction
>>> from pets.dp.samplers import discrete_gaussian, discrete_laplace
>>> discrete_laplace(Fraction(10, 3), 4, insecure_seed=1).dtype
dtype('int64')
>>> discrete_gaussian(2.5, (2, 3)).shape
(2, 3)

The law of each draw is *exactly* the one named, not an approximation of it; the modules of this package carry the
argument: ``enclosure`` (certified bounds), ``inversion`` (laws up to scale 256), ``coin`` and ``layered`` (wider laws),
``shares`` and ``compound`` (what several sites draw so that the sum has a wanted law).
"""

from __future__ import annotations

from functools import lru_cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource, random_source
from pets.dp.samplers.compound import CompoundSampler
from pets.dp.samplers.inversion import TableSampler
from pets.dp.samplers.law import Law
from pets.dp.samplers.layered import LayeredSampler
from pets.dp.samplers.precision import DEFAULT, Precision
from pets.dp.samplers.shares import PolyaShare, SkellamShare
from pets.errors import InvalidArgument
from pets.exact import Number, positive

__all__ = [
    "LARGEST_SCALE",
    "Law",
    "PolyaShare",
    "SkellamShare",
    "check_draw",
    "discrete_gaussian",
    "discrete_gaussian_of_variance",
    "discrete_laplace",
    "draw",
]

LARGEST_SCALE = 2**40
"""Wider noise is refused, so that every draw and its sum with a count fits 64 bits."""

_LARGEST_DRAW = 2**62
_LARGEST_SIZE = 2**32
_LARGEST_RANK = 32  # numpy's limit before version 2
_CACHED_SAMPLERS = 64  # below half a megabyte each


def discrete_laplace(
    scale: Number, size: int | tuple[int, ...], *, insecure_seed: int | None = None
) -> NDArray[np.int64]:
    """Return independent integers with P(k) proportional to ``exp(-abs(k) / scale)``.

    Parameters
    ----------
    scale
        Above 0, at most 2**40. An int or fraction is exact; a float stands for its exact binary value.
    size
        Number or shape of the draws.
    insecure_seed
        For tests and benchmarks only: makes the draws reproducible and hence worthless for privacy.

    Returns
    -------
    ndarray of int64
        Draws of shape `size`.

    Raises
    ------
    InvalidArgument
        `scale` or `size` is not as described.
    EntropyError
        The operating system gives no secure randomness.

    Notes
    -----
    No result wraps around. The event abs(k) >= 2**62, of probability below exp(-2**22) even at the largest scale, comes
    out as a number between 2**62 and 2**62 + 2**34 in magnitude. If counts stay below 2**61 and noisy ones are clamped
    to 2**61, the published number is thus a function of the unbounded mechanism's, and its guarantee stays pure.

    References
    ----------
    Ghosh, Roughgarden, Sundararajan, *Universally utility-maximizing privacy mechanisms*, SICOMP 2012.
    """
    return draw(Law.laplace(positive(scale, "scale", decimal=False)), size, random_source(insecure_seed), "scale")


def discrete_gaussian(
    sigma: Number, size: int | tuple[int, ...], *, insecure_seed: int | None = None
) -> NDArray[np.int64]:
    """Return independent integers with P(k) proportional to ``exp(-k**2 / (2 sigma**2))``.

    Parameters
    ----------
    sigma
        Above 0, at most 2**40. An int or fraction is exact; a float stands for its exact binary value.
    size
        Number or shape of the draws.
    insecure_seed
        For tests and benchmarks only: makes the draws reproducible and hence worthless for privacy.

    Returns
    -------
    ndarray of int64
        Draws of shape `size`.

    Raises
    ------
    InvalidArgument
        `sigma` or `size` is not as described.
    EntropyError
        The operating system gives no secure randomness.

    Notes
    -----
    No result wraps around: see :func:`discrete_laplace`. Here the probability of abs(k) >= 2**62 is below exp(-2**42).

    References
    ----------
    Canonne, Kamath, Steinke, *The discrete Gaussian for differential privacy*, NeurIPS 2020.
    """
    variance = positive(sigma, "sigma", decimal=False) ** 2
    return draw(Law.gaussian(variance), size, random_source(insecure_seed), "sigma")


def discrete_gaussian_of_variance(
    variance: Number, size: int | tuple[int, ...], *, insecure_seed: int | None = None
) -> NDArray[np.int64]:
    """Return independent integers with P(k) proportional to ``exp(-k**2 / (2 variance))``.

    The parameter is sigma squared, which is rational where sigma is not: ``L2**2 / (2 rho)`` for a budget rho.

    Parameters
    ----------
    variance
        Above 0, at most 2**80. An int or fraction is exact; a float stands for its exact binary value.
    size
        Number or shape of the draws.
    insecure_seed
        For tests and benchmarks only: makes the draws reproducible and hence worthless for privacy.

    Returns
    -------
    ndarray of int64
        Draws of shape `size`.

    Raises
    ------
    InvalidArgument
        `variance` or `size` is not as described.
    EntropyError
        The operating system gives no secure randomness.
    """
    law = Law.gaussian(positive(variance, "variance", decimal=False))
    return draw(law, size, random_source(insecure_seed), "variance")


Drawable = Law | PolyaShare | SkellamShare


def draw(
    law: Drawable,
    size: int | tuple[int, ...],
    source: RandomSource,
    argument: str = "law",
    precision: Precision = DEFAULT,
) -> NDArray[np.int64]:
    """Return independent draws of `law`, with bits from `source`.

    Parameters
    ----------
    law
        The noise's law, of scale at most 2**40.
    size
        Number or shape of the draws.
    source
        Where random bits come from.
    argument
        The name to put into the error about a law that is too wide.
    precision
        Bits of each step; changes the work and not the law.

    Raises
    ------
    InvalidArgument
        `law` is too wide or `size` is no size.
    EntropyError
        The operating system gives no secure randomness.
    """
    shape = check_draw(law, size, argument)
    out = np.empty(prod(shape), dtype=np.int64)
    _sampler(law, precision).draw_into(out, source)
    return out.reshape(shape)


def check_draw(law: Drawable, size: object, argument: str) -> tuple[int, ...]:
    """Return `size` as a shape after checking that `law`, which came from `argument`, can be drawn.

    Raises
    ------
    InvalidArgument
        `law` is wider than 2**40, or `size` is no size.
    """
    if law.wider_than(LARGEST_SCALE):
        raise InvalidArgument(
            argument, "makes noise of a scale above 2**40", "Use a coarser resolution, or spend more budget."
        )
    shape = size if isinstance(size, tuple) else (size,)
    for length in shape:
        if isinstance(length, bool) or not isinstance(length, int | np.integer) or length < 0:
            raise InvalidArgument("size", "must be a whole number of at least 0, or a tuple of them")
    lengths = tuple(int(length) for length in shape)
    if len(lengths) > _LARGEST_RANK or prod(max(length, 1) for length in lengths) > _LARGEST_SIZE:
        raise InvalidArgument("size", "asks for more than 2**32 draws at once", "Draw in several batches.")
    return lengths


@lru_cache(maxsize=_CACHED_SAMPLERS)
def _sampler(law: Drawable, precision: Precision) -> TableSampler | LayeredSampler | CompoundSampler:
    if isinstance(law, PolyaShare) and law.wider_than(precision.table_scale):
        return CompoundSampler(law, largest=_LARGEST_DRAW, precision=precision)
    if isinstance(law, Law) and law.wider_than(precision.table_scale):
        return LayeredSampler(law, largest=_LARGEST_DRAW, precision=precision)
    return TableSampler(law, complement=False, largest=_LARGEST_DRAW, precision=precision)
