"""Regression from tables of counts, exact or noisy: logistic, Poisson, and Cox-like for times to an event.

A model of categorical covariates needs no rows: the table of counts by covariates and outcome is sufficient. So one
release serves every model over its attributes, at no further privacy loss.

**How noise is met.** Each model is fitted by the root of an *estimating equation* ``U(beta) = 0`` that is linear in the
noisy counts (or a product of independent ones). Unbiased noise then leaves its mean at 0 where the true coefficients
are, which clipping counts at zero would not, and signed counts are taken as they are. Without noise the estimates are
those of maximum likelihood. The covariance is that of the sandwich ``J^-1 (S + N) J^-1``: S from sampling, N from the
noise, whose variance is public.

References
----------
Godambe VP (1960). An optimum property of regular maximum likelihood estimation. Annals of Mathematical Statistics
31:1208-1211.
Carroll RJ, Ruppert D, Stefanski LA, Crainiceanu CM (2006). Measurement Error in Nonlinear Models, chapter 7 (corrected
scores). Chapman & Hall/CRC.
"""

from __future__ import annotations

from pets.epi.regression.glm import logistic_regression, poisson_regression
from pets.epi.regression.hazards import hazard_ratios
from pets.epi.regression.result import Regression

__all__ = ["Regression", "hazard_ratios", "logistic_regression", "poisson_regression"]
