"""Files of tau-ARGUS in and out: hierarchies, metadata, microdata, tables and suppression patterns."""

from __future__ import annotations

from pets.disclosure.jj import read_jj, write_jj
from pets.disclosure.tau_argus.hrc import read_hrc, write_hrc
from pets.disclosure.tau_argus.microdata import Microdata, read_microdata
from pets.disclosure.tau_argus.outcome import read_outcome, write_outcome
from pets.disclosure.tau_argus.rda import Metadata, Variable, read_rda, write_rda
from pets.disclosure.tau_argus.tab import read_tab, write_tab

__all__ = [
    "Metadata",
    "Microdata",
    "Variable",
    "read_hrc",
    "read_jj",
    "read_microdata",
    "read_outcome",
    "read_rda",
    "read_tab",
    "write_hrc",
    "write_jj",
    "write_outcome",
    "write_rda",
    "write_tab",
]
