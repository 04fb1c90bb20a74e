"""What all parties of a secure sum agree on before any data moves."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.config import as_plain, canonical_json
from pets.errors import IncompatibleTallies, InvalidArgument, RangeOverflow
from pets.tally import Tally

SERVER = "server"
"""Name of the party that collects the total; no site may be called so."""

MAX_SITES = 1000
_LARGEST = 2**62


@dataclass(frozen=True)
class Spec:
    """The contract of one session. Parties with different specs cannot read each other's messages.

    Parameters
    ----------
    signature
        Digest of query, domain and privacy unit: what the integers mean.
    size
        Number of integers in the tally.
    sites
        Names of the sites that take part, distinct.
    bound
        No value of any site is above it; the site itself refuses to send more. ``None``: as much as 63 bits carry.
    lower
        No value of any site is below it. ``None``: ``-bound``. Counts with 0 here save a bit per value.
    noise_bound
        The summed noise of all sites lies within +/- this, except with probability 2**-64 for the whole table.
    weights
        A positive integer for each site, by which its values are multiplied. Empty: all 1.
    scale
        The integers are multiples of 1/scale (fixed point). Informs; the arithmetic is on integers.
    aggregator, noise
        Settings of the aggregator, and of the noise that sites add, as plain data.
    number
        Sessions of one study are numbered, each number is used once, in increasing order.
    roster
        Digest of the pinned identities, in hexadecimal digits; empty in one process.
    purpose
        Why, in words for people.

    Raises
    ------
    InvalidArgument
        There is no site, a name is empty, repeated or reserved, or a number has the wrong sign.
    RangeOverflow
        A total at the declared bounds could leave 63 bits. So no total of honest parties can ever wrap around.
    """

    signature: str
    size: int
    sites: tuple[str, ...]
    bound: int | None = None
    lower: int | None = None
    noise_bound: int = 0
    weights: tuple[int, ...] = ()
    scale: int = 1
    aggregator: Mapping[str, Any] = field(default_factory=dict)
    noise: Mapping[str, Any] = field(default_factory=dict)
    number: int = 1
    roster: str = ""
    purpose: str = ""

    def __post_init__(self) -> None:
        _check_names(self.sites)
        for name in ("size", "noise_bound", "scale", "number"):
            _check_integer(name, getattr(self, name), least=0 if name in ("size", "noise_bound") else 1)
        if self.weights and len(self.weights) != len(self.sites):
            raise InvalidArgument("weights", f"has {len(self.weights)} entries for {len(self.sites)} sites")
        for weight in self.weights:
            _check_integer("weights", weight, least=1)
        if self.noise_bound >= _LARGEST:
            raise RangeOverflow("the noise could leave 63 bits. Ask for less noise, or a coarser resolution.")
        if self.bound is None:
            # Half for either sign; a given lower bound only narrows it.
            object.__setattr__(self, "bound", self.largest_bound(self.total_weight, self.noise_bound))
        _check_integer("bound", self.bound, least=0)
        if self.lower is None:
            object.__setattr__(self, "lower", -self.upper)
        _check_integer("lower", self.lower, least=-_LARGEST)
        if self.least > self.upper:
            raise InvalidArgument("lower", "is above the bound")
        if max(-self.lowest_total, self.highest_total) > _LARGEST:
            raise RangeOverflow(
                f"totals over {len(self.sites)} sites could leave 63 bits at the declared bounds. "
                "Declare tighter bounds or a coarser resolution."
            )

    @staticmethod
    def largest_bound(total_weight: int, noise_bound: int) -> int:
        """Return the largest bound of one site under which totals keep within 63 bits."""
        return max(_LARGEST - noise_bound, 0) // total_weight

    @property
    def upper(self) -> int:
        """Largest value of one site."""
        return int(self.bound or 0)

    @property
    def least(self) -> int:
        """Smallest value of one site."""
        return int(self.lower or 0)

    @property
    def total_weight(self) -> int:
        """Sum of the weights."""
        return sum(self.weights) if self.weights else len(self.sites)

    @property
    def lowest_total(self) -> int:
        """Smallest possible total of any set of sites, noise included."""
        return min(self.least * self.total_weight, self.least, 0) - self.noise_bound

    @property
    def highest_total(self) -> int:
        """Largest possible total of any set of sites, noise included."""
        return max(self.upper * self.total_weight, 0) + self.noise_bound

    @cached_property
    def ring_bits(self) -> int:
        """Fewest bits w such that every possible total has its own residue modulo 2**w."""
        return max((self.highest_total - self.lowest_total).bit_length(), 1)

    def weight(self, site: str) -> int:
        """Return the weight of `site`."""
        return self.weights[self.sites.index(site)] if self.weights else 1

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, from which any party can rebuild and check the contract."""
        return {item.name: as_plain(getattr(self, item.name), item.name) for item in fields(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Spec:
        """Return the spec that `data` describes.

        Raises
        ------
        InvalidArgument
            A key is missing, unknown or has the wrong type.
        """
        names = {item.name for item in fields(cls)}
        if not isinstance(data, Mapping) or set(data) != names:
            raise InvalidArgument("spec", f"must hold exactly {sorted(names)}")
        lists = {name: data[name] for name in ("sites", "weights")}
        texts = [data["signature"], data["roster"], data["purpose"]]
        if not all(isinstance(value, list | tuple) for value in lists.values()):
            raise InvalidArgument("spec", "must hold lists of sites and weights")
        if not all(isinstance(text, str) for text in texts):
            raise InvalidArgument("spec", "must hold signature, roster and purpose as text")
        return cls(**{**data, **{name: tuple(value) for name, value in lists.items()}})

    @cached_property
    def id(self) -> bytes:
        """SHA-256 of the canonical contract, 32 bytes. Every key of the session is derived from it."""
        return hashlib.sha256(b"pets spec 1\x00" + canonical_json(self.to_dict()).encode()).digest()

    def decode(self, residues: NDArray[Any]) -> NDArray[np.int64]:
        """Return the totals of which `residues` modulo 2**ring_bits are left, as signed integers."""
        values = residues.astype(np.uint64)
        with np.errstate(over="ignore"):
            values -= np.uint64(self.lowest_total % 2**64)
            values &= np.uint64((1 << self.ring_bits) - 1)
            values += np.uint64(self.lowest_total % 2**64)
        return values.view(np.int64)


def contribution(spec: Spec, me: str, tally: Tally, noise: Tally | None = None) -> NDArray[np.int64]:
    """Return what a site puts into the sum: its values within the declared bounds, weighted, and its noise.

    Raises
    ------
    InvalidArgument
        `me` is not one of the sites.
    IncompatibleTallies
        The tally, or the noise, answers another question than the parties agreed on.
    RangeOverflow
        A value is outside the declared bounds. Nothing leaves the site.
    """
    if me not in spec.sites:
        raise InvalidArgument("me", f"{me!r} is not one of the sites of this session")
    for part in (tally, noise):
        if part is not None and (part.signature != spec.signature or len(part) != spec.size):
            raise IncompatibleTallies(f"site {me!r} brings a tally of another question than the others agreed on")
    values = tally.values
    if len(values) and (int(values.min()) < spec.least or int(values.max()) > spec.upper):
        raise RangeOverflow(
            f"site {me!r} has a value outside the declared bounds {spec.least:,} to {spec.upper:,}; nothing was sent. "
            "Agree on wider bounds with the other sites."
        )
    weighted = values if not spec.weights else values * np.int64(spec.weight(me))
    return weighted if noise is None else weighted + noise.values


def _check_names(sites: tuple[str, ...]) -> None:
    if not sites:
        raise InvalidArgument("sites", "is empty", "Give at least one site: {'name': frame}.")
    if len(sites) > MAX_SITES:
        raise InvalidArgument("sites", f"has {len(sites)} names", f"At most {MAX_SITES} take part in one session.")
    for name in sites:
        if not isinstance(name, str) or not name.strip() or name == SERVER:
            raise InvalidArgument("sites", f"has the name {name!r}", f"Use a non-empty text other than {SERVER!r}.")
    if len(set(sites)) != len(sites):
        raise InvalidArgument("sites", "names a site twice")


def _check_integer(name: str, value: object, *, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidArgument(name, f"must be an integer of {least} or more")
