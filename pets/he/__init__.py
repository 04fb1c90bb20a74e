"""Homomorphic encryption: sums of ciphertexts that only a key holder, or all key holders together, can open.

TenSEAL is needed, ``pip install pets[he]``, and loaded when it is first used.
"""

from __future__ import annotations

from pets.he.bfv import BFV
from pets.he.ckks import CKKS
from pets.he.threshold_bfv import ThresholdBFV

__all__ = ["BFV", "CKKS", "ThresholdBFV"]
