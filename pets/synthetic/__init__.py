"""Artificial registry tables: with a guarantee, from noisy margins, and without one, learnt from the rows."""

from __future__ import annotations

from pets.synthetic.adaptive import Adaptive
from pets.synthetic.aim import AIM
from pets.synthetic.attacks import PrivacyReport, attack, audit_fit
from pets.synthetic.cart import CART
from pets.synthetic.encoding import Survival
from pets.synthetic.fidelity import Fidelity, buy, evaluate
from pets.synthetic.from_release import from_release
from pets.synthetic.independent import Independent
from pets.synthetic.linked import Child, Linked, LinkedTables
from pets.synthetic.model import Model
from pets.synthetic.mst import MST
from pets.synthetic.prior import Prior
from pets.synthetic.row_file import load as load_rows
from pets.synthetic.row_model import RowModel
from pets.synthetic.sdv import SDV
from pets.synthetic.sweeping import Sweep, sweep
from pets.synthetic.synthesizer import Synthesizer

__all__ = [
    "AIM",
    "CART",
    "MST",
    "SDV",
    "Adaptive",
    "Child",
    "Fidelity",
    "Independent",
    "Linked",
    "LinkedTables",
    "Model",
    "Prior",
    "PrivacyReport",
    "RowModel",
    "Survival",
    "Sweep",
    "Synthesizer",
    "attack",
    "audit_fit",
    "buy",
    "evaluate",
    "from_release",
    "load_rows",
    "sweep",
]
