"""Columns by themselves, and times with their events: what a very small budget can afford."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pets.synthetic.budget import Budget
from pets.synthetic.encoding import Encoding
from pets.synthetic.fitting import Fitting
from pets.synthetic.plan import Plan, Shares, checked_workload, make_plan
from pets.synthetic.run import Tuning, measure_first
from pets.synthetic.synthesizer import Synthesizer

_SHARES = Shares(first=0.3, clocks=0.4, strata=0.3, choices=0.0, tables=0.0)
_TUNING = Tuning()


@dataclass(frozen=True, init=False)
class Independent(Synthesizer):
    """Independent columns; each time stays with its event. Arguments as for :class:`Synthesizer`.

    The baseline: no table of two columns is measured, except times with their events, so those have little noise even
    where n times epsilon is small.

    Examples
    --------
    >>> import pets
    >>> domain = pets.Domain(sex=["female", "male"], stage=["I", "II", "III", "IV"])
    >>> Independent(epsilon=1, rows=500).predicted_error(domain).usable
    True
    """

    kind: ClassVar[str] = "independent"

    def plan(self, encoding: Encoding, budget: Budget, rows: int) -> Plan:
        """Return one table per column or pair of time and event."""
        # What the rows of a larger table would need is refused for a small one too: Adaptive picks by a noisy number.
        checked_workload(encoding, self.workload)
        return make_plan(encoding, budget, _SHARES, (), 1.0, rows)

    def run(self, fitting: Fitting, plan: Plan) -> None:
        """Measure and fit."""
        measure_first(fitting, plan, _TUNING)
        fitting.fit(_TUNING.last, _TUNING.entropy)
