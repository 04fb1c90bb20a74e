"""The rules for numbers, spelt twice: for an engine's expressions and for numpy.

Both spellings use the same operations on 64-bit floats in the same order, so they agree to the last bit. Every
bound is below 2**53 in size, hence exact as a float.
"""

from __future__ import annotations

from typing import Final

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

from pets.domain import Integer, Numeric
from pets.query.engine.policy import ABOVE, BELOW, MISSING, UNDECLARED

MAX_ENGINE_BINS: Final = 128
"""Most bins that an engine is asked to tell apart, since that costs one comparison each."""


def packed_expression(value: nw.Expr, attribute: Integer | Numeric, *, binned: bool) -> nw.Expr:
    """Return bin and validity of each number, packed into one integer for :func:`unpacked`.

    Parameters
    ----------
    value
        64-bit floats in which NaN is null.
    attribute
        Bounds and bins.
    binned
        False puts all numbers into one bin.
    """
    # Sums of comparisons rather than branches: the form that all engines evaluate in the same way, and fast.
    filled = value.fill_null(float(attribute.lower))
    flags = [
        (value.is_null(), MISSING),
        (filled < float(attribute.lower), BELOW),
        (filled > float(attribute.upper), ABOVE),
    ]
    if isinstance(attribute, Integer):
        inside = (filled >= float(attribute.lower)) & (filled <= float(attribute.upper))
        flags.append((inside & (filled != filled.floor()), UNDECLARED))
    inner = _inner_edges(attribute) if binned else []
    terms = [(filled >= edge).cast(nw.Int32) for edge in inner]
    terms += [flag.cast(nw.Int32) * (-code * (len(inner) + 1)) for flag, code in flags]
    return nw.sum_horizontal(*terms)


def unpacked(packed: NDArray[np.int64], attribute: Integer | Numeric, *, binned: bool) -> NDArray[np.int64]:
    """Return the codes that :func:`packed_expression` packed: the bin of a valid number, else what is wrong."""
    bins = len(_inner_edges(attribute)) + 1 if binned else 1
    invalid = packed // bins
    return np.where(invalid > 0, -invalid, packed)


def units_expression(value: nw.Expr, attribute: Integer | Numeric) -> nw.Expr:
    """Return each number in whole units of the resolution, clipped to the bounds; nulls give a bound."""
    lower, upper = float(attribute.lower), float(attribute.upper)
    whole = value.fill_null(lower).clip(lower, upper)
    if isinstance(attribute, Numeric):
        whole = whole * float(attribute.resolution.denominator)
        if attribute.resolution.numerator != 1:
            whole = whole / float(attribute.resolution.numerator)
        floor = whole.floor()
        # floor(x + 1/2) without the sum, which is inexact for some floats.
        whole = floor + (whole - floor >= 0.5).cast(nw.Float64)
        whole = whole.clip(float(attribute.lower_units), float(attribute.upper_units))
    return whole.floor().cast(nw.Int64)


def codes_of(values: NDArray[np.float64], attribute: Integer | Numeric, *, binned: bool) -> NDArray[np.int64]:
    """Return the bin of each number, or what is wrong with it; an Integer without bins has one for each number."""
    codes = np.zeros(len(values), dtype=np.int64)
    inside = (values >= float(attribute.lower)) & (values <= float(attribute.upper))
    if binned:
        codes[inside] = _cells(values[inside], attribute)
    if isinstance(attribute, Integer):
        with np.errstate(invalid="ignore"):
            codes[inside & (values != np.floor(values))] = UNDECLARED
    codes[values > float(attribute.upper)] = ABOVE
    codes[values < float(attribute.lower)] = BELOW
    codes[np.isnan(values)] = MISSING
    return codes


def units_of(values: NDArray[np.float64], attribute: Integer | Numeric) -> NDArray[np.int64]:
    """Return what :func:`units_expression` returns, for an array."""
    lower, upper = float(attribute.lower), float(attribute.upper)
    whole: NDArray[np.float64] = np.clip(np.where(np.isnan(values), lower, values), lower, upper)
    if isinstance(attribute, Numeric):
        whole = whole * float(attribute.resolution.denominator)
        if attribute.resolution.numerator != 1:
            whole = whole / float(attribute.resolution.numerator)
        floor = np.floor(whole)
        whole = np.clip(floor + (whole - floor >= 0.5), float(attribute.lower_units), float(attribute.upper_units))
    return np.floor(whole).astype(np.int64)


def _cells(values: NDArray[np.float64], attribute: Integer | Numeric) -> NDArray[np.int64]:
    if attribute.bins is None:
        return np.floor(values - float(attribute.lower)).astype(np.int64)
    return np.searchsorted(_inner_edges(attribute), values, side="right").astype(np.int64)


def _inner_edges(attribute: Integer | Numeric) -> list[float]:
    """Return the edges between bins; the last bin is closed, so the outer ones are the bounds."""
    return [float(edge) for edge in (attribute.bins or ())[1:-1]]
