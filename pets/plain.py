"""The aggregator that protects nothing: the baseline of every comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.error_model import ErrorModel
from pets.guarantee import NoFormalGuarantee
from pets.noise import NoNoise
from pets.query import BoundQuery
from pets.session import SERVER, Context, Outcome, Party, Spec, Turn


@dataclass(frozen=True, slots=True)
class Plain:
    """Sites send their exact tallies to one trusted server, which adds them.

    Guarantee
    ---------
    None: the server sees every site's table. Use it on one machine, at one registry, or to measure what a
    secure sum costs.
    """

    kind: ClassVar[str] = "plain"
    keyed: ClassVar[bool] = False
    stages: ClassVar[tuple[str, ...]] = ("input",)

    def guarantee(self, query: BoundQuery) -> NoFormalGuarantee:
        """Return that there is none, and why."""
        del query
        return NoFormalGuarantee("the aggregating server sees the exact table of every site")

    def error(self, query: BoundQuery) -> ErrorModel:
        """Return that sums are exact."""
        return ErrorModel(query, tuple(NoNoise() for _ in query.blocks))

    def who_learns(self, query: BoundQuery) -> dict[str, str]:
        """Return who sees what."""
        del query
        return {
            "each site": "its own rows and table",
            "server": "the exact table of every site, and the exact total",
            "eavesdropper": "whatever the transport shows: the messages are not encrypted",
            "reader of the release": "the release only",
        }

    def parties(self, spec: Spec) -> tuple[str, ...]:
        """Return the sites and the server."""
        return (*spec.sites, SERVER)

    def party(self, context: Context, values: NDArray[np.int64] | None) -> Party:
        """Return the site that sends its table, or the server that adds."""
        return _Server(context) if values is None else _Site(values)

    @property
    def hidden_range(self) -> None:
        """Nothing is hidden."""
        return None

    def fewest_sites(self, spec: Spec) -> int:
        """Return that all sites must stay."""
        return len(spec.sites)

    def largest_message(self, spec: Spec) -> int:
        """Return the size of a table."""
        return 8 * spec.size

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"type": self.kind}


@dataclass(frozen=True)
class _Site:
    values: NDArray[np.int64]

    def start(self) -> Turn:
        return Turn(send={SERVER: self.values.astype("<i8").tobytes()}, sealed=False, done=True)

    def advance(self, bodies: Mapping[str, bytes]) -> Turn:
        raise AssertionError("a site that is done has no further turn")


@dataclass(frozen=True)
class _Server:
    context: Context

    def start(self) -> Turn:
        return Turn(expect=frozenset(self.context.spec.sites))

    def advance(self, bodies: Mapping[str, bytes]) -> Turn:
        spec = self.context.spec
        if len(bodies) < len(spec.sites):
            raise self.context.too_few(f"{len(bodies)} of {len(spec.sites)} sites sent their table")
        total = np.zeros(spec.size, dtype=np.int64)
        for name in spec.sites:
            total += self._table(name, bodies[name])
        return Turn(result=Outcome(total, spec.sites), done=True)

    def _table(self, name: str, body: bytes) -> NDArray[np.int64]:
        spec = self.context.spec
        if len(body) != 8 * spec.size:
            raise self.context.abort("a table has the wrong length", name)
        table = np.frombuffer(body, dtype="<i8")
        low, high = spec.least * spec.weight(name), spec.upper * spec.weight(name)
        if spec.size and (int(table.min()) < low or int(table.max()) > high):
            raise self.context.abort("a table leaves the declared bounds", name)
        return table
