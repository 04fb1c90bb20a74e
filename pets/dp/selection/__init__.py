"""Mechanisms that publish a choice: the best, the k best, what is above a threshold, a quantile's bin.

Scores are cells of a declared tally or follow from declared bins. :func:`select` charges a ledger before it chooses.

A word on when to use them. If each unit is in one cell of one table, :class:`pets.dp.DiscreteLaplace` on the whole
table costs no more than a single choice with noise of the same scale, and shows everything. Choosing pays where a unit
is in many tables or rows, where one answer is wanted at the best accuracy (permute-and-flip), and for quantiles over
fine bins.

How long a choice takes is published by whoever lets it be measured. Permute-and-flip and report noisy max look at all
candidates once. A quantile adds two proposals on average. The exponential mechanism proposes until one is accepted:
as often as there are candidates at most, on average, and less often where many are good. Choose at fixed times, or
use permute-and-flip, where that could be observed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from pets.dp.selection.best import ExponentialMechanism, PermuteAndFlip, ReportNoisyMax
from pets.dp.selection.candidates import Candidates
from pets.dp.selection.charged import select
from pets.dp.selection.quantile import ExponentialQuantiles
from pets.dp.selection.selector import Selected, Selector
from pets.dp.selection.sparse_vector import AboveThreshold
from pets.dp.selection.top_k import TopK
from pets.dp.selection.tuning import Candidate, PrivateTuning

__all__ = [
    "SELECTORS", "AboveThreshold", "Candidate", "Candidates", "ExponentialMechanism", "ExponentialQuantiles",
    "PermuteAndFlip", "PrivateTuning", "ReportNoisyMax", "Selected", "Selector", "TopK", "select",
]  # fmt: skip

SELECTORS: Final[Mapping[str, Callable[..., Selector]]] = {
    kind.kind: kind
    for kind in (ExponentialMechanism, PermuteAndFlip, ReportNoisyMax, TopK, AboveThreshold, ExponentialQuantiles)
}
"""Selection mechanisms by the name they have in a file."""
