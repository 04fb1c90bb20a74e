"""Fitting over registries that show each other nothing but noisy totals."""

from __future__ import annotations

from pets.synthetic.across.arrangement import Arrangement
from pets.synthetic.across.fit import fit_across
from pets.synthetic.across.joint_fit import JointFit

__all__ = ["Arrangement", "JointFit", "fit_across"]
