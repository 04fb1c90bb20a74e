"""Secure sums by CKKS, the scheme for real numbers, opened only as whole steps of a declared precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.error_model import ErrorModel
from pets.errors import InvalidArgument, MessageRejected, PairingRefused
from pets.he.arithmetic import Words
from pets.he.bits import pack, unpack
from pets.he.ckks_kernel import encrypt_steps, open_steps
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
class CKKS(OneKeyHolder):
    """As :class:`pets.he.BFV`, by CKKS. The key holder learns the total, which it gives out without CKKS's own noise.

    What CKKS decrypts to is the total plus the noise of the encryption, and whoever sees that noise can solve for the
    secret key (Li and Micciancio 2021). Here values lie on a grid before they are encrypted, the noise is less than
    half a step except with probability 2**-64, and the key holder rounds before anything leaves it: with a server that
    adds what the sites sent, what leaves is a function of the sites' values alone. A server that adds something else
    may learn the secret key; the masks under which the sites encrypt hide their tables even then. Noise for
    differential privacy belongs inside the sum (``noise_at='sites'``): then not even the key holder ever holds the
    exact total.

    For integers take :class:`pets.he.BFV`: smaller messages, and a key holder that learns nothing.

    Parameters
    ----------
    precision
        Step of the grid, in units of the tally. With 1 totals are exact, since a tally holds whole units. A coarser
        grid makes smaller messages; each site then rounds to the nearest step.
    mode
        As for :class:`pets.he.BFV`.
    key_holder
        Name of the party that opens, and learns the total. It may be a site: then that site together with the server
        reads every table.
    min_sites
        Fewest sites that a sum may be over: three or more, or two when noise is inside the sum. ``None``: two thirds of
        the sites, and at least three.

    Raises
    ------
    InvalidArgument
        A setting is out of range.

    Guarantee
    ---------
    The server, with any number of sites, and the key holder, with any number of sites, each learn the total of the
    other sites and nothing else, even if they lie. Server and key holder together read every table. A key holder that
    lies can make the total wrong. Sites may drop out before they have sent; the key holder must stay. Computational:
    ring-LWE at 128 bits, AES-256 as a pseudorandom generator.

    References
    ----------
    Cheon, Kim, Kim, Song, "Homomorphic encryption for arithmetic of approximate numbers", ASIACRYPT 2017.
    Li, Micciancio, "On the security of homomorphic encryption on approximate numbers", EUROCRYPT 2021.
    """

    kind: ClassVar[str] = "ckks"
    scheme: ClassVar[str] = "CKKS"
    precision: int = 1
    mode: Mode = "public"
    key_holder: str = "key-holder"
    min_sites: int | None = None

    def __post_init__(self) -> None:
        self._check_settings()
        if isinstance(self.precision, bool) or not isinstance(self.precision, int) or not 1 <= self.precision < 2**62:
            raise InvalidArgument("precision", "must be an integer of 1 or more", "Fractions belong in the query.")

    def error(self, query: BoundQuery) -> ErrorModel:
        """Return that sums are exact.

        Raises
        ------
        PairingRefused
            The precision is coarser than the tally. Rounding depends on the data, so there is no law to state.
        """
        if self.precision != 1:
            raise PairingRefused(
                f"with precision={self.precision} sites round their tables, and the error of that has no law that "
                "could be stated with a release. Use precision=1, and a coarser resolution in the query."
            )
        return OneKeyHolder.error(self, query)

    def who_learns(self, query: BoundQuery) -> dict[str, str]:
        """Return who sees what."""
        del query
        total = f"{TOTAL}; which sites took part"
        return self._common_table() | {"key holder": total, "server": total}

    def _terms(self, spec: Spec) -> Terms:
        # CKKS needs a bit of the modulus for itself: it rounds to the nearest step, and no two may touch.
        settings = {"pack": False, "reserve_bits": 1, "most_primes": 1}
        parameters = parameters_for(spec, step=self.precision, additions=len(spec.sites), mode=self.mode, **settings)
        return Terms(_Rounded(parameters, self.precision), self.key_holder, self.fewest_sites(spec))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return self._described(precision=self.precision, mode=self.mode, key_holder=self.key_holder)


@dataclass(frozen=True)
class _Rounded:
    """CKKS: the key holder opens whole steps."""

    parameters: Parameters
    step: int

    def encrypt(
        self, key: PublicKey | SecretKey, values: NDArray[np.int64], random: StreamRandom, mask: Words
    ) -> bytes:
        return encrypt_steps(key, (values + np.int64(self.step // 2)) // np.int64(self.step), random, mask)

    def ask(self, total: Ciphertext, random: StreamRandom) -> Ciphertext:
        del random
        return total

    def open(self, secret: SecretKey, total: Ciphertext, mask: Words) -> bytes:
        steps = np.zeros(self.parameters.used, dtype=np.int64)
        steps[: self.parameters.values] = open_steps(secret, total, mask) + np.int64(self.parameters.total_bound)
        return pack(steps.astype(np.uint64), self._width)

    def read(self, answer: bytes, random: StreamRandom) -> NDArray[np.int64]:
        del random
        steps = unpack(answer, self.parameters.used, self._width).astype(np.int64)[: self.parameters.values]
        if int(steps.max()) > 2 * self.parameters.total_bound:
            raise MessageRejected("opens totals outside the declared bounds")
        return (steps - np.int64(self.parameters.total_bound)) * np.int64(self.step)

    @property
    def _width(self) -> int:
        return (2 * self.parameters.total_bound).bit_length()
