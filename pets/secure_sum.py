"""What every secure sum has in common, whatever its scheme."""

from __future__ import annotations

from abc import ABC
from typing import Any, ClassVar

from pets.error_model import ErrorModel
from pets.noise import NoNoise
from pets.query import BoundQuery
from pets.session import Spec
from pets.session.membership import fewest_sites


class SecureSum(ABC):
    """Base of the aggregators that hide a site's table: sums are exact, parties need keys, and sites must be enough.

    Attributes
    ----------
    kind
        Name in a plan file.
    min_sites
        Fewest sites that a sum may be over; ``None``: two thirds of the sites, and at least three.
    """

    __slots__ = ()
    kind: ClassVar[str]
    keyed: ClassVar[bool] = True
    min_sites: int | None

    def error(self, query: BoundQuery) -> ErrorModel:
        """Return that what is opened is exact, and which counts are never opened."""
        return ErrorModel(query, tuple(NoNoise() for _ in query.blocks), hides=self.hidden_range)

    @property
    def hidden_range(self) -> tuple[int, int] | None:
        """Counts that are never opened, inclusive; ``None``: all cells of the total are opened."""
        return None

    def fewest_sites(self, spec: Spec) -> int:
        """Return the fewest sites that a total can be over.

        Raises
        ------
        PairingRefused
            Fewer take part, or an exact total over so few would tell a site's table.
        """
        return fewest_sites(spec, self.min_sites)

    def _described(self, **settings: Any) -> dict[str, Any]:
        """Return settings as plain data, leaving out what was left out."""
        given = {"type": self.kind, **settings, "min_sites": self.min_sites}
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
        return {name: value for name, value in plain.items() if value is not None}
