"""A wide made-up registry with a known truth: 100,000 rows of 15 columns, for the time that a fit takes.

Columns depend on each other along a tree with two closing edges, so that a model must find more than a tree.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

import pets

SIZES = (2, 5, 12, 4, 20, 3, 8, 50, 2, 6, 10, 15, 3, 25, 4)
PARENTS = ((), (0,), (1,), (2,), (2,), (0, 4), (3,), (4,), (5,), (1,), (6, 2), (10,), (8,), (7,), (12,))


def wide(rows: int, seed: int = 0) -> tuple[pd.DataFrame, pets.Domain]:
    """Return rows and their domain; half of a column's values follow its parents, the rest a law of its own."""
    random = np.random.default_rng(seed)
    columns: list[np.ndarray] = []
    for size, parents in zip(SIZES, PARENTS, strict=True):
        law = random.dirichlet(np.full(size, 1.5))
        own = random.choice(size, rows, p=law)
        follows = sum((columns[p] for p in parents), np.zeros(rows, dtype=np.int64)) % size
        columns.append(np.where(random.random(rows) < (0.5 if parents else 0.0), follows, own))
    frame = pd.DataFrame({f"column_{i}": column for i, column in enumerate(columns)})
    ordered = {i for i, size in enumerate(SIZES) if size >= 10}
    domain = pets.Domain(
        {f"column_{i}": pets.Integer(0, s - 1) if i in ordered else list(range(s)) for i, s in enumerate(SIZES)}
    )
    return frame, domain
