"""The default secure sum: masks that cancel, with drop-outs at any stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.errors import InvalidArgument, PairingRefused
from pets.guarantee import InputPrivacy
from pets.mpc import masked_messages as layout
from pets.mpc.masked_server import MaskedServer
from pets.mpc.masked_site import MaskedSite
from pets.mpc.ring import Ring
from pets.mpc.shamir import MAX_PARTIES
from pets.query import BoundQuery
from pets.roles import TOTAL
from pets.secure_sum import SecureSum
from pets.session import SERVER, Context, Party, Spec
from pets.session.membership import checked_least


@dataclass(frozen=True, slots=True)
class MaskedSum(SecureSum):
    """Each pair of sites shares a mask that one adds and the other subtracts; each site adds one of its own besides.

    The collector adds the masked vectors, in which the masks of pairs cancel. Then the survivors agree, each with
    the other, on who is in the sum, and give the collector shares of the self masks of the survivors and of a
    recovery secret of those who dropped out, of each site one or the other and never both.

    Parameters
    ----------
    min_sites
        Fewest sites that a sum may be over: three or more, or two when noise is inside the sum. ``None``: two thirds of
        the sites, and at least three.
    threshold
        How many sites must help to unmask, hence how many must stay to the end. More than half of the sites.
        ``None``: two thirds, rounded up.

    Raises
    ------
    InvalidArgument
        A number is out of range.

    Guarantee
    ---------
    Let K sites take part with threshold T. A collector that follows the protocol, together with fewer than T sites,
    learns the total over the other survivors and nothing else. A collector that deviates in any way, together with
    c < 2T - K sites, learns at most one such total: two sets of T sites that reveal different kinds of shares of one
    site would have to have 2T - K sites in common, and an honest one answers once. Nor does it help to tell sites of
    different depositors: each hears of T or more, hence shares a mask that stays hidden with an honest one of those
    who reveal. The bound is sharp if `min_sites` is at most T: with such a collector 2T - K sites can single out
    another. The privacy is computational: AES-256 as a pseudorandom generator, HMAC-SHA-256, ChaCha20-Poly1305, and
    the study's key agreement.

    References
    ----------
    K. Bonawitz et al., "Practical secure aggregation for privacy-preserving machine learning", CCS 2017, with its
    consistency check against an active server. The recovery secret is shared instead of key-agreement keys, so
    that any key agreement serves, also one that resists quantum computers.
    """

    kind: ClassVar[str] = "masked_sum"
    stages: ClassVar[tuple[str, ...]] = ("shares", "input", "consent", "unmask")
    min_sites: int | None = None
    threshold: int | None = None

    def __post_init__(self) -> None:
        checked_least(self.min_sites)
        given = self.threshold
        if given is not None and (isinstance(given, bool) or not isinstance(given, int) or given < 2):
            raise InvalidArgument("threshold", "must be an integer of 2 or more, or left out")

    def guarantee(self, query: BoundQuery) -> InputPrivacy:
        """Return who sees no site's tally, and on which assumption."""
        del query
        return InputPrivacy(
            "pairwise masked sum",
            ("the collecting server", "the other sites", "an eavesdropper (even with a later quantum computer)"),
            "fewer sites than the threshold conspire with an honest server, or fewer than 2 x threshold - sites "
            "with a lying one, and AES-256, SHA-256 and the key agreement hold",
        )

    def who_learns(self, query: BoundQuery) -> dict[str, str]:
        """Return who sees what."""
        del query
        return {
            "eavesdropper, also a later quantum one": "sizes, timing, the roster and the contract",
            "each site": "its own rows and table; who took part",
            "server": f"{TOTAL}; who took part and who dropped out",
            "server and conspiring sites, fewer than the threshold": "the total minus their own tables, nothing more",
            "lying server (two lists, false drop-outs, replays)": "nothing: honest sites notice and stop",
            "sites that vanish": "nothing; the total is over those who stay",
            "a site that sends false values": "can make the total any possible one; impossible totals are refused",
            "reader of the release": "the release only",
        }

    def parties(self, spec: Spec) -> tuple[str, ...]:
        """Return the sites and the server.

        Raises
        ------
        PairingRefused
            The sites are too few to hide in a sum, or the threshold does not fit their number.
        """
        self.fewest_sites(spec)
        if len(spec.sites) > MAX_PARTIES:
            raise PairingRefused(
                f"at most {MAX_PARTIES} sites can share their secrets, and {len(spec.sites)} take part"
            )
        self._threshold(spec)
        return (*spec.sites, SERVER)

    def _threshold(self, spec: Spec) -> int:
        count = len(spec.sites)
        threshold = max(-(-2 * count // 3), count // 2 + 1) if self.threshold is None else self.threshold
        if not count < 2 * threshold <= 2 * count:
            raise PairingRefused(
                f"a threshold of {threshold} does not fit {count} sites: it must be more than half of them, "
                "so that a lying server cannot have two halves unmask two different sums, and at most all"
            )
        return threshold

    def party(self, context: Context, values: NDArray[np.int64] | None) -> Party:
        """Return the site or the server."""
        threshold, least = self._threshold(context.spec), self.fewest_sites(context.spec)
        if values is None:
            return MaskedServer(context, threshold, least)
        return MaskedSite(context, values, threshold, least)

    def fewest_sites(self, spec: Spec) -> int:
        """Return the fewest sites that a total can be over."""
        return max(self._threshold(spec), SecureSum.fewest_sites(self, spec))

    def largest_message(self, spec: Spec) -> int:
        """Return the size of a masked vector, or of a deposit where there are few values."""
        count = len(spec.sites)
        vector = Ring(spec.ring_bits).packed_size(spec.size)
        return max(vector, layout.Shares.size(count), layout.CONSENT_ROOM + layout.TAG * count) + 64

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return self._described(threshold=self.threshold)
