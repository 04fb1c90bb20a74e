"""Secure sums by additive shares: one member of the committee gets the difference, all others a seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.errors import MessageRejected
from pets.guarantee import InputPrivacy
from pets.mpc.committee import STAGES, CommitteeCollector, CommitteeMember
from pets.mpc.ring import Ring
from pets.query import BoundQuery
from pets.roles import TOTAL
from pets.secure_sum import SecureSum
from pets.session import Context, Party, Spec
from pets.session.masks import add_mask
from pets.session.membership import (
    Members,
    all_parties,
    checked_least,
    checked_members,
    member_names,
)

_SEED = 32


@dataclass(frozen=True, slots=True)
class AdditiveSharing(SecureSum):
    """Each site splits its values into shares that add up to them modulo 2**w, one for each computing party.

    All shares but one are the keystreams of 32-byte seeds, so a site sends little more than its values' own size. Which
    party gets the whole vector goes round from site to site, which spreads the load.

    Parameters
    ----------
    servers
        How many parties compute, two or more (they are then called ``helper-1``, ``helper-2``, ...); or their names,
        which may be those of sites.
    min_sites
        Fewest sites that a sum may be over: three or more, or two when noise is inside the sum. ``None``: two thirds of
        the sites, and at least three.

    Raises
    ------
    InvalidArgument
        A number or a name is out of range.

    Guarantee
    ---------
    All computing parties but one, together with the collector and any number of sites, learn the total of the other
    sites and nothing else; they may deviate in any way as far as privacy is concerned, since without the last party's
    shares theirs are uniform. The collector can choose who is in the sum by keeping messages back, at least `min_sites`
    of them: with c conspiring sites it then learns a sum over as few as `min_sites` - c others. A computing party that
    deviates can make the total wrong. All of them must stay to the end; sites may drop out. Computational: AES-256 as a
    pseudorandom generator.

    References
    ----------
    D. Bogdanov, S. Laur, J. Willemson, "Sharemind", ESORICS 2008 (additive sharing in a ring).
    H. Corrigan-Gibbs, D. Boneh, "Prio", NSDI 2017, section 4 (shares compressed to seeds).
    """

    kind: ClassVar[str] = "additive_sharing"
    stages: ClassVar[tuple[str, ...]] = STAGES
    servers: Members = 3
    min_sites: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "servers", checked_members(self.servers, "servers", 2))
        checked_least(self.min_sites)

    def guarantee(self, query: BoundQuery) -> InputPrivacy:
        """Return who sees no site's tally, and on which assumption."""
        del query
        return InputPrivacy(
            "additive secret sharing",
            (
                "the collecting server",
                "any computing party",
                "the other sites",
                "an eavesdropper (even with a later quantum computer)",
            ),
            "at least one computing party keeps its shares to itself, and AES-256 and the key agreement hold",
        )

    def who_learns(self, query: BoundQuery) -> dict[str, str]:
        """Return who sees what."""
        del query
        count = self.servers if isinstance(self.servers, int) else len(self.servers)
        return {
            "eavesdropper, also a later quantum one": "sizes, timing, the roster and the contract",
            "each site": "its own rows and table",
            "computing party": "uniformly random shares; which sites took part",
            "server": f"{TOTAL}; which sites took part",
            f"server and fewer than {count} computing parties": "the total, nothing more",
            f"all {count} computing parties together": "every site's table",
            "a computing party that lies": "nothing; it can make the total wrong",
            "sites that vanish": "nothing; the total is over those whose shares all arrived",
            "a site that sends false values": "can shift the total",
            "reader of the release": "the release only",
        }

    def parties(self, spec: Spec) -> tuple[str, ...]:
        """Return the sites, the computing parties and the server.

        Raises
        ------
        PairingRefused
            The sites are too few to hide in a sum.
        """
        self.fewest_sites(spec)
        return all_parties(spec, member_names(self.servers, spec))

    def party(self, context: Context, values: NDArray[np.int64] | None) -> Party:
        """Return the site, the computing party or the server."""
        members = member_names(self.servers, context.spec)
        scheme = _Additive(context.spec, len(members))
        if context.me == context.parties[-1]:
            return CommitteeCollector(context, scheme, members, self.fewest_sites(context.spec))
        return CommitteeMember(context, values, scheme, members, self.fewest_sites(context.spec))

    def largest_message(self, spec: Spec) -> int:
        """Return the size of a vector."""
        return max(Ring(spec.ring_bits).packed_size(spec.size), _SEED, len(spec.sites)) + 64

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return self._described(servers=self.servers)


@dataclass(frozen=True)
class _Additive:
    """Shares modulo 2**w; the vector of site number i goes to member number i modulo their number."""

    spec: Spec
    needed: int

    @property
    def ring(self) -> Ring:
        return Ring(self.spec.ring_bits)

    def split(self, values: NDArray[np.int64], site: int, stream: Callable[[int], bytes]) -> Sequence[bytes]:
        shares = [stream(_SEED) for _ in range(self.needed)]
        rest = self.ring.lift(values)
        heavy = site % self.needed
        for member in range(self.needed):
            if member != heavy:
                add_mask(rest, shares[member], subtract=True)
        shares[heavy] = self.ring.pack(rest)
        return shares

    def add(self, shares: Sequence[bytes], sites: Sequence[int], member: int) -> bytes:
        total = np.zeros(self.spec.size, dtype=self.ring.dtype)
        for share, site in zip(shares, sites, strict=True):
            if site % self.needed == member:
                total += self.ring.unpack(share, self.spec.size)
            elif len(share) != _SEED:
                raise MessageRejected("holds no seed")
            else:
                add_mask(total, share)
        return self.ring.pack(total)

    def open(self, partial: Mapping[int, bytes]) -> NDArray[np.int64]:
        return self.spec.decode(self.ring.total(list(partial.values()), self.spec.size))
