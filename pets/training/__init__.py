"""Models with many covariates, trained in noisy rounds over the secure sum."""

from __future__ import annotations

from pets.training.logistic import TrainedRegression
from pets.training.train import train_logistic

__all__ = ["TrainedRegression", "train_logistic"]
