"""Declared rules as forbidden cells: a model with these zeros in it cannot produce a row that breaks one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from pets.domain import Domain
from pets.errors import InvalidArgument
from pets.synthetic.encoding.columns import CodedColumn
from pets.synthetic.encoding.order import Order
from pets.synthetic.engine.factors import Axes, Factor

MOST_CELLS = 2**21
"""Largest table of one rule."""


def structural_zeros(domain: Domain, columns: Sequence[CodedColumn], order: Order) -> tuple[Factor, ...]:
    """Return the rules of the domain, of clocks that follow each other and of dates in order, one factor per set.

    Raises
    ------
    InvalidArgument
        A rule names a time that runs after another, or the attributes of one rule have too many combinations.
    """
    places = {column.name: i for i, column in enumerate(columns)}
    scopes = sorted({tuple(sorted(places[name] for name in rule)) for rule in domain.impossible})
    found = [_of_domain(domain, columns, scope) for scope in scopes]
    found += [_of_clock(columns, places, column) for column in columns if column.after is not None]
    found += [_of_pair(columns, places, order, *pair) for pair in order.open_pairs()]
    found += [_of_bounds(columns[places[name]], places[name], order) for name in order.before]
    return tuple(zero for zero in found if not np.isfinite(zero.logs).all())


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
        since = columns[axis].since
        if since is not None:
            raise InvalidArgument(
                "domain.order", f"codes {columns[axis].name!r} as time from {since.origin!r}, but a rule names it",
                "Leave it out of the rule, or out of the order.",
            )  # fmt: skip
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


def _of_pair(
    columns: Sequence[CodedColumn], places: Mapping[str, int], order: Order, first: str, second: str
) -> Factor:
    """Codes of two columns of which the second cannot be below the first; missing values go with all others."""
    a, b = places[first], places[second]
    low = _range(columns[a], order)[0]
    high = _range(columns[b], order)[1]
    fine = np.ones((columns[a].size, columns[b].size), dtype=np.bool_)
    fine[: low.size, : high.size] = low[:, None] <= high[None, :]
    return Factor((a, b), _logs(fine)) if a < b else Factor((b, a), _logs(fine.T))


def bounding(columns: Sequence[CodedColumn], order: Order) -> tuple[Factor, ...]:
    """Return, for each date that is counted from another, which codes of the two lead beyond its bounds.

    That date may be of another table, if the codes of it are known here. What is left of a pair may still lead beyond
    the bounds in part. Rows stop at them in any case; these factors only tell a model what is public anyway, so codes
    that they treat differently may share a group.
    """
    places = {column.name: i for i, column in enumerate(columns)}
    found = []
    for i, column in enumerate(columns):
        if column.since is None or column.since.origin not in places:
            continue
        at = places[column.since.origin]
        if columns[at].since is not None:  # whose codes are no days of the calendar
            continue
        low, high = _range(columns[at], order)
        gap_low, gap_high = (column.since.sign * end for end in _range(column, order))
        reach = np.sort(np.stack([gap_low, gap_high]), axis=0)
        first, last = order.bounds[column.name]
        fine = np.ones((low.size, column.size), dtype=np.bool_)
        fine[:, : reach.shape[1]] = (low[:, None] + reach[0] <= last) & (high[:, None] + reach[1] >= first)
        found.append(Factor((at, i), _logs(fine)) if at < i else Factor((i, at), _logs(fine.T)))
    return tuple(found)


def _of_bounds(column: CodedColumn, axis: int, order: Order) -> Factor:
    """Codes outside what the bounds of the columns before and after leave."""
    low, high = _range(column, order)
    fine = np.ones(column.size, dtype=np.bool_)
    fine[: low.size] = low <= high
    return Factor((axis,), _logs(fine))


def _range(column: CodedColumn, order: Order) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the lowest and highest value of each code that is no missing value."""
    low, high, _ = column.ranges(np.arange(len(column.attribute.labels)))
    if column.since is not None or column.name not in order.bounds:
        return low, high
    first, last = order.bounds[column.name]
    return np.maximum(low, first), np.minimum(high, last)


def _logs(fine: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.where(fine, 0.0, -np.inf)
