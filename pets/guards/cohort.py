"""Whom a question is about: the rows of a site whose public attributes have the wanted values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from pets.domain import Categorical, Domain, Label
from pets.errors import DataError, InvalidArgument, PetsError, QueryRefused, did_you_mean


@dataclass(frozen=True, slots=True)
class Cohort:
    """A selection of rows by declared categories: in each named attribute one of the named values.

    Choosing rows by their own values is a stable transformation: data sets that differ in one unit give selections
    that differ in at most that unit. So a mechanism keeps its guarantee on a cohort.

    Parameters
    ----------
    where
        Pairs of an attribute and its wanted categories, sorted; none means all rows, those with missing values too.
    """

    where: tuple[tuple[str, tuple[Label, ...]], ...] = ()

    @classmethod
    def of(cls, where: object, domain: Domain) -> Self:
        """Return the cohort that plain data describe, in one form however it was written.

        Parameters
        ----------
        where
            For each attribute a list of its categories, e.g. ``{"sex": ["female"]}``.
        domain
            What is declared.

        Raises
        ------
        QueryRefused
            An attribute is unknown or not categorical, or a value is none of its categories.
        """
        if not isinstance(where, Mapping):
            raise QueryRefused("filters", "the filter must be a table of attributes and lists of their categories")
        chosen = []
        for name, values in where.items():
            if name not in domain:
                known = did_you_mean(str(name), domain.names)
                raise QueryRefused("filters", f"{str(name)[:80]!r} is not declared", known)
            chosen.append((str(name), _labels(name, values, domain)))
        return cls(tuple(sorted(chosen)))

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes by which rows are chosen."""
        return tuple(name for name, _ in self.where)

    def to_dict(self) -> dict[str, list[Label]]:
        """Return plain data."""
        return {name: list(values) for name, values in self.where}

    def select(self, frame: object) -> Any:
        """Return the rows of `frame` in the cohort, as a frame of the same engine; nothing is read yet if it is lazy.

        Raises
        ------
        DataError
            A column is missing, or cannot be compared with its categories.
        InvalidArgument
            `frame` is no supported data frame.
        """
        import narwhals.stable.v2 as nw

        try:
            opened: Any = nw.from_native(frame)
        except TypeError:
            raise InvalidArgument("frame", "is no supported data frame", "Give for example a pandas frame.") from None
        for name, values in self.where:
            if name not in opened.collect_schema().names():
                raise DataError(name, "is missing", "Check the file, or leave the attribute out of the filters.")
            try:
                opened = opened.filter(nw.col(name).is_in(list(values)))
            except (PetsError, MemoryError):
                raise
            except Exception:  # noqa: BLE001 engines have no common base class of errors, and theirs could quote rows
                raise DataError(name, "cannot be compared with its categories", "Check the column's type.") from None
        return opened.to_native()

    def __str__(self) -> str:
        if not self.where:
            return "all patients"
        return " and ".join(f"{name} in ({', '.join(map(str, values))})" for name, values in self.where)


def _labels(name: str, values: object, domain: Domain) -> tuple[Label, ...]:
    attribute = domain[name]
    if not isinstance(attribute, Categorical):
        raise QueryRefused("filters", f"{name!r} is not categorical", "Choose rows by declared categories only.")
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        raise QueryRefused("filters", f"{name!r} needs a list of one or more categories")
    known = {(type(label), label): place for place, label in enumerate(attribute.categories)}
    for value in values:
        if not isinstance(value, str | int) or (type(value), value) not in known:
            raise QueryRefused("filters", f"a value asked of {name!r} is none of its categories")
    places = sorted({known[type(value), value] for value in values})
    return tuple(attribute.categories[place] for place in places)
