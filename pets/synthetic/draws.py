"""Where noise and choices come from: the secure generator, or a reproducible one for tests."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from pets.csprng import InsecureRandom, RandomSource, secure_random
from pets.dp.engines import InsecureEngine, NoiseEngine, engine
from pets.dp.selection.best import weigh

LARGEST = 2**61


@dataclass(frozen=True)
class Draws:
    """All randomness that protects anything.

    Attributes
    ----------
    noise
        Exact integer noise of :mod:`pets.dp`.
    coins
        Random bits of the exact exponential mechanism of :mod:`pets.dp.selection`.
    """

    noise: NoiseEngine
    coins: RandomSource

    @classmethod
    def secure(cls) -> Draws:
        """Return what a release uses."""
        return cls(engine("pets"), secure_random())

    @classmethod
    def insecure(cls, seed: int) -> Draws:
        """Return reproducible draws, worthless for privacy: for tests and benchmarks only."""
        return cls(InsecureEngine(2 * seed), InsecureRandom(insecure_seed=2 * seed + 1))

    @property
    def are_secure(self) -> bool:
        """Whether what they protect may be released."""
        return self.noise.secure and self.coins.secure

    def noisy(self, counts: NDArray[np.int64], sigma2: Fraction) -> NDArray[np.int64]:
        """Return counts with independent discrete Gaussian noise."""
        drawn = self.noise.discrete_gaussian(sigma2, counts.size).reshape(counts.shape)
        # The samplers saturate beyond 2**62; clamped, this is a function of the unbounded mechanism's output.
        return np.asarray(np.clip(counts + drawn, -LARGEST, LARGEST), dtype=np.int64)

    def counted(self, exact: int, scale: Fraction) -> int:
        """Return a number with discrete Laplace noise."""
        return int(np.clip(exact + int(self.noise.discrete_laplace(scale, 1)[0]), -LARGEST, LARGEST))

    def choose(self, scores: NDArray[np.int64], rate: Fraction) -> int:
        """Return i with probability exactly proportional to ``exp(rate scores[i])``."""
        return weigh(rate, np.asarray(scores, dtype=np.int64), self.coins)
