"""Secure sums by Shamir shares: a committee of which a part may vanish, and liars are found out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.errors import InvalidArgument, RangeOverflow
from pets.guarantee import InputPrivacy
from pets.mpc import field, shamir
from pets.mpc.committee import STAGES, CommitteeCollector, CommitteeMember
from pets.mpc.faults import SharesDisagree
from pets.query import BoundQuery
from pets.roles import TOTAL
from pets.secure_sum import SecureSum
from pets.session import Context, Party, Spec
from pets.session.membership import (
    Members,
    all_parties,
    checked_least,
    checked_members,
    member_names,
)

_LARGEST = 2**60 - 1


@dataclass(frozen=True, slots=True)
class ShamirSharing(SecureSum):
    """Each site shares its values among a committee; any `threshold` members open the sum, fewer learn nothing.

    Parameters
    ----------
    committee
        How many members, three or more (they are then called ``helper-1``, ``helper-2``, ...); or their names, which
        may be those of sites.
    threshold
        How many members open a sum, more than half of them. ``None``: just more than half.
    min_sites
        Fewest sites that a sum may be over: three or more, or two when noise is inside the sum. ``None``: two thirds of
        the sites, and at least three.

    Raises
    ------
    InvalidArgument
        A number or a name is out of range.

    Guarantee
    ---------
    Fewer than `threshold` members, together with any number of sites but without the collector, learn nothing at all;
    the privacy of the sharing is unconditional (that of the messages on the way is the study's key agreement's). With
    the collector, c members learn only one total over the other sites if ``c < 2 threshold - n``: before it answers, an
    honest member hears from `threshold` members (itself included) that they were asked for the same sites, and two sets
    with as many would have ``2 threshold - n`` members in common, of whom an honest one names one set only. The
    collector can choose the sites by keeping messages back, at least `min_sites` of them.
    Up to ``n - threshold`` members may vanish. If e members lie, the total is refused for any
    ``e <= n - threshold - (vanished)``, and for half as many the message names the members
    concerned: they lied, or a site dealt them wrong shares.

    References
    ----------
    A. Shamir, "How to share a secret", Comm. ACM 22 (1979).
    M. Ben-Or, S. Goldwasser, A. Wigderson, STOC 1988 (sums of shares are shares of the sum).
    """

    kind: ClassVar[str] = "shamir_sharing"
    stages: ClassVar[tuple[str, ...]] = STAGES
    committee: Members = 5
    threshold: int | None = None
    min_sites: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "committee", checked_members(self.committee, "committee", 3))
        checked_least(self.min_sites)
        if self.size > shamir.MAX_PARTIES:
            raise InvalidArgument("committee", f"must have at most {shamir.MAX_PARTIES} members")
        given = self.threshold
        if given is None:
            object.__setattr__(self, "threshold", self.size // 2 + 1)
        elif isinstance(given, bool) or not isinstance(given, int) or not self.size < 2 * given <= 2 * self.size:
            raise InvalidArgument(
                "threshold", f"must be more than half of the {self.size} members, and at most all",
                "With half or less, a lying collector could have two halves open two different sums.",
            )  # fmt: skip

    @property
    def size(self) -> int:
        """Number of members of the committee."""
        return self.committee if isinstance(self.committee, int) else len(self.committee)

    @property
    def needed(self) -> int:
        """How many members open a sum."""
        return int(self.threshold or 0)

    def guarantee(self, query: BoundQuery) -> InputPrivacy:
        """Return who sees no site's tally, and on which assumption."""
        del query
        return InputPrivacy(
            f"Shamir secret sharing, {self.needed} of {self.size}",
            (
                "the collecting server",
                "any committee member",
                "the other sites",
                "an eavesdropper (even with a later quantum computer)",
            ),
            f"fewer than {self.needed} members conspire with an honest collector, or fewer than "
            f"{2 * self.needed - self.size} with a lying one, and the key agreement holds",
        )

    def who_learns(self, query: BoundQuery) -> dict[str, str]:
        """Return who sees what."""
        del query
        return {
            "eavesdropper, also a later quantum one": "sizes, timing, the roster and the contract",
            "each site": "its own rows and table",
            "committee member": "uniformly random shares; which sites took part",
            f"fewer than {self.needed} members together": "uniformly random shares",
            f"{self.needed} or more members together": "every site's table",
            "server": f"{TOTAL}; which sites took part",
            f"lying server and fewer than {2 * self.needed - self.size} members": "one total, nothing more",
            "members that lie": "nothing; the total is refused and, if they are few, they are suspected by name",
            "sites that vanish": "nothing; the total is over those whose shares all arrived",
            "a site that sends false values": "can shift the total",
            "reader of the release": "the release only",
        }

    def parties(self, spec: Spec) -> tuple[str, ...]:
        """Return the sites, the committee and the server.

        Raises
        ------
        PairingRefused
            The sites are too few to hide in a sum.
        RangeOverflow
            Totals at the declared bounds do not fit into the field.
        """
        self.fewest_sites(spec)
        if max(spec.highest_total, -spec.lowest_total) > _LARGEST:
            raise RangeOverflow(
                "totals at the declared bounds do not fit into the field of 61 bits. Declare a tighter bound."
            )
        return all_parties(spec, member_names(self.committee, spec))

    def party(self, context: Context, values: NDArray[np.int64] | None) -> Party:
        """Return the site, the member or the server."""
        members = member_names(self.committee, context.spec)
        scheme = _Shamir(context.spec.size, len(members), self.needed)
        if context.me == context.parties[-1]:
            return CommitteeCollector(context, scheme, members, self.fewest_sites(context.spec))
        return CommitteeMember(context, values, scheme, members, self.fewest_sites(context.spec))

    def largest_message(self, spec: Spec) -> int:
        """Return the size of a vector of shares."""
        return max(field.ELEMENT_BYTES * spec.size, len(spec.sites)) + 64

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return self._described(committee=self.committee, threshold=self.threshold)


@dataclass(frozen=True)
class _Shamir:
    """Shares over the field modulo 2**61 - 1; member number m holds the polynomial's value at m + 1."""

    size: int
    members: int
    needed: int

    def split(self, values: NDArray[np.int64], site: int, stream: Callable[[int], bytes]) -> Sequence[bytes]:
        shares = shamir.share(np.ascontiguousarray(values), self.members, self.needed, stream)
        return [field.to_bytes(row) for row in shares]

    def add(self, shares: Sequence[bytes], sites: Sequence[int], member: int) -> bytes:
        total = field.from_bytes(shares[0], self.size).copy()
        for share in shares[1:]:
            field.add(total, field.from_bytes(share, self.size), out=total)
        return field.to_bytes(total)

    def open(self, partial: Mapping[int, bytes]) -> NDArray[np.int64]:
        places = sorted(partial)
        shares = np.stack([field.from_bytes(partial[place], self.size) for place in places])
        try:
            return shamir.reconstruct([place + 1 for place in places], shares, self.needed)
        except SharesDisagree as error:
            raise SharesDisagree(error.problem, tuple(point - 1 for point in error.suspects)) from None
