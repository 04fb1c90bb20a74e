"""Where a mechanism's noise comes from: two interchangeable engines behind one small protocol.

`pets` (default) is our own exact vectorised sampler; `opendp` is the reference implementation that tests compare it
with, and that a cautious user may prefer.
"""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pets.csprng import InsecureRandom, RandomSource, secure_random
from pets.dp.samplers import Law, check_draw, draw
from pets.errors import InvalidArgument, MissingExtra, did_you_mean
from pets.exact import float_up, isqrt_up, positive


@runtime_checkable
class NoiseEngine(Protocol):
    """A source of exact integer noise."""

    @property
    def name(self) -> str:
        """What the provenance of a release says."""
        ...

    @property
    def secure(self) -> bool:
        """Whether the noise is unpredictable. Only such noise may enter a release."""
        ...

    def discrete_laplace(self, scale: Fraction, size: int) -> NDArray[np.int64]:
        """Return `size` independent integers with P(k) proportional to ``exp(-abs(k) / scale)``."""
        ...

    def discrete_gaussian(self, variance: Fraction, size: int) -> NDArray[np.int64]:
        """Return `size` independent integers with P(k) proportional to ``exp(-k**2 / (2 variance))``."""
        ...


class PetsEngine:
    """The samplers of :mod:`pets.dp.samplers` on the process's secure generator. The rational parameter is kept."""

    name = "pets"
    secure = True

    def discrete_laplace(self, scale: Fraction, size: int) -> NDArray[np.int64]:
        """Return independent draws (see :func:`pets.dp.samplers.discrete_laplace`)."""
        return draw(_laplace(scale), size, self._source(), "scale")

    def discrete_gaussian(self, variance: Fraction, size: int) -> NDArray[np.int64]:
        """Return independent draws (see :func:`pets.dp.samplers.discrete_gaussian_of_variance`)."""
        return draw(_gaussian(variance), size, self._source(), "variance")

    def _source(self) -> RandomSource:
        return secure_random()


class InsecureEngine(PetsEngine):
    """The same samplers on a reproducible stream, for tests and benchmarks only. Not reachable by name.

    Parameters
    ----------
    insecure_seed
        Equal seeds give equal sequences of draws.
    """

    name = "insecure"
    secure = False

    def __init__(self, insecure_seed: int) -> None:
        self._stream = InsecureRandom(insecure_seed=insecure_seed)

    def _source(self) -> RandomSource:
        return self._stream


class OpenDPEngine:
    """The samplers of the OpenDP library on its own secure generator.

    Its interface takes the scale as a double, which it then treats exactly. The rational scale, or the root of the
    rational variance, is therefore rounded *up* to a double here: the noise is at most a factor 1 + 2**-51 wider than
    asked for, never narrower.

    Raises
    ------
    MissingExtra
        The package `opendp` is not installed.
    """

    name = "opendp"
    secure = True

    def __init__(self) -> None:
        try:
            import opendp.prelude as dp
        except ImportError:
            raise MissingExtra("opendp", "opendp") from None
        dp.enable_features("contrib")
        self._dp: Any = dp

    def discrete_laplace(self, scale: Fraction, size: int) -> NDArray[np.int64]:
        """Return independent draws."""
        shape = check_draw(_laplace(scale), size, "scale")
        return self._draw(self._dp.m.make_laplace, self._dp.l1_distance(T="i64"), float_up(Fraction(scale)), shape)

    def discrete_gaussian(self, variance: Fraction, size: int) -> NDArray[np.int64]:
        """Return independent draws."""
        shape = check_draw(_gaussian(variance), size, "variance")
        sigma = float_up(isqrt_up(Fraction(variance)))
        return self._draw(self._dp.m.make_gaussian, self._dp.l2_distance(T="i64"), sigma, shape)

    def _draw(self, make: Any, metric: Any, scale: float, shape: tuple[int, ...]) -> NDArray[np.int64]:
        """Return the noise that OpenDP adds to a vector of zeros."""
        zeros = np.zeros(prod(shape), dtype=np.int64)
        if not zeros.size:
            return zeros.reshape(shape)
        measurement = make(self._dp.vector_domain(self._dp.atom_domain(T="i64")), metric, scale)
        return np.asarray(measurement(zeros), dtype=np.int64).reshape(shape)


_ENGINES: dict[str, type[PetsEngine] | type[OpenDPEngine]] = {"pets": PetsEngine, "opendp": OpenDPEngine}


def engine(name: str) -> NoiseEngine:
    """Return the noise engine of that name.

    Parameters
    ----------
    name
        ``'pets'`` or ``'opendp'``.

    Raises
    ------
    InvalidArgument
        No engine has that name.
    MissingExtra
        The engine's package is not installed.
    """
    kind = _ENGINES.get(str(name))
    if kind is None:
        raise InvalidArgument("engine", "is not a known noise engine", did_you_mean(str(name), _ENGINES))
    return kind()


def _laplace(scale: Fraction) -> Law:
    return Law.laplace(positive(scale, "scale", decimal=False))


def _gaussian(variance: Fraction) -> Law:
    return Law.gaussian(positive(variance, "variance", decimal=False))
