"""Frames of every engine from the same rows, and the definitions spelled out."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pytest

FRAMES = {
    "pandas": pd.DataFrame,
    "pandas-category": lambda rows: pd.DataFrame(rows).apply(
        lambda c: c.astype("category") if c.dtype == object else c
    ),
    "pandas-nullable": lambda rows: pd.DataFrame(rows).convert_dtypes(),
    "polars": lambda rows: pl.DataFrame(rows, strict=False),
    "polars-lazy": lambda rows: pl.DataFrame(rows, strict=False).lazy(),
    "pyarrow": lambda rows: pl.DataFrame(rows, strict=False).to_arrow(),
}


@pytest.fixture(params=sorted(FRAMES))
def make(request):
    """How to make a frame of one engine from a mapping of columns."""
    return FRAMES[request.param]
