"""Choosing cells by their codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pets.errors import InvalidArgument, did_you_mean


def cells_with(
    dimensions: Sequence[str], codes: Sequence[NDArray[np.str_]], wanted: Mapping[str, str | Sequence[str]]
) -> NDArray[np.bool_]:
    """Return which cells have one of the wanted codes in each dimension named.

    Raises
    ------
    InvalidArgument
        There is no such dimension or code.
    """
    found = np.ones(len(codes[0]) if codes else 0, dtype=np.bool_)
    for name, listed in wanted.items():
        if name not in dimensions:
            raise InvalidArgument("codes", f"names {name!r}, which is no dimension", did_you_mean(name, dimensions))
        column = codes[list(dimensions).index(name)]
        several = [listed] if isinstance(listed, str) else list(listed)
        known = np.unique(column).tolist()
        for code in several:
            if code not in known:
                raise InvalidArgument("codes", f"{name!r} has no code {code!r}", did_you_mean(code, known))
        found &= np.isin(column, several)
    return found
