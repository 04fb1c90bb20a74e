"""The page of the tuner: one HTML file that opens offline and asks for nothing from outside."""

from __future__ import annotations

from pets.tuning.page.page import render

__all__ = ["render"]
