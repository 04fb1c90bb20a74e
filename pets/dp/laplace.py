"""The discrete Laplace (two-sided geometric) mechanism: pure differential privacy for integers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.dp.additive import drawable, known_engine, named
from pets.dp.distributed import PolyaShares, SharedNoise
from pets.dp.engines import NoiseEngine
from pets.exact import Number, as_text, positive
from pets.guarantee import PureDP
from pets.noise import DiscreteLaplaceLaw
from pets.query import BoundQuery, Sensitivity


@dataclass(frozen=True, init=False)
class DiscreteLaplace(SharedNoise):
    """Add integer noise with P(k) proportional to exp(-abs(k) epsilon / L1).

    Parameters
    ----------
    epsilon
        Privacy loss of the whole release, above 0; read as an exact decimal.
    engine
        ``'pets'`` (exact vectorised sampler, secure generator) or ``'opendp'`` (the reference).

    Raises
    ------
    InvalidArgument
        `epsilon` is not a positive number, or the engine is unknown.

    Guarantee
    ---------
    Pure epsilon-differential privacy for the privacy unit and neighbouring relation of the query's domain: the
    tally is an integer vector of exact L1 sensitivity, and the ratio of the two output laws at any point is at most
    exp(L1 / scale) per block, by the triangle inequality.

    References
    ----------
    Ghosh, Roughgarden, Sundararajan, *Universally utility-maximizing privacy mechanisms*, SICOMP 2012. Dwork, McSherry,
    Nissim, Smith, *Calibrating noise to sensitivity in private data analysis*, TCC 2006.
    """

    kind: ClassVar[str] = "discrete_laplace"
    epsilon: Fraction
    engine: str

    def __init__(self, epsilon: Number, engine: str = "pets") -> None:
        object.__setattr__(self, "epsilon", positive(epsilon, "epsilon"))
        object.__setattr__(self, "engine", known_engine(engine))

    def guarantee(self, query: BoundQuery) -> PureDP:
        """Return epsilon under the domain's privacy unit."""
        return PureDP(self.epsilon, unit=query.domain.unit)

    def law(self, sensitivity: Sensitivity, share: Fraction) -> DiscreteLaplaceLaw:
        """Return scale L1 / (share epsilon)."""
        return DiscreteLaplaceLaw(drawable(sensitivity.l1 / (share * self.epsilon), "epsilon"))

    def draw(self, source: NoiseEngine, law: DiscreteLaplaceLaw, size: int) -> NDArray[np.int64]:
        """Return independent draws."""
        return source.discrete_laplace(law.scale, size)

    def shares(self, law: DiscreteLaplaceLaw, honest: int) -> PolyaShares:  # type: ignore[override]
        """Return shares of which `honest` have exactly this law together."""
        return PolyaShares(law.scale, honest)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return named(self.kind, [("epsilon", as_text(self.epsilon)), ("engine", self.engine)])
