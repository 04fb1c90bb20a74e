"""The roles of the common interface: what a technique must be able to say and do.

All of them can say, before any row is read, what they promise (:meth:`guarantee`) and how far off the
published numbers will be (:meth:`error`). The tuner, the report and the ledger need nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pets.error_model import ErrorModel
    from pets.guarantee import Guarantee
    from pets.query import BoundQuery
    from pets.release import Release
    from pets.session import Context, Party, Spec
    from pets.tally import Tally


TOTAL = "the total, noise included if noise is inside"
"""What an aggregator says that somebody learns; a pipeline, which knows where the noise is, says it exactly."""


@runtime_checkable
class Aggregator(Protocol):
    """Input privacy: how the tallies of several sites become one total, and who learns what."""

    @property
    def kind(self) -> str:
        """Name in a plan file."""
        ...

    def guarantee(self, query: BoundQuery) -> Guarantee:
        """Return what is promised about a single site's tally."""
        ...

    def error(self, query: BoundQuery) -> ErrorModel:
        """Return the error that the aggregation itself adds."""
        ...

    def who_learns(self, query: BoundQuery) -> dict[str, str]:
        """Return for each party, in plain words, what it sees."""
        ...

    @property
    def keyed(self) -> bool:
        """Whether the parties need keys: true for all that hide anything."""
        ...

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of a site's turns, in order."""
        ...

    def parties(self, spec: Spec) -> tuple[str, ...]:
        """Return the names of all who take part: the sites, the collector ``server``, and any helper.

        Raises
        ------
        PairingRefused
            The protocol cannot keep its promise with these parties.
        """
        ...

    def party(self, context: Context, values: NDArray[np.int64] | None) -> Party:
        """Return what the party of `context` does; `values` is what a site puts in, ``None`` for the others."""
        ...

    @property
    def hidden_range(self) -> tuple[int, int] | None:
        """Counts that are never opened, inclusive, if the protocol itself decides that; else ``None``."""
        ...

    def fewest_sites(self, spec: Spec) -> int:
        """Return the fewest sites that a total can be over: the noise of so many is always inside."""
        ...

    def largest_message(self, spec: Spec) -> int:
        """Return the most bytes that the body of an honest message can have."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain data with a ``type``."""
        ...


@runtime_checkable
class Mechanism(Protocol):
    """Output privacy: how a confidential total becomes a release."""

    @property
    def kind(self) -> str:
        """Name in a plan file."""
        ...

    def guarantee(self, query: BoundQuery) -> Guarantee:
        """Return what is promised about one privacy unit; this is what the ledger is charged."""
        ...

    def error(self, query: BoundQuery) -> ErrorModel:
        """Return the exact law of the error."""
        ...

    def release(self, total: Tally, query: BoundQuery) -> Release:
        """Turn the confidential total into what may be published."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain data with a ``type``."""
        ...


@runtime_checkable
class Distributable(Protocol):
    """Optional: noise drawn in shares at the sites, so that nobody ever holds the exact total."""

    def noise_share(self, query: BoundQuery, sites: int, honest: int) -> Tally:
        """Return one site's share; the shares of `honest` sites add up to the full noise."""
        ...

    def distributed_error(self, query: BoundQuery, sites: int, honest: int) -> ErrorModel:
        """Return the exact law of the error when `sites` sites add such shares."""
        ...

    def noise_bound(self, query: BoundQuery, sites: int, honest: int) -> int:
        """Return B such that no cell of the summed noise leaves +/- B, except with probability 2**-64 in all."""
        ...
