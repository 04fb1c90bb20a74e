"""The main job on real data: what 21 registries lose today, and what they would lose with noise instead.

:func:`run_demo` computes (:mod:`pets.demo.study`), draws (:mod:`pets.demo.figures`) and writes
(:mod:`pets.demo.report`); the command ``pets demo`` is a thin wrapper around it.
"""

from __future__ import annotations

from pets.demo.plan import EPSILONS
from pets.demo.results import Study
from pets.demo.run import DemoFiles, run_demo
from pets.demo.study import compare

__all__ = ["EPSILONS", "DemoFiles", "Study", "compare", "run_demo"]
