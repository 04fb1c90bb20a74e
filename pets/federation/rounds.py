"""What both ends of a study in rounds have in common.

Each round is one session between the collector and all other parties, on the collector's one port. Its contract names
the round, the question, and the totals of all rounds before. Every party runs the same program over these totals
(such as :class:`pets.synthetic.across.JointFit`), works out the question by itself, and refuses another one.

Two parties come to the same question because the program is deterministic: whole numbers in, floating-point arithmetic
of the same version of `pets` (part of the contract), no coins but public ones. Machines may differ in the last digit of
a float; a choice between two tables hangs on that only if the tables are as good as each other to some twelve digits,
and then the site refuses, which costs accuracy and no privacy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import numpy as np

from pets.errors import ContractDiffers
from pets.federation.study import Answer, Question

Say = Callable[[str], None]
Runner = Callable[[Coroutine[Any, Any, Any]], Any]
"""Runs what talks to the others, to its end."""

_ROUTINE = ("listening on ", "waiting for ", "stage ", "connected", "done; waiting", "the connection was lost; trying")
_VISITS = (" is here (", " reads the contract", " is not connected any more")


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end, in an event loop of its own."""
    return asyncio.run(work)


def quiet(say: Say) -> Say:
    """Return what passes on only the lines that are not of every round."""

    def told(line: str) -> None:
        if not line.startswith(_ROUTINE) and not any(part in line for part in _VISITS):
            say(line)

    return told


def checked_answer(question: Question, values: Sequence[int]) -> Answer:
    """Return a published total as an array.

    Raises
    ------
    ContractDiffers
        It cannot be the total of this question.
    """
    spec = question.spec
    if len(values) != spec.size or any(not spec.lowest_total <= value <= spec.highest_total for value in values):
        raise ContractDiffers(["the answers to earlier rounds"])
    return np.array(values, dtype=np.int64)


def answers_in(plan: Mapping[str, Any]) -> list[list[int]]:
    """Return the published totals that a contract holds; none if it is not of a study.

    Raises
    ------
    ContractDiffers
        They are no lists of whole numbers.
    """
    found = plan.get("answers", [])
    if not isinstance(found, list | tuple) or not all(isinstance(answer, list | tuple) for answer in found):
        raise ContractDiffers(["the answers to earlier rounds"])
    if any(isinstance(value, bool) or not isinstance(value, int) for answer in found for value in answer):
        raise ContractDiffers(["the answers to earlier rounds"])
    return [list(answer) for answer in found]
