r"""Texts with a NUL character, which pandas does not tell from others.

pandas compares texts as C does, up to the first NUL: ``'f'`` and ``'f\0x'`` are one group, called by whichever comes
first. So one row could move all others to another cell, and the rows of several patients could pass for those of one,
of whom alone the rest of the engine then knows. Such a text is put in a tuple, which pandas compares as Python does:
each value by itself, so that no other row matters, and never equal to a text or a declared category.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_NUL = "\0"


def told_apart(native: Any, names: Sequence[str]) -> Any:
    """Return a pandas frame in which no two different values of the named columns pass for one.

    Parameters
    ----------
    native
        The frame; it is not changed.
    names
        Of the columns that are grouped by.
    """
    changed = {}
    for name in dict.fromkeys(names):
        column = native[name]
        if column.dtype != object and getattr(column.dtype, "storage", "") != "python":
            continue
        values = column.to_list()
        if any(isinstance(value, str) and _NUL in value for value in values):
            kept = [(value,) if isinstance(value, str) and _NUL in value else value for value in values]
            changed[name] = type(column)(kept, index=column.index, dtype=object)
    return native.assign(**changed) if changed else native
