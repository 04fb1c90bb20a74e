"""Input privacy by secret sharing and masking: nobody sees the tally of one site."""

from __future__ import annotations

from pets.mpc.masked_sum import MaskedSum

__all__ = ["MaskedSum"]
