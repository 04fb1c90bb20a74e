"""Values of any engine as texts, nulls of every kind as the empty one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_NOTHING: Final = frozenset({"", "None", "nan", "NaN", "NaT", "<NA>"})


def as_text(value: object) -> str:
    """Return a value without blanks around; a whole number that was read as a float loses its point."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = value.strip() if isinstance(value, str) else str(value)
    return "" if text in _NOTHING else text


def as_texts(values: Iterable[object]) -> list[str]:
    """Return :func:`as_text` of each."""
    return [as_text(value) for value in values]
