"""Statistical disclosure control: rules that hide small cells."""

from __future__ import annotations

from pets.disclosure.suppression import SuppressCells

__all__ = ["SuppressCells"]
