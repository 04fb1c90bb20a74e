"""The discrete Gaussian mechanism: zero-concentrated differential privacy for integers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.dp.additive import drawable, known_engine, named
from pets.dp.distributed import SharedNoise, Shares, concentrated_shares
from pets.dp.engines import NoiseEngine
from pets.exact import Number, as_text, isqrt_up, positive
from pets.guarantee import ZeroConcentratedDP
from pets.noise import DiscreteGaussianLaw
from pets.query import BoundQuery, Sensitivity


@dataclass(frozen=True, init=False)
class DiscreteGaussian(SharedNoise):
    """Add integer noise with P(k) proportional to exp(-k^2 / (2 sigma^2)), sigma^2 = L2^2 / (2 rho).

    Worth its weaker promise when one person enters many cells: the noise grows with the square root of their
    number, where discrete Laplace noise grows with the number.

    Parameters
    ----------
    rho
        Privacy loss of the whole release in zero-concentrated DP, above 0; read as an exact decimal.
    engine
        ``'pets'`` or ``'opendp'``.

    Raises
    ------
    InvalidArgument
        `rho` is not a positive number, or the engine is unknown.

    Guarantee
    ---------
    rho-zero-concentrated differential privacy for the privacy unit and neighbouring relation of the query's domain.

    References
    ----------
    Canonne, Kamath, Steinke, *The discrete Gaussian for differential privacy*, NeurIPS 2020, theorem 4, applied to each
    coordinate and composed. Bun, Steinke, *Concentrated differential privacy*, TCC 2016.
    """

    kind: ClassVar[str] = "discrete_gaussian"
    rho: Fraction
    engine: str

    def __init__(self, rho: Number, engine: str = "pets") -> None:
        object.__setattr__(self, "rho", positive(rho, "rho"))
        object.__setattr__(self, "engine", known_engine(engine))

    def guarantee(self, query: BoundQuery) -> ZeroConcentratedDP:
        """Return rho under the domain's privacy unit."""
        return ZeroConcentratedDP(self.rho, unit=query.domain.unit)

    def law(self, sensitivity: Sensitivity, share: Fraction) -> DiscreteGaussianLaw:
        """Return sigma^2 = L2^2 / (2 share rho), exact."""
        sigma2 = sensitivity.l2_squared / (2 * share * self.rho)
        drawable(isqrt_up(sigma2), "rho")
        return DiscreteGaussianLaw(sigma2)

    def draw(self, source: NoiseEngine, law: DiscreteGaussianLaw, size: int) -> NDArray[np.int64]:
        """Return independent draws."""
        return source.discrete_gaussian(law.sigma2, size)

    def shares(self, law: DiscreteGaussianLaw, honest: int) -> Shares:  # type: ignore[override]
        """Return Skellam or discrete Gaussian shares; see :func:`pets.dp.distributed.concentrated_shares`."""
        return concentrated_shares(law.sigma2, honest)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return named(self.kind, [("rho", as_text(self.rho)), ("engine", self.engine)])
