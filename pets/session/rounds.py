"""Questions one after the other: what names each of them, so that no session can serve another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.config import digest


def signature(facts: Mapping[str, Any], question: Mapping[str, Any], number: int, earlier: str) -> str:
    """Return what names a question: the study, the question, its number, and all that was answered before it.

    Parameters
    ----------
    facts
        Public facts that name the study.
    question
        As plain data.
    number
        Of the round, from 1.
    earlier
        What :func:`following` made of the answers before; empty at first.
    """
    return digest({**facts, "question": {**question, "number": number}, "earlier": earlier})


def following(earlier: str, answer: NDArray[np.int64]) -> str:
    """Return the digest of one more published answer and all before it."""
    return digest({"earlier": earlier, "answer": answer.ravel().tolist()})
