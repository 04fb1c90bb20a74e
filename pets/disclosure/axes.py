"""The dimensions of a table from column names, labels and the many ways to state their groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from pets.disclosure.cube import Cube
from pets.disclosure.dimension import Dimension
from pets.disclosure.frames import Columns, labels_in_order
from pets.domain import Hierarchy, Label
from pets.errors import InvalidArgument, did_you_mean

Groups: TypeAlias = Hierarchy | Dimension | Mapping[str, str]
"""Groups of one column: a hierarchy, a dimension, or a mapping of each code to its group ('' at the top)."""


def cube_of_columns(
    columns: Columns,
    hierarchies: Mapping[str, Groups] | None,
    categories: Mapping[str, Sequence[Label]] | None,
    total: str,
) -> Cube:
    """Return the cube of the columns of a frame; labels that nobody declared are those that occur.

    Raises
    ------
    InvalidArgument
        A hierarchy or list of categories is for no such column, or does not fit the other.
    """
    groups, declared = dict(hierarchies or {}), dict(categories or {})
    for argument, given in (("hierarchies", groups), ("categories", declared)):
        for name in given:
            if name not in columns.by:
                problem = f"names {name!r}, which is no column of `by`"
                raise InvalidArgument(argument, problem, did_you_mean(name, columns.by))
    made = []
    for name in columns.by:
        labels: Sequence[Label] = declared.get(name, ())
        if not labels and name not in groups:
            labels = labels_in_order(columns.labels(name), [total])
        made.append(dimension_of((name, labels), groups, total))
    return Cube(tuple(made))


def dimension_of(
    axis: Dimension | tuple[str, Sequence[Label]], hierarchies: Mapping[str, Groups], total: str
) -> Dimension:
    """Return one dimension, from itself or from a name and labels and what groups there are.

    Raises
    ------
    InvalidArgument
        A label has no place in the groups, or there are neither labels nor groups.
    """
    if isinstance(axis, Dimension):
        return axis
    if not isinstance(axis, tuple) or len(axis) != 2 or not isinstance(axis[0], str):
        raise InvalidArgument("dimensions", "must hold Dimensions, or pairs of a name and its labels")
    name, labels = axis
    groups = hierarchies.get(name)
    if groups is None:
        return Dimension.flat(name, labels if isinstance(labels, str) else [str(label) for label in labels], total)
    if isinstance(groups, Hierarchy):
        return Dimension.from_hierarchy(name, labels or _members(groups), groups, total)
    made = groups if isinstance(groups, Dimension) else Dimension.from_parents(name, groups, total)
    lost = next((str(label) for label in labels if str(label) not in made.leaves), None)
    if lost is not None:
        path = f"hierarchies.{name}"
        raise InvalidArgument(path, f"has no place for {lost!r}: a level is missing", "Give its group.")
    return made


def _members(hierarchy: Hierarchy) -> list[Label]:
    """Return the categories themselves: the members of a level that does not group another level."""
    named = [{group for group, _ in groups} for _, groups in hierarchy.levels]
    for _, groups in hierarchy.levels:
        members = [member for _, held in groups for member in held]
        if set(map(str, members)) not in named:
            return members
    raise InvalidArgument("hierarchies", "has no level over the categories themselves: it is a cycle")
