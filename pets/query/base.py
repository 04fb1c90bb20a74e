"""What every query has in common: a public layout, exact sensitivities, a tally and an answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.config import digest
from pets.domain import Domain
from pets.errors import IncompatibleTallies, InvalidArgument, RangeOverflow, did_you_mean
from pets.exact import as_text
from pets.query.estimate import Columns, Measured, Part
from pets.query.layout import MAX_CELLS, Block, split
from pets.query.sensitivity import Sensitivity, combine, of_block
from pets.tally import Tally

MAX_ROWS = 2**30
"""Most rows of one site. Public and fixed, so that refusing tells nothing that an analyst could steer."""


class Query(ABC):
    """A question that one pass over the rows of a site can answer.

    Subclasses are frozen dataclasses. They say which blocks of cells the tally has
    (:meth:`blocks`) and how the measured blocks become estimates (:meth:`estimate`). They never see
    a row: the rows are reduced to the tally by the data frame's own engine.
    """

    kind: ClassVar[str]

    @abstractmethod
    def blocks(self, domain: Domain) -> tuple[Block, ...]:
        """Return the public shape of the tally.

        Raises
        ------
        InvalidArgument
            The query names an attribute that `domain` lacks, or asks of it what its type cannot give.
        """

    @abstractmethod
    def estimate(self, measured: Sequence[Part], level: float) -> Columns:
        """Return columns of equal length: the keys, then value, stderr, ci_low, ci_high, status.

        Post-processing only: `measured` is what may be published.
        """

    @abstractmethod
    def needs(self) -> tuple[str, ...]:
        """Return the attributes the query reads, each once."""

    def refine(self, domain: Domain) -> Domain:
        """Return the domain in which the tables are laid out, e.g. with the query's own bins."""
        return domain

    def bind(self, domain: Domain) -> BoundQuery:
        """Return the query together with the public knowledge it is asked under."""
        return BoundQuery(self, domain)

    def tally(self, frame: object, domain: Domain) -> Tally:
        """Return the tally of `frame`; see :meth:`BoundQuery.tally`."""
        return self.bind(domain).tally(frame)

    def answer(self, tally: Tally, domain: Domain) -> Columns:
        """Return the exact answer of `tally`; see :meth:`BoundQuery.answer`."""
        return self.bind(domain).answer(tally)

    def sensitivity(self, domain: Domain) -> Sensitivity:
        """Return the sensitivity of the whole tally under the domain's privacy unit."""
        return self.bind(domain).sensitivity

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for files and hashing; fields that are ``None`` or empty are left out."""
        found = {field.name: _plain(getattr(self, field.name)) for field in fields(self)}  # type: ignore[arg-type]
        return {"type": self.kind} | {name: value for name, value in found.items() if value not in (None, [])}


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return as_text(value) if isinstance(value, Fraction) else value


def names_argument(value: object, argument: str) -> tuple[str, ...]:
    """Return a list of distinct attribute names; a single name counts as a list of one.

    Raises
    ------
    InvalidArgument
        `value` is no name, holds something else, or repeats a name.
    """
    listed = (value,) if isinstance(value, str) else value
    if not isinstance(listed, Sequence) or not all(isinstance(name, str) and name for name in listed):
        raise InvalidArgument(argument, "must be a list of attribute names")
    repeated = [name for name in listed if list(listed).count(name) > 1]
    if repeated:
        raise InvalidArgument(argument, f"names {repeated[0]!r} twice", "Name each attribute once.")
    return tuple(listed)


@dataclass(frozen=True)
class BoundQuery:
    """A query, the domain it is asked under, and everything that follows before a row is read.

    Parameters
    ----------
    query
        The question.
    domain
        Public knowledge, including the privacy unit.

    Raises
    ------
    InvalidArgument
        The query does not fit the domain.
    """

    query: Query
    domain: Domain

    def __post_init__(self) -> None:
        if not isinstance(self.query, Query):
            raise InvalidArgument("query", f"must be a query, not {type(self.query).__name__}", "Write pets.Count().")
        if not isinstance(self.domain, Domain):
            found = type(self.domain).__name__
            raise InvalidArgument("domain", f"must be a Domain, not {found}", "Write pets.Domain(sex=['f', 'm']).")
        for name in self.query.needs():
            if name not in self.domain:
                raise InvalidArgument(name, "is not an attribute of the domain", did_you_mean(name, self.domain.names))
        if self.size > MAX_CELLS:
            raise InvalidArgument(
                "query", f"would need {self.size:,} cells", f"The limit is {MAX_CELLS:,} cells in all."
            )
        if self.largest > 1 << 61:
            raise RangeOverflow(
                f"sums over {MAX_ROWS:,} rows at the declared bounds could leave 64 bits. "
                "Declare tighter bounds or a coarser resolution."
            )

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Tables of the tally, in order."""
        return self.query.blocks(self.table_domain)

    @cached_property
    def table_domain(self) -> Domain:
        """The domain with the query's own bins, if it has any: what the tally is laid out by."""
        return self.query.refine(self.domain)

    @cached_property
    def size(self) -> int:
        """Number of integers in the tally."""
        return sum(block.size for block in self.blocks)

    @cached_property
    def largest(self) -> int:
        """Largest absolute value that a cell of one site's tally can have."""
        return MAX_ROWS * max((max(abs(block.lower), abs(block.upper)) for block in self.blocks), default=1)

    @property
    def signed(self) -> bool:
        """Whether a cell of the tally can be negative."""
        return any(block.lower < 0 for block in self.blocks)

    @cached_property
    def sensitivities(self) -> tuple[Sensitivity, ...]:
        """Exact sensitivity of each block under the privacy unit."""
        return tuple(of_block(block, self.domain.unit) for block in self.blocks)

    @cached_property
    def sensitivity(self) -> Sensitivity:
        """Sensitivity of the whole vector."""
        return combine(self.sensitivities)

    @cached_property
    def signature(self) -> str:
        """Digest of query, domain and privacy unit: what two tallies must share to be added."""
        return digest({"query": self.query.to_dict(), "domain": self.domain.signature})

    def tally(self, frame: object) -> Tally:
        """Reduce the rows of one site to the confidential vector.

        Parameters
        ----------
        frame
            Any data frame that narwhals supports: pandas, Polars (eager or lazy), PyArrow table, DuckDB
            relation, Dask, PySpark. The work is done by the frame's own engine.

        Returns
        -------
        Tally
            Shape ``(self.size,)``.

        Raises
        ------
        DataError
            A needed column is missing or has an unusable type, or a value is not declared and the
            attribute's policy is ``invalid='error'``.
        InvalidArgument
            `frame` is no supported data frame.
        """
        from pets.query.engine import tally_frame

        return Tally(tally_frame(frame, self), self.signature)

    def answer(self, tally: Tally) -> Columns:
        """Return the exact, unprotected answer of a tally: for the data holder's own eyes."""
        from pets.noise import NoNoise

        parts = zip(self.blocks, split(self.check(tally), self.blocks), strict=True)
        return self.query.estimate([Measured(block, values, NoNoise()) for block, values in parts], 0.95)

    def check(self, tally: Tally) -> NDArray[np.int64]:
        """Return the tally's values after checking that they can be an exact tally of this query.

        Raises
        ------
        IncompatibleTallies
            The signature or the length differs.
        InvalidArgument
            It is no tally, a count is negative, or a structural zero is not zero.
        """
        if not isinstance(tally, Tally):
            raise InvalidArgument(
                "tally", f"must be a Tally, not {type(tally).__name__}", "Make one by query.tally(frame)."
            )
        if tally.signature != self.signature or len(tally) != self.size:
            raise IncompatibleTallies(
                f"the tally answers question {tally.signature[:8]}, this query is {self.signature[:8]}. "
                "Give every site the same query, domain and privacy unit."
            )
        for block, values in zip(self.blocks, split(tally.values, self.blocks), strict=True):
            counted = values[block.cells :] if block.lower < 0 else values
            if counted.size and int(counted.min()) < 0:
                raise InvalidArgument("tally", f"has a negative entry in {block.name}, which counts upwards from zero")
            if block.impossible is not None and np.any(values[: block.cells][block.impossible]):
                raise InvalidArgument("tally", f"has rows in a structural zero of {block.name}")
        return tally.values

    @staticmethod
    def check_capacity(rows: int) -> None:
        """Refuse more rows than any tally may count.

        The limit is one public number for all queries. If it depended on the query's bounds, whoever chooses the bounds
        could find the exact number of rows by watching what is refused.

        Raises
        ------
        RangeOverflow
            There are more than :data:`MAX_ROWS` rows.
        """
        if rows > MAX_ROWS:
            raise RangeOverflow(f"a site may have at most {MAX_ROWS:,} rows. Split the site.")

    def __repr__(self) -> str:
        return f"<{self.query!r} over {self.size:,} cells, question {self.signature[:8]}>"

    @classmethod
    def from_dicts(cls, query: Mapping[str, Any], domain: Mapping[str, Any]) -> BoundQuery:
        """Rebuild from :meth:`Query.to_dict` and :meth:`Domain.to_dict`."""
        from pets.query import query_from_dict

        return cls(query_from_dict(query), Domain.from_dict(dict(domain)))
