"""What every mechanism that adds independent integer noise shares.

To add one, subclass :class:`AdditiveNoise` and give the law of the noise for a sensitivity, the way to draw
it, and the guarantee: see CONTRIBUTING.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.dp.engines import NoiseEngine, engine
from pets.dp.samplers import LARGEST_SCALE
from pets.error_model import ErrorModel
from pets.errors import InvalidArgument
from pets.guarantee import DPGuarantee
from pets.noise import NoiseLaw, NoNoise
from pets.query import Block, BoundQuery, Measured, Sensitivity
from pets.query.layout import split
from pets.release import Release
from pets.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Sequence


_LARGEST = 2**61


class AdditiveNoise(ABC):
    """A mechanism that adds noise of one law to each cell of a block.

    Blocks are calibrated one by one to their own exact sensitivity and share the privacy loss equally, so a
    mean is not spoilt by giving its count the noise of its sum. For blocks of equal sensitivity this is the same as
    calibrating the whole vector. Structural zeros get no noise: they are public.
    """

    kind: ClassVar[str]
    engine: str

    @abstractmethod
    def guarantee(self, query: BoundQuery) -> DPGuarantee:
        """Return what is promised about one privacy unit."""

    @abstractmethod
    def law(self, sensitivity: Sensitivity, share: Fraction) -> NoiseLaw:
        """Return the noise that makes a block of this sensitivity cost `share` of the whole privacy loss."""

    @abstractmethod
    def draw(self, source: NoiseEngine, law: Any, size: int) -> NDArray[np.int64]:
        """Return `size` independent draws of `law` (one that :meth:`law` returned)."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain data with a ``type``."""

    def laws(self, query: BoundQuery) -> tuple[NoiseLaw, ...]:
        """Return the law of each block's noise."""
        active = sum(sensitivity.l0 > 0 for sensitivity in query.sensitivities)
        share = Fraction(1, max(active, 1))
        return tuple(self.law(s, share) if s.l0 else NoNoise() for s in query.sensitivities)

    def error(self, query: BoundQuery) -> ErrorModel:
        """Return the exact law of the error of each cell."""
        return ErrorModel(query, self.laws(query))

    def release(self, total: Tally, query: BoundQuery) -> Release:
        """Return `total` with noise.

        Raises
        ------
        IncompatibleTallies
            `total` answers another question.
        RangeOverflow
            A noisy value leaves 64 bits.
        """
        query.check(total)
        source = engine(self.engine)
        noisy = total + Tally(np.concatenate(list(self._noise(source, query))), query.signature)
        # The samplers saturate beyond 2**62 (probability below exp(-2**22)). Clamped to 2**61, where no count comes,
        # what is published is a function of the unbounded mechanism's output, so the guarantee stays pure.
        clamped = np.clip(noisy.values, -_LARGEST, _LARGEST)
        parts = zip(query.blocks, split(clamped, query.blocks), self.laws(query), strict=True)
        return Release(query, tuple(Measured(*part) for part in parts), (self.guarantee(query),))

    def _noise(self, source: NoiseEngine, query: BoundQuery) -> Iterator[NDArray[np.int64]]:
        for block, law in zip(query.blocks, self.laws(query), strict=True):
            yield self._block_noise(source, block, law)

    def _block_noise(self, source: NoiseEngine, block: Block, law: NoiseLaw) -> NDArray[np.int64]:
        if isinstance(law, NoNoise):
            return np.zeros(block.size, dtype=np.int64)
        if block.impossible is None:
            return self.draw(source, law, block.size)
        noise = np.zeros(block.size, dtype=np.int64)
        noise[block.free()] = self.draw(source, law, block.noised)
        return noise


def drawable(scale: Fraction, argument: str) -> Fraction:
    """Return `scale` after checking, before anything is charged, that noise so wide can be drawn."""
    if scale > LARGEST_SCALE:
        raise InvalidArgument(
            argument, "makes noise of a scale above 2**40", "Use a coarser resolution, or spend more budget."
        )
    return scale


def known_engine(name: str) -> str:
    """Return the name of a noise engine after checking that it exists."""
    engine(name)
    return name


def named(kind: str, fields: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return settings as plain data, leaving out the default engine."""
    return {"type": kind} | {key: value for key, value in fields if (key, value) != ("engine", "pets")}
