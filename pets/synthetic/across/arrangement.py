"""Who adds up, where the noise comes from, and whom a site need not trust: facts fixed before any row is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pets.errors import InvalidArgument, PairingRefused
from pets.guarantee import InputPrivacy
from pets.query import Count
from pets.roles import Aggregator
from pets.session import Spec
from pets.synthetic.encoding import Encoding

NoiseAt = Literal["curator", "sites"]


@dataclass(frozen=True)
class Arrangement:
    """How sites add up their tables.

    Attributes
    ----------
    aggregator
        The protocol.
    sites
        Names.
    noise_at
        ``'sites'``: each adds a share of the noise inside the sum. ``'curator'``: who collects sees exact totals.
    honest
        With noise at the sites: the shares of any so many keep the whole promise.
    site_bound
        No number that a site sends is larger; ``None``: as large as 63 bits carry.
    """

    aggregator: Aggregator
    sites: tuple[str, ...]
    noise_at: NoiseAt
    honest: int
    site_bound: int | None = None

    @classmethod
    def of(
        cls,
        encoding: Encoding,
        aggregator: Aggregator,
        sites: Sequence[str],
        noise_at: NoiseAt,
        colluding_sites: int | None,
        site_bound: int | None,
    ) -> Arrangement:
        """Return the arrangement after checking that its parts belong together.

        Raises
        ------
        InvalidArgument
            An argument has the wrong form.
        PairingRefused
            Noise at the sites without a sum that hides their tables, too few sites, or a sum that does not open all.
        """
        if isinstance(aggregator, type) or not isinstance(aggregator, Aggregator):
            raise InvalidArgument("aggregator", "must be an aggregator", "Give for example pets.mpc.MaskedSum().")
        if noise_at not in ("curator", "sites"):
            raise InvalidArgument("noise_at", "must be 'curator' or 'sites'")
        for name, value, least in (("site_bound", site_bound, 1), ("colluding_sites", colluding_sites, 0)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise InvalidArgument(name, f"must be a whole number of {least} or more, or left out")
        query = Count(by=[encoding.names[0]]).bind(encoding.binned)
        if aggregator.hidden_range is not None:
            raise PairingRefused(
                f"{type(aggregator).__name__} does not open small cells, and a model needs them all. Leave its minimum "
                "out: the noise is what protects them."
            )
        if noise_at == "sites" and not isinstance(aggregator.guarantee(query), InputPrivacy):
            raise PairingRefused(
                f"{type(aggregator).__name__} shows each site's tables with a share of the noise only. "
                "Use a secure sum such as pets.mpc.MaskedSum, or noise_at='curator' if the collector is trusted."
            )
        found = cls(aggregator, tuple(sites), noise_at, 1, site_bound)
        fewest = aggregator.fewest_sites(found.spec("", 1))
        # Of two, each knows its own share and sees the total: the other one's must be enough.
        usual = max((fewest - 1) // 2, min(fewest - 1, 1))
        colluding = usual if colluding_sites is None else colluding_sites
        if colluding >= fewest:
            raise InvalidArgument("colluding_sites", f"is {colluding}, and a total may be over {fewest} sites only")
        return cls(aggregator, tuple(sites), noise_at, fewest - colluding, site_bound)

    @property
    def inside(self) -> bool:
        """Whether the noise is inside the sum."""
        return self.noise_at == "sites"

    def spec(self, signature: str, size: int, *, noise_bound: int = 0, signed: bool = False, number: int = 1) -> Spec:
        """Return the contract of one session."""
        noise = {"at": "sites", "honest": self.honest} if self.inside else {}
        largest = Spec.largest_bound(len(self.sites), noise_bound)
        bound = largest if self.site_bound is None else min(self.site_bound, largest)
        return Spec(
            signature, size, self.sites, bound=bound, lower=None if signed else 0, noise_bound=noise_bound,
            aggregator=self.aggregator.to_dict(), noise=noise, number=number,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        shared = {"honest": self.honest} if self.inside else {}
        names = list(self.sites)
        return {"aggregator": self.aggregator.to_dict(), "sites": names, "noise_at": self.noise_at} | shared
