"""AIM: choose the table that the model misses most, measure it, fit, and again."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

from pets.synthetic.budget import Budget
from pets.synthetic.encoding import Encoding
from pets.synthetic.fitting import Fitting
from pets.synthetic.plan import Plan, Shares, checked_workload, make_plan, signal_of
from pets.synthetic.run import Tuning, measure_first, run_rounds
from pets.synthetic.synthesizer import Synthesizer

_SHARES = Shares(first=0.15, clocks=0.2, strata=0.3, choices=0.05, tables=0.3)
_ALONE = Shares(first=0.15, clocks=0.0, strata=0.0, choices=0.1, tables=0.75)
_FAINT = Shares(first=0.3, clocks=0.0, strata=0.0, choices=0.08, tables=0.62)
_TUNING = Tuning()
_REFERENCE, _WEAK = 9000.0, 2000.0
_GROWTH = 4.0
_MANY = 40
_PAIRS = 1.0


@dataclass(frozen=True, init=False)
class AIM(Synthesizer):
    """An adaptive, iterative mechanism for a workload. Arguments as for :class:`Synthesizer`.

    The most accurate of the synthesizers here where n times epsilon is not small. Each round compares the model with
    the tables of the workload (by an exact mechanism, for a part of the budget), measures the one that is worst, and
    fits again. How many rounds there are and what each costs follows from the number of rows and the budget beforehand.

    References
    ----------
    McKenna, Mullins, Sheldon, Miklau, *AIM: an adaptive and iterative mechanism for differentially private synthetic
    data*, VLDB 2022.

    Examples
    --------
    >>> import pets
    >>> domain = pets.Domain(sex=["female", "male"], stage=["I", "II", "III", "IV"])
    >>> print(AIM(epsilon=1, delta="1e-6", rows=500).guarantee(domain.unit))
    epsilon = 1, delta = 1e-06 (approximate DP)
    """

    kind: ClassVar[str] = "aim"

    def plan(self, encoding: Encoding, budget: Budget, rows: int) -> Plan:
        """Return first tables, and rounds in number about 2 per column at 9,000 units of signal to noise."""
        checked_workload(encoding, self.workload)
        signal = signal_of(encoding, budget, rows)
        shares = _SHARES if encoding.survival else _FAINT if signal < _WEAK else _ALONE
        if len(encoding.sizes) < 2:
            return make_plan(encoding, budget, shares, (), 1.0, rows)
        rounds = max(2, round(2 * len(encoding.sizes) * math.sqrt(signal / _REFERENCE)))
        return make_plan(encoding, budget, shares, (rounds - rounds // 2, rounds // 2), _GROWTH, rows)

    def run(self, fitting: Fitting, plan: Plan) -> None:
        """Measure, and go through the rounds."""
        tuning = _TUNING if len(plan.rounds) <= _MANY else replace(_TUNING, at_once=4, iterations=40, cells=2**20)
        workload = checked_workload(fitting.encoding, self.workload)
        if (
            max(map(len, workload), default=0) < 3
        ):  # tables of pairs have fewer cells, so their columns may have more groups
            tuning = replace(tuning, grouping=_PAIRS)
        measure_first(fitting, plan, tuning)
        if plan.levels:
            run_rounds(fitting, plan, workload, tuning)
        fitting.fit(tuning.last, tuning.entropy)
