"""Which rows of a patient with too many are kept: a lot that every engine and every repetition draws alike.

The lot of a privacy unit is the output of an extendable hash of the question's public signature and the unit's
own identifier. So it is fixed before the rows are: it favours no cell, knows nothing of other units, and a question
that is asked again, or resumed by another process on another engine, keeps the same rows. It is not secret, and need
not be: the bound on what one unit adds holds whichever rows are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

_LABEL: Final = "pets: rows kept of one unit"
_WORD: Final = np.dtype("<u8")


def lots(names: Iterable[object], signature: str, number: int) -> NDArray[np.uint64]:
    """Return `number` words of 64 bits for each unit, a function of its own identifier and the public signature.

    Parameters
    ----------
    names
        Identifier of each unit; ``None`` for the rows that have none. Equal numbers of different types are one unit.
    signature
        Of the question, public.
    number
        Words for each unit.

    Returns
    -------
    NDArray[np.uint64]
        Shape ``(units, number)``.
    """
    start = hashlib.shake_128(f"{_LABEL}\0{signature}\0".encode())
    found = bytearray()
    for name in names:
        state = start.copy()
        state.update(_text(name).encode("utf-8", "surrogatepass"))
        found += state.digest(number * _WORD.itemsize)
    return np.frombuffer(bytes(found), dtype=_WORD).astype(np.uint64).reshape(-1, number)


def drawn(words: NDArray[np.uint64], first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return which rows each unit keeps, as many as it has words: of its `first` ones, then of its `second` ones.

    Each set of that many rows is equally likely (Floyd's algorithm, one word for each row that is kept).

    Parameters
    ----------
    words
        Shape ``(units, most)``, from :func:`lots`.
    first, second
        Of each unit, how many rows are drawn from first, and how many only if those are not enough; together more
        than `most`. Shape ``(units,)``.

    Returns
    -------
    NDArray[np.int64]
        Shape ``(units, most)``, distinct numbers in each line: 0 is the unit's first row of the first kind, and
        those of the second kind follow them.

    References
    ----------
    Bentley and Floyd, "Programming pearls: a sample of brilliance", *Communications of the ACM* 30 (9), 1987.
    """
    most = words.shape[1]
    chosen = np.empty(words.shape, dtype=np.int64)
    from_first = np.minimum(first, most)
    for step in range(most):
        of_second = step >= from_first
        # The last number that may be drawn in this step, which is drawn if the word hits one that is taken.
        last = np.where(of_second, first + second - most + step, first - from_first + step)
        start = np.where(of_second, first, 0)
        hit = start + (words[:, step] % (last - start + 1).astype(np.uint64)).astype(np.int64)
        taken = (chosen[:, :step] == hit[:, None]).any(axis=1)
        chosen[:, step] = np.where(taken, last, hit)
    return chosen


def _text(name: object) -> str:
    """Return an identifier as a text that no engine's own types change: 7, 7.0 and Decimal(7) are one."""
    if name is None:
        return "none"
    if isinstance(name, bool | int | np.integer | np.bool_):
        return f"number {int(name)}"
    if isinstance(name, float | Decimal | np.floating):
        number = float(name)
        return f"number {int(name) if number.is_integer() else repr(number)}"
    if isinstance(name, date):  # a moment is a date too, and engines without dates have midnight
        return f"date {name.isoformat().removesuffix('T00:00:00')}"
    if isinstance(name, bytes | bytearray):
        return f"bytes {name.hex()}"
    return f"text {name}"
