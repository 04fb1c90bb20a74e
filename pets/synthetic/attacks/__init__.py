"""Attacks on synthetic rows, each beside what chance gives and beside what the guarantee proves.

An attack that fails proves nothing: another may succeed. One that succeeds beyond the proven bound proves the claim
wrong.
"""

from __future__ import annotations

from pets.synthetic.attacks.canary import CanaryAudit, audit_fit
from pets.synthetic.attacks.limits import advantage_bound, true_positive_bound
from pets.synthetic.attacks.report import Finding, PrivacyReport
from pets.synthetic.attacks.suite import attack

__all__ = [
    "CanaryAudit",
    "Finding",
    "PrivacyReport",
    "advantage_bound",
    "attack",
    "audit_fit",
    "true_positive_bound",
]
