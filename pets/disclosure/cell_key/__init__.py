"""Cell-key perturbation: noise that is the same for the same patients, looked up in a table by a keyed sum.

Every patient has a *record key*, a number that only the holder of a secret can compute. The *cell key* of a cell is the
sum of its patients' record keys modulo the number of keys, and a *p-table* says what is added to a count of that size
with that cell key. The same patients therefore always give the same number, in every table and every release.

It is no mechanism of a pipeline, because a tally of counts does not hold the sum of the record keys: which noise a cell
gets depends on who is in it. Use :func:`perturb_frame` on pooled rows, or :func:`perturb_table` on counts and key sums.
"""

from __future__ import annotations

from pets.disclosure.cell_key.attack import (
    AveragingAttack,
    averaging_attack,
    queries_that_suffice,
    threshold_that_stops_splits,
)
from pets.disclosure.cell_key.design import make_ptable
from pets.disclosure.cell_key.files import read_ptable, write_ptable
from pets.disclosure.cell_key.frames import perturb_frame
from pets.disclosure.cell_key.perturbed import Perturbed, perturb_table
from pets.disclosure.cell_key.ptable import PTable
from pets.disclosure.cell_key.record_keys import CellKeySecret, RecordKeys

__all__ = [
    "AveragingAttack",
    "CellKeySecret",
    "PTable",
    "Perturbed",
    "RecordKeys",
    "averaging_attack",
    "make_ptable",
    "perturb_frame",
    "perturb_table",
    "queries_that_suffice",
    "read_ptable",
    "threshold_that_stops_splits",
    "write_ptable",
]
