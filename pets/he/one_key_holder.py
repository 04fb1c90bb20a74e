"""What BFV and CKKS have in common: sites encrypt, the server adds, and one key holder opens the sum."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.errors import InvalidArgument
from pets.guarantee import InputPrivacy
from pets.he.key_holding import STAGES, Terms, key_holder, server, site
from pets.he.parameters import Mode
from pets.he.seal import sealapi
from pets.he.wire import longest_message
from pets.query import BoundQuery
from pets.secure_sum import SecureSum
from pets.session import SERVER, Context, Party, Spec
from pets.session.bodies import bits_size
from pets.session.flowing import Flowing
from pets.session.membership import all_parties, checked_least


class OneKeyHolder(SecureSum):
    """Base of the sums that a key holder opens; a scheme adds its parameters and how a vector is encrypted and opened.

    Attributes
    ----------
    scheme
        Its name, for the guarantee.
    mode, key_holder
        See :class:`pets.he.BFV`.
    """

    __slots__ = ()
    scheme: ClassVar[str]
    stages: ClassVar[tuple[str, ...]] = STAGES
    mode: Mode
    key_holder: str

    @abstractmethod
    def _terms(self, spec: Spec) -> Terms:
        """Return the parameters, the key holder and the fewest sites of a session."""

    def guarantee(self, query: BoundQuery) -> InputPrivacy:
        """Return who sees no site's tally, and on which assumption."""
        del query
        return InputPrivacy(
            f"{self.scheme} homomorphic encryption under the key of one key holder",
            ("the collecting server", "the key holder", "the other sites", "an eavesdropper (even a quantum one)"),
            "key holder and server do not pool what they hold, and ring-LWE, AES-256 and the key agreement hold",
        )

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
        terms = self._terms(context.spec)
        if context.me == SERVER:  # which only adds, and needs no TenSEAL
            return Flowing(server(context, terms))
        sealapi()
        if context.me == terms.key_holder:
            return Flowing(key_holder(context, terms, values))
        if values is None:
            raise InvalidArgument("values", f"must be given for a site; this is {context.me!r}")
        return Flowing(site(context, terms, values))

    def largest_message(self, spec: Spec) -> int:
        """Return the size of a ciphertext, in bytes."""
        return longest_message(self._terms(spec).parameters) + bits_size(len(spec.sites))

    def _check_settings(self) -> None:
        """Refuse settings that mean nothing."""
        if self.mode not in ("public", "seeded"):
            raise InvalidArgument("mode", "must be 'public' or 'seeded'")
        holder = self.key_holder
        if not isinstance(holder, str) or not holder.strip() or holder == SERVER:
            raise InvalidArgument(
                "key_holder", "must be a name, and not the server's", "The server could read every table if it were."
            )
        checked_least(self.min_sites)

    def _common_table(self) -> dict[str, str]:
        """Return who sees what, as far as it is the same for every scheme."""
        given_away = {
            "a site that gives its key away": "takes the encryption from all; the masks still hide each table"
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
        } | (given_away if self.mode == "seeded" else {})
