"""Sums of several attributes over several tables, asked together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from pets.domain import Domain
from pets.errors import InvalidArgument
from pets.query.base import Query, names_argument
from pets.query.estimate import Columns, Part, key_columns, key_name
from pets.query.layout import Block, table_block
from pets.query.sums import fixed_point


@dataclass(frozen=True, init=False)
class SumTables(Query):
    """Several tables of sums, each of an attribute of its own, on one budget.

    Parameters
    ----------
    columns
        For each table the Integer or Numeric attribute that it sums; its public bounds set the sensitivity.
    tables
        For each table the attributes to group by; an empty list asks for one total. A person enters each table.
    """

    kind: ClassVar[str] = "sum_tables"
    columns: tuple[str, ...]
    tables: tuple[tuple[str, ...], ...]

    def __init__(self, columns: Sequence[str], tables: Sequence[Sequence[str] | str]) -> None:
        if isinstance(columns, str) or not isinstance(columns, Sequence) or not columns:
            raise InvalidArgument("columns", "must be a list of attribute names, one for each table")
        if isinstance(tables, str) or not isinstance(tables, Sequence) or len(tables) != len(columns):
            raise InvalidArgument("tables", "must be a list of lists of attribute names, one for each column")
        named = tuple(names_argument(by, f"tables.{i}") for i, by in enumerate(tables))
        summed = tuple(name for column in columns for name in names_argument([column], "columns"))
        if len({(column, frozenset(by)) for column, by in zip(summed, named, strict=True)}) < len(named):
            raise InvalidArgument("tables", "asks for the same table twice", "Each table is paid for; ask once.")
        object.__setattr__(self, "columns", summed)
        object.__setattr__(self, "tables", named)

    def needs(self) -> tuple[str, ...]:
        """Return the attributes of all tables and the columns that they sum, in order of first use."""
        pairs = zip(self.columns, self.tables, strict=True)
        return tuple(dict.fromkeys(name for column, by in pairs for name in (*by, column)))

    def blocks(self, domain: Domain) -> tuple[Block, ...]:
        """Return one block per table, named after the column and the table."""
        return tuple(_block(domain, column, by) for column, by in zip(self.columns, self.tables, strict=True))

    def estimate(self, measured: Sequence[Part], level: float) -> Columns:
        """Return the tables one below the other; an attribute that a table does not use is ``None`` there."""
        names = dict.fromkeys(name for by in self.tables for name in by)
        parts = []
        for table in measured:
            keys, cells = key_columns(table.block.axes), table.block.cells
            absent = np.full(cells, None, dtype=object)
            label = {"table": np.full(cells, table.block.name, dtype=object)}
            parts.append(
                label | {key_name(name): keys.get(key_name(name), absent) for name in names} | table.columns(level)
            )
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _block(domain: Domain, column: str, by: tuple[str, ...]) -> Block:
    lower, upper, resolution = fixed_point(domain, column)
    block = table_block(domain, by, measure="sum", column=column, lower=lower, upper=upper, unit=resolution)
    return replace(block, name=f"{column} by {block.name}" if by else column)
