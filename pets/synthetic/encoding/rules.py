"""Declared rules as forbidden cells: a model with these zeros in it cannot produce a row that breaks one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from pets.domain import Domain
from pets.errors import InvalidArgument
from pets.synthetic.encoding.columns import CodedColumn
from pets.synthetic.engine.factors import Axes, Factor

MOST_CELLS = 2**21
"""Largest table of one rule."""


def structural_zeros(domain: Domain, columns: Sequence[CodedColumn]) -> tuple[Factor, ...]:
    """Return the rules of the domain and of clocks that follow each other, one factor per set of attributes.

    Raises
    ------
    InvalidArgument
        A rule names a time that runs after another, or the attributes of one rule have too many combinations.
    """
    places = {column.name: i for i, column in enumerate(columns)}
    scopes = sorted({tuple(sorted(places[name] for name in rule)) for rule in domain.impossible})
    found = [_of_domain(domain, columns, scope) for scope in scopes]
    found += [_of_clock(columns, places, column) for column in columns if column.after is not None]
    return tuple(found)


def allowed(zeros: Sequence[Factor], codes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which rows break no rule."""
    fine = np.ones(codes.shape[1], dtype=np.bool_)
    for zero in zeros:
        fine &= np.isfinite(zero.logs[tuple(codes[axis] for axis in zero.axes)])
    return fine


def kinds(zeros: Sequence[Factor], axis: int, size: int) -> NDArray[np.int64]:
    """Return for each code of an attribute a number that is equal for codes which all rules treat alike."""
    patterns = [np.zeros((size, 1), dtype=np.bool_)]
    for zero in zeros:
        if axis in zero.axes:
            at = zero.axes.index(axis)
            patterns.append(np.isfinite(np.moveaxis(zero.logs, at, 0)).reshape(size, -1))
    _, found = np.unique(np.concatenate(patterns, axis=1), axis=0, return_inverse=True)
    return np.asarray(found, dtype=np.int64).reshape(-1)


def _of_domain(domain: Domain, columns: Sequence[CodedColumn], scope: Axes) -> Factor:
    for axis in scope:
        if columns[axis].after is not None:
            raise InvalidArgument(
                "survival", f"codes {columns[axis].name!r} as time after another, and a rule of the domain names it",
                "Leave `after` out, or take the attribute out of the rule.",
            )  # fmt: skip
    if prod(columns[axis].size for axis in scope) > MOST_CELLS:
        raise InvalidArgument("domain.impossible", "has a rule over too many combinations", "Split it.")
    names = [columns[axis].name for axis in scope]
    return Factor(scope, np.where(domain.possible(names), 0.0, -np.inf))


def _of_clock(columns: Sequence[CodedColumn], places: Mapping[str, int], column: CodedColumn) -> Factor:
    """A clock stops together with the one before exactly where that one was censored."""
    assert column.after is not None  # noqa: S101
    event = places[column.after[1]]
    here = places[column.name]
    fine = np.ones((columns[event].size, column.size), dtype=np.bool_)
    events = len(columns[event].attribute.labels)
    fine[0, 1 : 1 + len(column.attribute.labels)] = False
    fine[1:events, 0] = False
    scope = (event, here) if event < here else (here, event)
    return Factor(scope, np.where(fine if event < here else fine.T, 0.0, -np.inf))
