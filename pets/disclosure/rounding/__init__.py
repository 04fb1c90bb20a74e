"""Rounding of counts: to the nearest multiple, at random without bias, or controlled so that everything adds up."""

from __future__ import annotations

from pets.disclosure.rounding.mechanism import ControlledRounding, RandomRounding
from pets.disclosure.rounding.result import Rounded
from pets.disclosure.rounding.single import round_nearest, round_randomly
from pets.disclosure.rounding.tables import controlled_rounding, round_table

__all__ = [
    "ControlledRounding",
    "RandomRounding",
    "Rounded",
    "controlled_rounding",
    "round_nearest",
    "round_randomly",
    "round_table",
]
