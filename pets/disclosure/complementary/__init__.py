"""Complementary suppression: the cheapest further cells to hide so that no sensitive one can be worked out."""

from __future__ import annotations

from pets.disclosure.complementary.result import Suppression
from pets.disclosure.complementary.suppressing import suppress

__all__ = ["Suppression", "suppress"]
