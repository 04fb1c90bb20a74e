"""How close artificial rows are to real ones, on what people do with them: tables, prediction, survival, rare groups.

There is no single score. Every number stands beside what a resample of the real rows scores (the floor) and beside the
size of the real sample that would do as well.
"""

from __future__ import annotations

from pets.synthetic.fidelity.bought import buy
from pets.synthetic.fidelity.evaluation import EvaluationIncompleteWarning, evaluate
from pets.synthetic.fidelity.report import Fidelity, Score

__all__ = ["EvaluationIncompleteWarning", "Fidelity", "Score", "buy", "evaluate"]
