"""Columns with a public list of categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pets.domain.base import BaseAttribute, HierarchyLike
from pets.domain.hierarchy import Hierarchy
from pets.domain.labels import UNKNOWN, InvalidPolicy, Kind, Label, as_labels, kind_of


@dataclass(frozen=True, slots=True, init=False)
class Categorical(BaseAttribute):
    """A column with a public list of categories.

    Parameters
    ----------
    categories
        In order, at least one. All texts, all whole numbers or all booleans, so that 1 and True, or 1
        and "1", are never both there; distinct after Unicode normalisation. Rows match them exactly.
    hierarchy
        Coarser levels, see :class:`Hierarchy`.
    invalid, invalid_label
        What happens to nulls and unknown categories, see :class:`~pets.domain.base.BaseAttribute`.

    Raises
    ------
    InvalidArgument
        The categories, the policy or the hierarchy contradict the rules above.

    Examples
    --------
    >>> Categorical(["I", "II", "III"], invalid="category").key_labels
    ('I', 'II', 'III', '(unknown)')
    """

    type: ClassVar[str] = "categorical"

    categories: tuple[Label, ...]
    kind: Kind = field(init=False, repr=False)
    hierarchy: Hierarchy | None
    invalid: InvalidPolicy
    invalid_label: Label

    def __init__(
        self,
        categories: Sequence[Label],
        *,
        hierarchy: HierarchyLike | None = None,
        invalid: InvalidPolicy = "drop",
        invalid_label: Label = UNKNOWN,
    ) -> None:
        labels = as_labels(categories, "categories")
        self._set(categories=labels, kind=kind_of(labels[0]))
        self._declare(invalid, invalid_label, hierarchy)

    @property
    def labels(self) -> tuple[Label, ...]:
        """The categories in order."""
        return self.categories

    @property
    def is_key(self) -> bool:
        """Always true."""
        return True

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for TOML, JSON and hashing."""
        return {"type": self.type, "categories": list(self.categories)} | self._common()
