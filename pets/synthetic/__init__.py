"""Artificial registry tables: with a guarantee, from noisy margins, and without one."""

from __future__ import annotations

from pets.synthetic.adaptive import Adaptive
from pets.synthetic.aim import AIM
from pets.synthetic.encoding import Survival
from pets.synthetic.independent import Independent
from pets.synthetic.model import Model
from pets.synthetic.mst import MST
from pets.synthetic.synthesizer import Synthesizer

__all__ = ["AIM", "MST", "Adaptive", "Independent", "Model", "Survival", "Synthesizer"]
