"""Secure sums of which only the cells that may be seen are ever opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from pets.errors import InvalidArgument, PairingRefused, RangeOverflow
from pets.guarantee import InputPrivacy
from pets.mpc.circuit import MIN_BITS, MinimumRule
from pets.mpc.replicated import PARTIES
from pets.mpc.ring import Ring
from pets.mpc.verified_opening import STAGES, Terms, collector, member, site
from pets.query import BoundQuery
from pets.secure_sum import SecureSum
from pets.session import SERVER, Context, Party, Spec
from pets.session.flowing import Flowing
from pets.session.membership import all_parties, checked_least

Zeros = Literal["publish", "suppress"]


@dataclass(frozen=True, slots=True)
class VerifyBeforeOpen(SecureSum):
    """Three registries check shares that none of them can read, and open only what the rule allows.

    They compute, bit by bit on shares, whether each site's values lie in the declared range and which cells of the
    total are large enough to be seen. The shares of those cells go to the collector. The other cells come out as
    suppressed, and nobody has seen them.

    Parameters
    ----------
    minimum
        Smallest count that is opened; pair it with ``pets.disclosure.SuppressCells`` of the same minimum. ``None``,
        or 0 in a plan file, opens every cell, for other mechanisms, and only the ranges are checked.
    zeros
        ``'publish'`` opens cells that are exactly 0, ``'suppress'`` does not.
    registries
        The three parties that check, who may be sites. ``None``: the first three sites.
    ranges
        Whether each site's values are checked against the declared range.
    min_sites
        Fewest sites that a sum may be over: three or more, or two when noise is inside the sum. ``None``: two thirds of
        the sites, and at least three.

    Raises
    ------
    InvalidArgument
        A setting is out of range.

    Guarantee
    ---------
    One of the three, or the collector, or any number of the other sites, who follow the protocol, learn nothing but the
    cells that the rule allows, which they are, and so that each hidden count is within the rule's range (Araki et al.
    2016, theorem 3.1, one semi-honest party of three). Two of the three together read everything. A single one that
    deviates cannot change an opened number unnoticed, since each share is in two hands; it can change the decision on a
    cell, so that a small one is opened.

    The rule is applied to what the sites put in. **A site that puts in false counts within its range can lift small
    cells of the total above the minimum**, and subtract what it added from what is published. The collector can choose
    who is in the sum by keeping messages back, at least `min_sites` of them.

    References
    ----------
    T. Araki, J. Furukawa, Y. Lindell, A. Nof, K. Ohara, "High-throughput semi-honest secure three-party computation
    with an honest majority", CCS 2016.
    """

    kind: ClassVar[str] = "verify_before_open"
    stages: ClassVar[tuple[str, ...]] = STAGES
    minimum: int | None = 5
    zeros: Zeros = "publish"
    registries: tuple[str, ...] | None = None
    ranges: bool = True
    min_sites: int | None = None

    def __post_init__(self) -> None:
        given = self.minimum
        if given == 0 and not isinstance(given, bool):
            object.__setattr__(self, "minimum", None)
        elif given is not None and (isinstance(given, bool) or not isinstance(given, int) or not 2 <= given <= 10**9):
            raise InvalidArgument("minimum", "must be a whole number of at least 2, or left out")
        if self.zeros not in ("publish", "suppress"):
            raise InvalidArgument("zeros", "must be 'publish' or 'suppress'")
        if not isinstance(self.ranges, bool):
            raise InvalidArgument("ranges", "must be true or false")
        checked_least(self.min_sites)
        names = self.registries
        if names is not None:
            if not isinstance(names, list | tuple) or not all(isinstance(n, str) and n.strip() for n in names):
                raise InvalidArgument("registries", "must be three names")
            if len(names) != PARTIES or len(set(names)) != PARTIES or SERVER in names:
                raise InvalidArgument("registries", f"must be three distinct names other than {SERVER!r}")
            object.__setattr__(self, "registries", tuple(names))

    def guarantee(self, query: BoundQuery) -> InputPrivacy:
        """Return who sees no site's tally, and on which assumption."""
        del query
        return InputPrivacy(
            "three-party computation with checks before opening",
            ("the collecting server", "any one of the three registries", "the other sites", "an eavesdropper"),
            "no two of the three registries conspire, they follow the protocol, and the key agreement holds",
        )

    def who_learns(self, query: BoundQuery) -> dict[str, str]:
        """Return who sees what."""
        del query
        opened = (
            "the total" if self.minimum is None else f"the cells of the total with a count of {self.minimum} or more"
        )
        return {
            "eavesdropper, also a later quantum one": "sizes, timing, the roster and the contract",
            "each site": "its own rows and table",
            "one of the three registries": "uniformly random shares; which cells are opened, hence of the others that "
            "their counts are in the hidden range; which sites took part",
            "two of the three registries together": "every site's table",
            "server": f"{opened}; which sites took part",
            "server and one of the three": f"{opened}, nothing more",
            "one of the three that lies": "nothing by itself; it can have a small cell opened, and is caught if it "
            "changes a number",
            "a site that sends false values": "is found if they are outside the declared range; within it, it can lift "
            "small cells above the minimum and so see them",
            "sites that vanish": "nothing; the total is over those whose shares all arrived",
            "reader of the release": "the release only",
        }

    def parties(self, spec: Spec) -> tuple[str, ...]:
        """Return the sites, the three registries and the server.

        Raises
        ------
        PairingRefused
            The sites are too few to hide in a sum, or no three registries are known.
        RangeOverflow
            Values at the declared bounds do not fit into the circuit.
        """
        self.fewest_sites(spec)
        return all_parties(spec, self._terms(spec).members)

    def _terms(self, spec: Spec) -> Terms:
        members = spec.sites[:PARTIES] if self.registries is None else self.registries
        if len(members) < PARTIES:
            raise PairingRefused("three registries must check, and there are two sites. Name the three.")
        bound, minimum = max(spec.highest_total, -spec.lowest_total), self.minimum or 1
        heaviest = max(spec.weights, default=1)
        low, high = spec.least * heaviest - spec.noise_bound, spec.upper * heaviest + spec.noise_bound
        widest = max(bound + minimum - 1, high - low, high, -low)
        bits = max(widest.bit_length() + 1, MIN_BITS)
        if bits > Ring.WIDEST:
            raise RangeOverflow("values at the declared bounds do not fit into 64 bits. Declare tighter bounds.")
        rule = None if self.minimum is None else MinimumRule(minimum, bound, self.zeros == "publish")
        return Terms(members, Ring(bits), rule, self.ranges, self.fewest_sites(spec))

    def party(self, context: Context, values: NDArray[np.int64] | None) -> Party:
        """Return the site, the checking registry or the server."""
        terms = self._terms(context.spec)
        if context.me == SERVER:
            return Flowing(collector(context, terms))
        if values is None or context.me in terms.members:
            return Flowing(member(context, terms, values))
        return Flowing(site(context, terms, values))

    @property
    def hidden_range(self) -> tuple[int, int] | None:
        """Counts that are never opened, inclusive."""
        return None if self.minimum is None else (1 if self.zeros == "publish" else 0, self.minimum - 1)

    def largest_message(self, spec: Spec) -> int:
        """Return the size of a round of the range check, the largest message."""
        words = 8 * (spec.size * len(spec.sites) // 64 + 64)
        return 3 * 64 * words + 16 * spec.size + 4096

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return self._described(
            minimum=self.minimum or 0, zeros=self.zeros, ranges=self.ranges, registries=self.registries
        )
