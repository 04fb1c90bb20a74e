"""Which synthesizer to take, from the number of rows and the budget; the answer may be: do not release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pets.synthetic.aim import AIM
from pets.synthetic.budget import Budget
from pets.synthetic.encoding import Encoding
from pets.synthetic.fitting import Fitting
from pets.synthetic.independent import Independent
from pets.synthetic.mst import MST
from pets.synthetic.plan import Plan, signal_of
from pets.synthetic.synthesizer import Synthesizer

FEW, SOME = 5.0, 15.0
"""Signal (rows over the root of the budget's scale) per column below which only single columns, only a tree, pays."""


@dataclass(frozen=True, init=False)
class Adaptive(Synthesizer):
    """Take :class:`Independent`, :class:`MST` or :class:`AIM`, whichever the budget can feed.

    Arguments as for :class:`Synthesizer`. The choice depends on the number of rows (declared, or bought with a fiftieth
    of the budget), the budget and the declared columns only. With declared `rows` it refuses, before anything is
    charged, to make a release that would be mostly noise, and says what would be enough. If nobody declares the number,
    only the noisy one can tell: then the model's :attr:`~pets.synthetic.Model.notes` begin with 'Do not release'.

    Examples
    --------
    >>> import pets
    >>> domain = pets.Domain(sex=["female", "male"], stage=["I", "II", "III", "IV"])
    >>> print(Adaptive(epsilon="0.01", rows=100).predicted_error(domain).usable)
    False
    """

    kind: ClassVar[str] = "adaptive"

    def chosen(self, encoding: Encoding, budget: Budget, rows: int) -> Synthesizer:
        """Return the synthesizer for so many rows."""
        signal = signal_of(encoding, budget, rows) / len(encoding.sizes)
        kind = Independent if signal < FEW else MST if signal < SOME else AIM
        found = object.__new__(kind)
        for name in ("budget", "workload", "survival", "rows", "prior"):
            object.__setattr__(found, name, getattr(self, name))
        return found

    def plan(self, encoding: Encoding, budget: Budget, rows: int) -> Plan:
        """Return the plan of the chosen synthesizer."""
        return self.chosen(encoding, budget, rows).plan(encoding, budget, rows)

    def run(self, fitting: Fitting, plan: Plan) -> None:
        """Run the synthesizer that made the plan."""
        self.chosen(fitting.encoding, plan.budget, plan.rows).run(fitting, plan)
