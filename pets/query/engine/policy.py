"""What happens to a value that is not declared."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pets.domain import Attribute
from pets.errors import DataError

MISSING: Final = -1
UNDECLARED: Final = -2
BELOW: Final = -3
ABOVE: Final = -4
"""Codes of values without a cell; valid values have the number of their cell, from zero on."""

_PROBLEMS: Final = {
    MISSING: "a value is missing",
    UNDECLARED: "a value is not declared",
    BELOW: "a value is out of range",
    ABOVE: "a value is out of range",
}


def refuse_errors(name: str, attribute: Attribute, codes: NDArray[np.int64]) -> None:
    """Raise under the policy ``'error'`` if any code is invalid. Which value, and how many, is not said.

    Raises
    ------
    DataError
        Names the column and the kind of problem only.
    """
    if attribute.invalid != "error" or not (codes < 0).any():
        return
    raise DataError(
        name,
        _PROBLEMS[int(codes[codes < 0].max())],
        "Correct the rows, or declare another policy than invalid='error'.",
    )


def cells_of(attribute: Attribute, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the cell along the attribute's axis for each code, -1 where the row is dropped."""
    bad = codes < 0
    if not bad.any():
        return codes
    if attribute.invalid == "category":
        return np.where(bad, len(attribute.key_labels) - 1, codes)
    if attribute.invalid == "clamp":
        last = len(attribute.key_labels) - 1
        return np.where(codes == ABOVE, last, np.where(codes == BELOW, 0, np.maximum(codes, -1)))
    return np.maximum(codes, -1)


def has_number(attribute: Attribute, codes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return where the value counts as a number: valid, or clamped to a bound."""
    valid: NDArray[np.bool_] = codes >= 0
    if attribute.invalid == "clamp":
        valid |= (codes == BELOW) | (codes == ABOVE)
    return valid
