"""Counts and sets of marginals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pets.domain import Domain
from pets.errors import InvalidArgument
from pets.query.base import Query, names_argument
from pets.query.estimate import Columns, Part, key_columns, key_name
from pets.query.layout import Block, table_block


@dataclass(frozen=True, init=False)
class Count(Query):
    """How many rows fall into each combination of declared categories.

    Parameters
    ----------
    by
        Attributes of the table; none gives the total. Every declared combination is answered, empty
        ones too, so the set of published cells tells nothing about the rows.

    Examples
    --------
    >>> import pets
    >>> domain = pets.Domain(sex=["female", "male"], age_group=["0-4", "5-9", "10-14"])
    >>> pets.Count(by=["sex", "age_group"]).bind(domain).size  # six cells, one for dropped rows
    7
    """

    kind: ClassVar[str] = "count"
    by: tuple[str, ...]

    def __init__(self, by: Sequence[str] | str = ()) -> None:
        object.__setattr__(self, "by", names_argument(by, "by"))

    def needs(self) -> tuple[str, ...]:
        """Return the attributes of the table."""
        return self.by

    def blocks(self, domain: Domain) -> tuple[Block, ...]:
        """Return the one table."""
        return (table_block(domain, self.by),)

    def estimate(self, measured: Sequence[Part], level: float) -> Columns:
        """Return one line per cell."""
        (table,) = measured
        return key_columns(table.block.axes) | table.columns(level)


@dataclass(frozen=True, init=False)
class Marginals(Query):
    """Several tables of counts asked together, on one budget.

    Parameters
    ----------
    tables
        Lists of attribute names, one per table; an empty list asks for the total. A person enters
        each table, so m tables cost m times the privacy loss of one.
    """

    kind: ClassVar[str] = "marginals"
    tables: tuple[tuple[str, ...], ...]

    def __init__(self, tables: Sequence[Sequence[str] | str]) -> None:
        if isinstance(tables, str) or not isinstance(tables, Sequence) or not tables:
            raise InvalidArgument("tables", "must be a list of lists of attribute names")
        named = tuple(names_argument(by, f"tables.{i}") for i, by in enumerate(tables))
        seen = {frozenset(by) for by in named}
        if len(seen) < len(named):
            raise InvalidArgument("tables", "asks for the same table twice", "Each table is paid for; ask once.")
        object.__setattr__(self, "tables", named)

    def needs(self) -> tuple[str, ...]:
        """Return the attributes of all tables, in order of first use."""
        return tuple(dict.fromkeys(name for by in self.tables for name in by))

    def blocks(self, domain: Domain) -> tuple[Block, ...]:
        """Return one block per table."""
        return tuple(table_block(domain, by) for by in self.tables)

    def estimate(self, measured: Sequence[Part], level: float) -> Columns:
        """Return the tables one below the other; an attribute that a table does not use is ``None`` there."""
        parts = []
        for table in measured:
            keys = key_columns(table.block.axes)
            absent = np.full(table.block.cells, None, dtype=object)
            label = {"table": np.full(table.block.cells, table.block.name, dtype=object)}
            parts.append(
                label
                | {key_name(name): keys.get(key_name(name), absent) for name in self.needs()}
                | table.columns(level)
            )
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
