"""Input privacy by secret sharing and masking: nobody sees the tally of one site."""

from __future__ import annotations

from pets.mpc.additive_sharing import AdditiveSharing
from pets.mpc.masked_sum import MaskedSum
from pets.mpc.shamir_sharing import ShamirSharing
from pets.mpc.verify_before_open import VerifyBeforeOpen

__all__ = ["AdditiveSharing", "MaskedSum", "ShamirSharing", "VerifyBeforeOpen"]
