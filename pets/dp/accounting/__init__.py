"""Accounting: what mechanisms lose, described as data, and what all of them lose together, never below the truth."""

from pets.dp.accounting.accountant import WHY, Account, BoundName, account
from pets.dp.accounting.combined import Composed, InParallel, Repeated, Subsampled
from pets.dp.accounting.implied import ApproxLoss, RenyiLoss, ZCDPLoss, loss_of
from pets.dp.accounting.losses import (
    DiscreteGaussianLoss,
    DiscreteLaplaceLoss,
    ExponentialMechanismLoss,
    GaussianLoss,
    LaplaceLoss,
    Loss,
    PureLoss,
    RandomizedResponseLoss,
    SimpleLoss,
)
from pets.dp.accounting.odometer import ORDERS, Odometer, RenyiFilter, RenyiSpent

__all__ = [
    "ORDERS",
    "WHY",
    "Account",
    "ApproxLoss",
    "BoundName",
    "Composed",
    "DiscreteGaussianLoss",
    "DiscreteLaplaceLoss",
    "ExponentialMechanismLoss",
    "GaussianLoss",
    "InParallel",
    "LaplaceLoss",
    "Loss",
    "Odometer",
    "PureLoss",
    "RandomizedResponseLoss",
    "RenyiFilter",
    "RenyiLoss",
    "RenyiSpent",
    "Repeated",
    "SimpleLoss",
    "Subsampled",
    "ZCDPLoss",
    "account",
    "loss_of",
]
