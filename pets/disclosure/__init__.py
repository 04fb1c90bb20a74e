"""Statistical disclosure control: which cells to hide so that nobody can work them out, and what a release gives away.

* In a pipeline: :class:`SuppressCells`, :class:`ControlledRounding`, :class:`RandomRounding`.
* For tables made elsewhere: :func:`suppress` and :func:`audit` over a :class:`Table` against an :class:`Attacker`.
* :mod:`pets.disclosure.cell_key`, :mod:`~pets.disclosure.recoding`, :mod:`~pets.disclosure.rounding`,
  :mod:`~pets.disclosure.microdata`, :mod:`~pets.disclosure.reconstruction` and :mod:`~pets.disclosure.tau_argus`
  hold the rest.
"""

from __future__ import annotations

from pets.disclosure.attacker import Attacker
from pets.disclosure.auditing import Audit, Leak, audit
from pets.disclosure.build import sheet_of_cells, sheet_of_counts, sheet_of_rows, table_of_counts
from pets.disclosure.complementary import Suppression, suppress
from pets.disclosure.differencing import audit_releases
from pets.disclosure.dimension import Dimension
from pets.disclosure.jj import read_jj, write_jj
from pets.disclosure.linking import link
from pets.disclosure.presets import PRESETS, preset
from pets.disclosure.printed import read_printed
from pets.disclosure.reconstruction import MarginalTable, Reconstruction, reconstruct, tables_of
from pets.disclosure.relations import Relations
from pets.disclosure.rounding import ControlledRounding, RandomRounding
from pets.disclosure.rules import Dominance, MinimumFrequency, PercentRule, PriorPosterior, Request
from pets.disclosure.sheet import Fate, Sheet
from pets.disclosure.suppression import SuppressCells
from pets.disclosure.table import Table

__all__ = [
    "PRESETS",
    "Attacker",
    "Audit",
    "ControlledRounding",
    "Dimension",
    "Dominance",
    "Fate",
    "Leak",
    "MarginalTable",
    "MinimumFrequency",
    "PercentRule",
    "PriorPosterior",
    "RandomRounding",
    "Reconstruction",
    "Relations",
    "Request",
    "Sheet",
    "SuppressCells",
    "Suppression",
    "Table",
    "audit",
    "audit_releases",
    "link",
    "preset",
    "read_jj",
    "read_printed",
    "reconstruct",
    "sheet_of_cells",
    "sheet_of_counts",
    "sheet_of_rows",
    "suppress",
    "table_of_counts",
    "tables_of",
    "write_jj",
]
