"""Artificial registry tables: with a guarantee, from noisy margins, and without one, learnt from the rows."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pets.synthetic.adaptive import Adaptive
    from pets.synthetic.aim import AIM
    from pets.synthetic.attacks import PrivacyReport, attack, audit_fit
    from pets.synthetic.cart import CART
    from pets.synthetic.encoding import Survival
    from pets.synthetic.fidelity import Fidelity, buy, evaluate
    from pets.synthetic.independent import Independent
    from pets.synthetic.linked import Child, Linked, LinkedDomain, LinkedTables
    from pets.synthetic.model import Model
    from pets.synthetic.mst import MST
    from pets.synthetic.prior import Prior
    from pets.synthetic.released import from_release
    from pets.synthetic.row_file import load_rows
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
    "LinkedDomain",
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

_HOMES: Final = {
    "Adaptive": "adaptive",
    "AIM": "aim",
    "PrivacyReport": "attacks",
    "attack": "attacks",
    "audit_fit": "attacks",
    "CART": "cart",
    "Survival": "encoding",
    "Fidelity": "fidelity",
    "buy": "fidelity",
    "evaluate": "fidelity",
    "from_release": "released",
    "Independent": "independent",
    "Child": "linked",
    "Linked": "linked",
    "LinkedDomain": "linked",
    "LinkedTables": "linked",
    "Model": "model",
    "MST": "mst",
    "Prior": "prior",
    "load_rows": "row_file",
    "RowModel": "row_model",
    "SDV": "sdv",
    "Sweep": "sweeping",
    "sweep": "sweeping",
    "Synthesizer": "synthesizer",
}
"""The module of each name. They are loaded when first used, so that a command line answers at once."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pets.synthetic' has no attribute {name!r}")
    found = getattr(import_module(f"pets.synthetic.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
