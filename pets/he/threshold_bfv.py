"""Secure sums by BFV under a key that no party has: all sites hold it together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.errors import InvalidArgument
from pets.guarantee import InputPrivacy
from pets.he.contract import parameters_for
from pets.he.joint_key import COMMITMENT, STAGES, TAG, server, site
from pets.he.parameters import LARGEST_FLOOD_BITS, Parameters
from pets.he.seal import sealapi
from pets.he.wire import key_share_bytes, longest_message
from pets.query import BoundQuery
from pets.roles import TOTAL
from pets.secure_sum import SecureSum
from pets.session import SERVER, Context, Party, Spec
from pets.session.flowing import Flowing
from pets.session.membership import checked_least


@dataclass(frozen=True, slots=True)
class ThresholdBFV(SecureSum):
    """Each site makes a share of the key, encrypts under the joint key, and takes part in opening one sum.

    Nobody has the secret key, and all sites must stay to the end. Each site commits to its share of the key before it
    sees another; commitments carry a tag for each other site, so that the server, through which everything passes,
    cannot put a share of its own in another's place.

    Parameters
    ----------
    flooding_bits
        Bits by which the noise that each site adds to its partial decryption exceeds the noise that it hides. More
        make larger messages: 30 bits, half as much again. They hide the key, on which no table depends (see below).
    min_sites
        Fewest sites that a sum may be over: three or more, or two when noise is inside the sum. ``None``: two thirds of
        the sites, and at least three.

    Raises
    ------
    InvalidArgument
        A setting is out of range.

    Guarantee
    ---------
    The server, with all sites but two or more, learns the total of those and nothing else of their tables, even if it
    lies: a mask between every two sites, uniform modulo the plaintext modulus, cancels in the sum over all sites and
    nowhere else. With these masks all that the server sees depends on the tables through that total alone, even if it
    knew the key. Besides the total it sees the noise of the sum, which depends on the key but, for the same reason,
    says nothing of the tables; flooding hides it up to a statistical distance of N / 2**(flooding_bits + 1) for N
    values, which for few bits is no promise. A key serves one session and opens one sum. A site that lies can make the
    total wrong. Computational: AES-256 as a pseudorandom generator, and for the encryption itself ring-LWE at 128 bits.

    References
    ----------
    Asharov et al., "Multiparty computation with low communication via threshold FHE", EUROCRYPT 2012.
    Mouchet et al., "Multiparty homomorphic encryption from ring-learning-with-errors", PETS 2021.
    """

    kind: ClassVar[str] = "threshold_bfv"
    stages: ClassVar[tuple[str, ...]] = STAGES
    flooding_bits: int = 8
    min_sites: int | None = None

    def __post_init__(self) -> None:
        bits = self.flooding_bits
        if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits < LARGEST_FLOOD_BITS:
            raise InvalidArgument("flooding_bits", f"must be an integer between 1 and {LARGEST_FLOOD_BITS - 1}")
        checked_least(self.min_sites)

    def guarantee(self, query: BoundQuery) -> InputPrivacy:
        """Return who sees no site's tally, and on which assumption."""
        del query
        return InputPrivacy(
            "BFV homomorphic encryption under a key of all sites together",
            ("the collecting server", "the other sites", "an eavesdropper (even with a later quantum computer)"),
            "not all other sites pool what they hold, and ring-LWE, AES-256 and the key agreement hold",
        )

    def who_learns(self, query: BoundQuery) -> dict[str, str]:
        """Return who sees what."""
        del query
        return {
            "eavesdropper, also a later quantum one": "sizes, timing, the roster and the contract",
            "each site": "its own rows and table",
            "server": TOTAL,
            "server and any sites": "the total of the other sites",
            "server and all sites but one": "that site's table, which is the total less their own",
            "a server that lies": "nothing more: anything but the sum over all sites comes out random",
            "sites that vanish": "nothing; there is no total without them",
            "a site that sends false values": "can shift the total, or spoil it",
            "reader of the release": "the release only",
        }

    def parties(self, spec: Spec) -> tuple[str, ...]:
        """Return the sites and the server.

        Raises
        ------
        PairingRefused
            The sites are too few to hide in a sum.
        RangeOverflow
            No ciphertext of 128-bit security holds such totals.
        """
        SecureSum.fewest_sites(self, spec)
        self._parameters(spec)
        return (*spec.sites, SERVER)

    def party(self, context: Context, values: NDArray[np.int64] | None) -> Party:
        """Return the site or the server.

        Raises
        ------
        MissingExtra
            TenSEAL is not installed.
        """
        parameters = self._parameters(context.spec)
        if values is None:  # the server only adds, and needs no TenSEAL
            return Flowing(server(context, parameters))
        sealapi()
        return Flowing(site(context, parameters, values))

    def _parameters(self, spec: Spec) -> Parameters:
        count = len(spec.sites)
        return parameters_for(spec, additions=count, key_holders=count, flooding_bits=self.flooding_bits)

    def fewest_sites(self, spec: Spec) -> int:
        """Return the fewest sites that a total can be over: all."""
        return len(spec.sites)

    def largest_message(self, spec: Spec) -> int:
        """Return the size of a ciphertext, or of all shares of the key."""
        parameters, count = self._parameters(spec), len(spec.sites)
        return max(longest_message(parameters), count * max(key_share_bytes(parameters), COMMITMENT + TAG))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return self._described(flooding_bits=self.flooding_bits)
