"""What all attributes have in common: labels, coarser levels, and a policy for all other values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, get_args

from pets.config.paths import dotted, hint, printable
from pets.domain.hierarchy import Hierarchy, Partition
from pets.domain.labels import (
    UNKNOWN,
    InvalidPolicy,
    Label,
    as_label,
    kind_of,
    spelling,
)
from pets.errors import InvalidArgument

HierarchyLike = Hierarchy | Mapping[str, Mapping[str, Sequence[Label]]]
"""A hierarchy, or the levels to make one of."""


class BaseAttribute(ABC):
    """One column: which values are public knowledge, and what happens to any other value.

    Attributes
    ----------
    invalid
        Policy for nulls (None, NaN, NaT), unknown categories and values out of range: ``'drop'`` (the
        row is dropped and counted), ``'error'``, ``'category'`` (a category of their own, the last key
        label), and for numbers ``'clamp'`` (out of range moves to the bound; nulls are dropped).
    invalid_label
        Label of that last category; it differs from the default only under ``'category'``.
    hierarchy
        Coarser levels over :attr:`labels`, or ``None``.
    """

    __slots__ = ()
    type: ClassVar[str]
    policies: ClassVar[tuple[str, ...]] = ("drop", "error", "category")
    invalid: InvalidPolicy
    invalid_label: Label
    hierarchy: Hierarchy | None

    @property
    @abstractmethod
    def labels(self) -> tuple[Label, ...]:
        """Declared labels in order, without the one for invalid values.

        Raises
        ------
        InvalidArgument
            The attribute cannot be a key: it has no bins, or too many values.
        """

    @property
    @abstractmethod
    def is_key(self) -> bool:
        """Whether tables may be made by this attribute."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return plain data for TOML, JSON and hashing."""

    @property
    def key_labels(self) -> tuple[Label, ...]:
        """Labels of the attribute as an axis of a table; under ``'category'`` the last is `invalid_label`.

        Raises
        ------
        InvalidArgument
            As for :attr:`labels`.
        """
        return (*self.labels, self.invalid_label) if self.invalid == "category" else self.labels

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of the coarser levels."""
        return () if self.hierarchy is None else self.hierarchy.names

    def group(self, level: str) -> Partition:
        """Return the groups of a coarser level, in order of their first member.

        Parameters
        ----------
        level
            One of :attr:`levels`.

        Returns
        -------
        tuple of (str, tuple of int)
            Label of each group and the positions of its members in :attr:`labels`.

        Raises
        ------
        InvalidArgument
            There is no such level.
        """
        if self.hierarchy is None or level not in self.hierarchy.names:
            remedy = hint(level, self.levels) if self.levels else "Declare one with hierarchy=..."
            raise InvalidArgument("level", f"{printable(str(level))!r} is not declared", remedy)
        return self.hierarchy.resolve(self.labels)[level]

    def _declare(self, invalid: object, invalid_label: object, hierarchy: HierarchyLike | None) -> None:
        """Check and set what all attributes have; the last step of each constructor."""
        if not isinstance(invalid, str) or invalid not in get_args(InvalidPolicy):
            raise InvalidArgument("invalid", "is not a known policy", hint(invalid, self.policies))
        if invalid not in self.policies:
            raise InvalidArgument("invalid", f"cannot be {invalid!r} for {self.type} values", hint("", self.policies))
        label = as_label(invalid_label, "invalid_label")
        if kind_of(label) == "boolean":
            raise InvalidArgument("invalid_label", "must be text or a whole number")
        if invalid != "category" and label != UNKNOWN:
            raise InvalidArgument("invalid_label", "means nothing without invalid='category'")
        self._set(invalid=invalid, invalid_label=label)
        if invalid == "category" and self._is_taken(label):
            raise InvalidArgument("invalid_label", "is already the label of a category", "Choose another label.")
        self._set(hierarchy=self._attach(hierarchy))

    def _is_taken(self, label: Label) -> bool:
        return self.is_key and spelling(label) in {spelling(known) for known in self.labels}

    def _attach(self, hierarchy: HierarchyLike | None) -> Hierarchy | None:
        if hierarchy is None:
            return None
        attached = hierarchy if isinstance(hierarchy, Hierarchy) else Hierarchy(hierarchy)
        for name, groups in attached.resolve(self.labels).items():
            if self.invalid == "category" and spelling(self.invalid_label) in {spelling(label) for label, _ in groups}:
                raise InvalidArgument(dotted("hierarchy", name), "has a group with the label of invalid values")
        return attached

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _common(self) -> dict[str, Any]:
        """Return the part of :meth:`to_dict` that all attributes share."""
        found: dict[str, Any] = {"invalid": self.invalid}
        if self.invalid == "category":
            found["invalid_label"] = self.invalid_label
        if self.hierarchy is not None:
            found["hierarchy"] = self.hierarchy.to_dict()
        return found
