"""The epsilon tuner: what each privacy budget would cost, worked out from public planning counts only.

>>> from pets.tuning import Targets, cell_figures, demo_plan, recommend
>>> plan = demo_plan()
>>> row = cell_figures(plan, table=0, cell=plan.tables[0].labels.index("Liver · female · 0-4"), epsilon=1)
>>> row["count"], (row["low"], row["high"]), row["verdict"]
(20, (13, 27), 'noise')
>>> recommend(plan, Targets(cells=0.9)).epsilon
Fraction(8, 5)
"""

from __future__ import annotations

from pets.tuning.building import Given, load
from pets.tuning.comparison import crossing
from pets.tuning.demo import demo_plan
from pets.tuning.numbers import cell_figures
from pets.tuning.numbers import numbers as numbers_of
from pets.tuning.plan import Axis, Budget, Decision, Privacy, Source, Spent, Table, TuningPlan
from pets.tuning.plan_reading import plan_from_dict
from pets.tuning.plan_text import to_toml
from pets.tuning.planning import Planning, read_planning
from pets.tuning.recommending import Recommendation, recommend
from pets.tuning.reporting import export, page_of
from pets.tuning.rule import Rule
from pets.tuning.signing import Signature
from pets.tuning.targets import Targets
from pets.tuning.totals_asked import Life, Total

__all__ = [
    "Axis",
    "Budget",
    "Decision",
    "Given",
    "Life",
    "Planning",
    "Privacy",
    "Recommendation",
    "Rule",
    "Signature",
    "Source",
    "Spent",
    "Table",
    "Targets",
    "Total",
    "TuningPlan",
    "cell_figures",
    "crossing",
    "demo_plan",
    "export",
    "load",
    "numbers_of",
    "page_of",
    "plan_from_dict",
    "read_planning",
    "recommend",
    "to_toml",
]
