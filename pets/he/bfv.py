"""Secure sums by BFV: one key holder opens the sum of the sites' ciphertexts, and does not learn it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.error_model import ErrorModel
from pets.errors import InvalidArgument
from pets.guarantee import InputPrivacy
from pets.he.arithmetic import Words
from pets.he.bfv_kernel import blinded, draw_blind, encrypt_vector, open_coefficients, unblind
from pets.he.bits import pack, unpack
from pets.he.contract import parameters_for
from pets.he.key_holding import STAGES, Terms, key_holder, server, site
from pets.he.keys import PublicKey, SecretKey
from pets.he.parameters import Mode, Parameters
from pets.he.rlwe import Ciphertext
from pets.he.seal import sealapi
from pets.he.streams import StreamRandom
from pets.he.wire import longest_message
from pets.noise import NoNoise
from pets.query import BoundQuery
from pets.roles import TOTAL
from pets.session import SERVER, Context, Party, Spec
from pets.session.bodies import bits_size
from pets.session.flowing import Flowing
from pets.session.membership import all_parties, checked_least, fewest_sites


@dataclass(frozen=True, slots=True)
class BFV:
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
    keyed: ClassVar[bool] = True
    stages: ClassVar[tuple[str, ...]] = STAGES
    mode: Mode = "public"
    key_holder: str = "key-holder"
    min_sites: int | None = None

    def __post_init__(self) -> None:
        check_settings(self.mode, self.key_holder, self.min_sites)

    def guarantee(self, query: BoundQuery) -> InputPrivacy:
        """Return who sees no site's tally, and on which assumption."""
        del query
        return InputPrivacy(
            "BFV homomorphic encryption under the key of one key holder",
            ("the collecting server", "the key holder", "the other sites", "an eavesdropper (even a quantum one)"),
            "key holder and server do not pool what they hold, and ring-LWE, AES-256 and the key agreement hold",
        )

    def error(self, query: BoundQuery) -> ErrorModel:
        """Return that sums are exact."""
        return ErrorModel(query, tuple(NoNoise() for _ in query.blocks))

    def who_learns(self, query: BoundQuery) -> dict[str, str]:
        """Return who sees what."""
        del query
        return shared_table(self.mode) | {
            "key holder": "uniformly random numbers in place of the total; which sites took part",
            "server": f"{TOTAL}; which sites took part",
        }

    def parties(self, spec: Spec) -> tuple[str, ...]:
        """Return the sites, the key holder and the server.

        Raises
        ------
        PairingRefused
            The sites are too few to hide in a sum.
        RangeOverflow
            No ciphertext of 128-bit security holds such totals.
        """
        self.fewest_sites(spec)
        self._terms(spec)
        return all_parties(spec, (self.key_holder,))

    def party(self, context: Context, values: NDArray[np.int64] | None) -> Party:
        """Return the site, the key holder or the server.

        Raises
        ------
        MissingExtra
            TenSEAL is not installed.
        """
        return make_party(context, self._terms(context.spec), values)

    def _terms(self, spec: Spec) -> Terms:
        # One addition more than there are sites: the server's own mask.
        parameters = parameters_for(spec, additions=len(spec.sites) + 1, mode=self.mode)
        return Terms(_Exact(parameters), self.key_holder, self.fewest_sites(spec))

    @property
    def hidden_range(self) -> None:
        """All cells of the total are opened."""
        return None

    def fewest_sites(self, spec: Spec) -> int:
        """Return the fewest sites that a total can be over."""
        return fewest_sites(spec, self.min_sites)

    def largest_message(self, spec: Spec) -> int:
        """Return the size of a ciphertext."""
        return longest_message(self._terms(spec).parameters) + bits_size(len(spec.sites))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        settings = {"type": self.kind, "mode": self.mode, "key_holder": self.key_holder, "min_sites": self.min_sites}
        return {name: value for name, value in settings.items() if value is not None}


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


def check_settings(mode: object, key_holder: object, min_sites: object) -> None:
    """Refuse settings that mean nothing.

    Raises
    ------
    InvalidArgument
        One of them does.
    """
    if mode not in ("public", "seeded"):
        raise InvalidArgument("mode", "must be 'public' or 'seeded'")
    if not isinstance(key_holder, str) or not key_holder.strip() or key_holder == SERVER:
        raise InvalidArgument(
            "key_holder", "must be a name, and not that of the server", "The server could read every table if it were."
        )
    checked_least(min_sites)


def make_party(context: Context, terms: Terms, values: NDArray[np.int64] | None) -> Party:
    """Return the site, the key holder or the server.

    Raises
    ------
    MissingExtra
        TenSEAL is not installed.
    """
    if context.me == SERVER:  # which only adds, and needs no TenSEAL
        return Flowing(server(context, terms))
    sealapi()
    if context.me == terms.key_holder:
        return Flowing(key_holder(context, terms, values))
    if values is None:
        raise InvalidArgument("values", f"must be given for a site; this is {context.me!r}")
    return Flowing(site(context, terms, values))


def shared_table(mode: str) -> dict[str, str]:
    """Return what is the same in every protocol with one key holder."""
    given_away = {
        "public": {},
        "seeded": {"a site that gives its key away": "takes the encryption from all; the masks still hide each table"},
    }
    return {
        "eavesdropper, also a later quantum one": "sizes, timing, the roster and the contract",
        "each site": "its own rows and table",
        "server and c of the sites": "one total over at least min_sites - c other sites, which it can choose",
        "key holder and server together": "every site's table",
        "a server that lies": "nothing more of any table; if it learns the secret key, the masks still hide them",
        "a key holder that lies": "nothing more; it can make the total wrong",
        "sites that vanish": "nothing; the total is over those whose ciphertext arrived",
        "a site that sends false values": "can shift the total, or spoil it",
        "reader of the release": "the release only",
    } | given_away[mode]
