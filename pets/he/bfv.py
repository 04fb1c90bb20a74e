"""Secure sums by BFV: one key holder opens the sum of the sites' ciphertexts, and does not learn it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.he.arithmetic import Words
from pets.he.bfv_kernel import blinded, draw_blind, encrypt_vector, open_coefficients, unblind
from pets.he.bits import pack, unpack
from pets.he.contract import parameters_for
from pets.he.key_holding import Terms
from pets.he.keys import PublicKey, SecretKey
from pets.he.one_key_holder import OneKeyHolder
from pets.he.parameters import Mode, Parameters
from pets.he.rlwe import Ciphertext
from pets.he.streams import StreamRandom
from pets.query import BoundQuery
from pets.roles import TOTAL
from pets.session import Spec


@dataclass(frozen=True, slots=True)
class BFV(OneKeyHolder):
    """Each site encrypts its table, the server adds the ciphertexts, and a key holder opens the sum for the server.

    The key holder sees neither a table nor the total: the server adds a uniform mask of its own to what it has opened.
    The server gets the total and nothing else: each site adds a mask that the key holder takes off only from the sum
    over the sites that were named. Parameters follow from the bounds: 128-bit security, smallest ciphertext.

    Parameters
    ----------
    mode
        ``'public'``: sites hold a public key. ``'seeded'``: sites hold the secret key, and send half the bytes or less.
        That is the trust model of NVFlare's homomorphic encryption, in which any site together with the server reads
        every table; here the masks prevent that, but if a site gives the key away, nothing but the masks is left.
    key_holder
        Name of the party that opens. It may be a site: then that site together with the server reads every table.
    min_sites
        Fewest sites that a sum may be over: three or more, or two when noise is inside the sum. ``None``: two thirds of
        the sites, and at least three.

    Raises
    ------
    InvalidArgument
        A setting is out of range.

    Guarantee
    ---------
    The server, with any number of sites, learns one total over at least `min_sites` sites that it can choose by keeping
    messages back, and nothing else of a table, even if it lies: of anything but the sum over the sites that it named,
    the masks hide every table (a lying server may learn the secret key, which the masks outlast). The key holder, with
    any number of sites, does not see the total: the server blinds it. An honest key holder's view is uniform but for
    the rounding of the encoding: in public mode less than one unit for each site under encryption noise of hundreds; in
    seeded mode the noise is small, and the roundings tell a little of the total over many cells (about 2**-7.5 bits
    a cell for three sites). A key holder that lies about its public key is in the latter position in public mode too.
    Server and key holder together read every table. A key holder that lies can make the total wrong. Sites may drop out
    before they have sent; the key holder must stay. Computational: ring-LWE at 128 bits, AES-256 as a pseudorandom
    generator.

    References
    ----------
    J. Fan, F. Vercauteren, "Somewhat practical fully homomorphic encryption", ePrint 2012/144.
    """

    kind: ClassVar[str] = "bfv"
    scheme: ClassVar[str] = "BFV"
    mode: Mode = "public"
    key_holder: str = "key-holder"
    min_sites: int | None = None

    def __post_init__(self) -> None:
        self._check_settings()

    def who_learns(self, query: BoundQuery) -> dict[str, str]:
        """Return who sees what."""
        del query
        return self._common_table() | {
            "key holder": "uniformly random numbers in place of the total; which sites took part",
            "server": f"{TOTAL}; which sites took part",
        }

    def _terms(self, spec: Spec) -> Terms:
        # One addition more than there are sites: the server's own mask.
        parameters = parameters_for(spec, additions=len(spec.sites) + 1, mode=self.mode)
        return Terms(_Exact(parameters), self.key_holder, self.fewest_sites(spec))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return self._described(mode=self.mode, key_holder=self.key_holder)


@dataclass(frozen=True)
class _Exact:
    """BFV: the key holder opens coefficients modulo t, under a uniform mask of the server's."""

    parameters: Parameters

    def encrypt(
        self, key: PublicKey | SecretKey, values: NDArray[np.int64], random: StreamRandom, mask: Words
    ) -> bytes:
        return encrypt_vector(key, values, random, mask)

    def ask(self, total: Ciphertext, random: StreamRandom) -> Ciphertext:
        return blinded(self.parameters, total, draw_blind(self.parameters, random))

    def open(self, secret: SecretKey, total: Ciphertext, mask: Words) -> bytes:
        opened = open_coefficients(secret, total, mask)
        bits = self.parameters.plain_bits
        return pack(opened.astype(np.uint64) & np.uint64(2**bits - 1), bits)

    def read(self, answer: bytes, random: StreamRandom) -> NDArray[np.int64]:
        opened = unpack(answer, self.parameters.used, self.parameters.plain_bits).astype(np.int64)
        return unblind(self.parameters, opened, draw_blind(self.parameters, random))
