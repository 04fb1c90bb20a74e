"""Covariates of table cells as columns of a design matrix: every category against a reference, or a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pets.domain import Label
from pets.errors import InvalidArgument, did_you_mean
from pets.query.layout import Axis

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Columns of a model.

    Attributes
    ----------
    names
        Name of each coefficient, shape (p,): ``stage=II`` for a category, ``age`` for a number.
    matrix
        One row per cell of the covariates' table, in C order, shape (cells, p).
    references
        For each covariate the category that the others are compared with.
    """

    names: tuple[str, ...]
    matrix: Array
    references: Mapping[str, Label]


def design_of(
    axes: Sequence[Axis],
    on: Sequence[str] | None,
    reference: Mapping[str, Label] | None,
    linear: Sequence[str],
) -> Design:
    """Return the main effects of some attributes of a table.

    Parameters
    ----------
    axes
        Axes of the covariates' table.
    on
        Attributes in the model; the others are summed over. All of them if left out.
    reference
        Category that the others of an attribute are compared with; its first one if left out.
    linear
        Attributes that enter as a number: the middle of their bins.

    Raises
    ------
    InvalidArgument
        An attribute or category is unknown, or a linear one has no bins.
    """
    names = [axis.name for axis in axes]
    chosen, bases = list(names if on is None else on), dict(reference or {})
    for argument, listed in (("on", chosen), ("reference", bases), ("linear", linear)):
        for name in listed:
            if name not in names:
                raise InvalidArgument(
                    argument, f"names {name!r}, which is no covariate here", did_you_mean(name, names)
                )
    if not chosen or len(set(chosen)) < len(chosen):
        raise InvalidArgument("on", "must name at least one covariate, each once")
    shape = tuple(len(axis) for axis in axes)
    places = np.unravel_index(np.arange(int(np.prod(shape))), shape)
    columns: dict[str, Array] = {}
    references: dict[str, Label] = {}
    for name in chosen:
        axis, place = axes[names.index(name)], places[names.index(name)]
        if name in linear:
            columns[name] = _middles(axis)[place]
            continue
        references[name] = base = _base(axis, bases)
        columns |= {
            f"{name}={label}": (place == i).astype(np.float64) for i, label in enumerate(axis.labels) if label != base
        }
    if not columns:
        raise InvalidArgument("on", "leaves nothing to estimate: each attribute has one category")
    return Design(tuple(columns), np.stack(list(columns.values()), axis=1), references)


def _base(axis: Axis, reference: Mapping[str, Label]) -> Label:
    base = reference.get(axis.name, axis.labels[0])
    if base not in axis.labels:
        hint = did_you_mean(str(base), map(str, axis.labels))
        raise InvalidArgument("reference", f"{base!r} is no category of {axis.name!r}", hint)
    return base


def _middles(axis: Axis) -> Array:
    if len(axis.edges) != len(axis) + 1:
        raise InvalidArgument("linear", f"names {axis.name!r}, which has no bins for each of its labels")
    edges = np.array(axis.edges, dtype=np.float64)
    return np.asarray((edges[:-1] + edges[1:]) / 2)
