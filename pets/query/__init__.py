"""What can be asked of the registries together.

A query turns the rows of one site into a :class:`~pets.tally.Tally`, knows how far one patient can move
it, and turns what was measured into estimates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from pets.query.base import BoundQuery, Query
from pets.query.binned import Histogram, Quantiles
from pets.query.count import Count, Marginals
from pets.query.estimate import Columns, Measured, Part
from pets.query.estimated import Estimated
from pets.query.events import EventTable
from pets.query.layout import Axis, Block
from pets.query.sensitivity import Sensitivity
from pets.query.sum_tables import SumTables
from pets.query.sums import Mean, Sum, Variance

__all__ = [
    "QUERIES", "Axis", "Block", "BoundQuery", "Columns", "Count", "Estimated", "EventTable", "Histogram", "Marginals",
    "Mean", "Measured", "Part", "Quantiles", "Query", "Sensitivity", "Sum", "SumTables", "Variance",
    "query_from_dict",
]  # fmt: skip

QUERIES: Final[Mapping[str, type[Query]]] = {
    query.kind: query for query in (Count, Marginals, Sum, SumTables, Mean, Variance, Histogram, Quantiles, EventTable)
}
"""Queries by the name they have in a plan file."""


def query_from_dict(data: Mapping[str, Any]) -> Query:
    """Rebuild a query from :meth:`Query.to_dict`.

    Raises
    ------
    ConfigError
        Unknown type or key, or a value that the query refuses; the error names the key.
    """
    from pets.config import build

    return cast("Query", build(QUERIES, data, "query"))
