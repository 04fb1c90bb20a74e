"""What merging and hiding cells loses, on one scale: bits per patient.

A published table tells of a random patient in which *class* of fine cells it lies: the cells that were merged with its
own, or, if its cell is hidden, all hidden cells (an upper bound of what is lost, as margins tell more). The loss is the
mean number of bits that are missing to the fine cell, ``sum_c n_c log2(N_class(c) / n_c) / N``, the entropy of the
cells given their classes. Merging and hiding are the same thing on this scale, and merging further never loses less.

References
----------
Domingo-Ferrer, Torra, *A quantitative comparison of disclosure control methods for microdata*, in Confidentiality,
Disclosure and Data Access, 2001 (entropy loss of recoding and suppression).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def bits_lost(counts: NDArray[np.int64], classes: NDArray[np.int64]) -> float:
    """Return the mean number of bits that a patient's class lacks to its cell.

    Parameters
    ----------
    counts
        Patients in each fine cell, shape (cells,), not all 0.
    classes
        Number of the class of each fine cell, shape (cells,).
    """
    full = counts > 0
    sizes = np.bincount(classes[full], weights=counts[full])
    return float((counts[full] * np.log2(sizes[classes[full]] / counts[full])).sum() / counts.sum())


def bits_told(counts: NDArray[np.int64]) -> float:
    """Return the mean number of bits that the fine table tells of a patient: the entropy of its cells."""
    return bits_lost(counts, np.zeros(len(counts), dtype=np.int64))
