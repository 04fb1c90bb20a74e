"""Auditing: is a claim of differential privacy kept by what is drawn, and can it be proven?

>>> import pets
>>> from pets.dp.auditing import audit
>>> audit(pets.dp.DiscreteLaplace(epsilon=1), draws=100_000).passed
True
"""

from pets.dp.auditing.auditor import audit
from pets.dp.auditing.bounds import Found, divergence_bound, empirical_epsilon, epsilon_bound
from pets.dp.auditing.proof import Proof, epsilon_of_shift, exact_epsilon, neighbours, prove, prove_zcdp, table_law
from pets.dp.auditing.result import Audit

__all__ = [
    "Audit",
    "Found",
    "Proof",
    "audit",
    "divergence_bound",
    "empirical_epsilon",
    "epsilon_bound",
    "epsilon_of_shift",
    "exact_epsilon",
    "neighbours",
    "prove",
    "prove_zcdp",
    "table_law",
]
