"""Flower: mods and an app for each registry, and the collector over the message API (extra ``flower``)."""

from __future__ import annotations

from pets.adapters.flower.client import client_app, site_of
from pets.adapters.flower.grid import InProcessGrid
from pets.adapters.flower.mods import AuditMod, BudgetMod, GuardMod, SecureSumMod, give_tally
from pets.adapters.flower.server import FlowerExchange, ask, collector
from pets.adapters.flower.training import TrainingMod

__all__ = [
    "AuditMod",
    "BudgetMod",
    "FlowerExchange",
    "GuardMod",
    "InProcessGrid",
    "SecureSumMod",
    "TrainingMod",
    "ask",
    "client_app",
    "collector",
    "give_tally",
    "site_of",
]
