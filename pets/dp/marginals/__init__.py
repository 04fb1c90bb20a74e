"""Tables with margins: consistent, unbiased, of least variance."""

from __future__ import annotations

from pets.dp.marginals.residual import ResidualPlanner

__all__ = ["ResidualPlanner"]
