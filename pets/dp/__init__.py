"""Differential privacy: exact integer noise, mechanisms, and what they promise."""

from __future__ import annotations

from pets.dp import samplers
from pets.dp.additive import AdditiveNoise
from pets.dp.engines import NoiseEngine
from pets.dp.gaussian import DiscreteGaussian
from pets.dp.laplace import DiscreteLaplace

__all__ = ["AdditiveNoise", "DiscreteGaussian", "DiscreteLaplace", "NoiseEngine", "samplers"]
