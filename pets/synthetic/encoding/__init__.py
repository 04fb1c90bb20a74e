"""From declared columns to integer codes and back: bins, missing values, rules, and times to events."""

from __future__ import annotations

from pets.synthetic.encoding.encoder import Encoding, rows_of
from pets.synthetic.encoding.order import Anchor
from pets.synthetic.encoding.survival import Survival

__all__ = ["Anchor", "Encoding", "Survival", "rows_of"]
