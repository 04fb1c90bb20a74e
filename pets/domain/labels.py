"""Labels: the public names of categories, and the rules they obey."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Literal

import numpy as np

from pets.errors import InvalidArgument

Label = str | int | bool
"""A category as it stands in the rows."""

Kind = Literal["text", "integer", "boolean"]
"""Type of all categories of one attribute."""

InvalidPolicy = Literal["drop", "error", "category", "clamp"]
"""What happens to a row whose value is missing, unknown or out of range."""

UNKNOWN = "(unknown)"
"""Default label of the category that collects such rows under the policy ``'category'``."""

LIMIT = 2**53
"""Whole numbers stay below this in size: beyond it 64-bit floats, in which many frames hold them, are inexact."""

MAX_LABELS = 100_000
"""Most categories of one attribute."""

MAX_TEXT = 256
"""Longest label or name, in characters."""


def as_text(value: object, argument: str) -> str:
    """Return `value` as a name or label: 1 to 256 characters, no control character, no half surrogate pair.

    Any other Unicode is allowed and kept exactly as given, since rows are compared with it exactly.
    """
    if not isinstance(value, str):
        raise InvalidArgument(argument, f"must be text, not {type(value).__name__}")
    if not 1 <= len(value) <= MAX_TEXT:
        raise InvalidArgument(argument, f"must have 1 to {MAX_TEXT} characters")
    if not value.isprintable() and any(unicodedata.category(c) in ("Cc", "Cs") for c in value):
        raise InvalidArgument(argument, "contains a control character or half of a surrogate pair")
    return str(value)


def as_label(value: object, argument: str) -> Label:
    """Return `value` as a label: text, a whole number below 2**53 in size, or a boolean."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        if not -LIMIT < int(value) < LIMIT:
            raise InvalidArgument(argument, "must be below 2**53 in size")
        return int(value)
    if isinstance(value, str):
        return as_text(value, argument)
    raise InvalidArgument(argument, f"must be text, a whole number or a boolean, not {type(value).__name__}")


def as_labels(values: object, argument: str) -> tuple[Label, ...]:
    """Return `values` as an ordered set of labels.

    All have one type, so that 1 and True, or 1 and "1", never meet in one attribute; and they differ
    after Unicode normalisation (NFC), so that no two look the same because an accent is spelt differently.
    """
    labels = tuple(as_label(v, f"{argument}.{i}") for i, v in enumerate(as_sequence(values, argument)))
    if not 1 <= len(labels) <= MAX_LABELS:
        raise InvalidArgument(argument, f"must hold 1 to {MAX_LABELS:,} labels")
    for i, label in enumerate(labels):
        if kind_of(label) != kind_of(labels[0]):
            raise InvalidArgument(
                f"{argument}.{i}",
                "differs in type from the first one",
                "Use only texts, only whole numbers or only booleans.",
            )
    repeat = first_repeat(labels)
    if repeat is not None:
        raise InvalidArgument(f"{argument}.{repeat}", "repeats an earlier label", "List each label once.")
    return labels


def as_sequence(values: object, argument: str) -> Sequence[object]:
    """Return `values` if it is ordered and not too long: a list, tuple, range or one-dimensional array."""
    if isinstance(values, np.ndarray) and values.ndim == 1:
        values = list(values)
    if not isinstance(values, list | tuple | range):
        raise InvalidArgument(
            argument, f"must be a list, not {type(values).__name__}", "Give a list; its order is kept."
        )
    # Sliced first: len() of a very long range fails.
    if len(values[: MAX_LABELS + 2]) > MAX_LABELS + 1:
        raise InvalidArgument(argument, f"is longer than {MAX_LABELS:,}")
    return values


def kind_of(label: Label) -> Kind:
    """Return the type of `label`; a boolean is no integer here."""
    if isinstance(label, bool):
        return "boolean"
    return "integer" if isinstance(label, int) else "text"


def spelling(label: Label) -> str:
    """Return the text by which labels are told apart: that of a number is its digits."""
    return unicodedata.normalize("NFC", str(label))


def first_repeat(labels: Iterable[Label]) -> int | None:
    """Return the position of the first label that repeats an earlier one, or ``None``."""
    seen: set[str] = set()
    for i, label in enumerate(labels):
        if spelling(label) in seen:
            return i
        seen.add(spelling(label))
    return None
