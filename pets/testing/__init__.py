"""Public conformance suites: any mechanism or aggregator, ours or a plug-in's, must pass them.

>>> import pets.testing
>>> pets.testing.check_mechanism(pets.dp.DiscreteLaplace(epsilon=1))
[]

Each check returns the list of what is wrong, so an empty list means that nothing was found. That is no proof:
an empirical test can refute a privacy claim and never establish it.
"""

from __future__ import annotations

from pets.testing.aggregator import check_aggregator
from pets.testing.mechanism import check_mechanism

__all__ = ["check_aggregator", "check_mechanism"]
