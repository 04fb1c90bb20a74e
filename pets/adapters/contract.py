"""What the collector asks of a site in one session: question and spec, signed by the collector."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pets.config import canonical_json
from pets.domain import Domain
from pets.errors import BadSignature, PetsError, QueryRefused
from pets.guards import Question
from pets.identity import Identity, Roster
from pets.pipeline import Pipeline
from pets.session import SERVER, Spec
from pets.session.membership import FEWEST_EXACT

_CONTEXT = "question over a platform"


@dataclass(frozen=True)
class Contract:
    """One session of one question.

    Parameters
    ----------
    question
        What is asked.
    spec
        The contract proper, to which every message of the secure sum is bound.
    pipeline
        The plan that answers it.
    """

    question: Question
    spec: Spec
    pipeline: Pipeline

    @classmethod
    def make(
        cls, question: Question, domain: Domain, sites: tuple[str, ...], *, number: int, roster: Roster, dataset: str
    ) -> Self:
        """Return what all parties must come to by themselves.

        Parameters
        ----------
        question, domain
            What is asked, under which declarations.
        sites
            Who is asked.
        number
            Number of the session.
        roster
            Everybody's pinned keys.
        dataset
            What this party calls the data.

        Raises
        ------
        InvalidArgument, PairingRefused, RangeOverflow
            The sites are too few or badly named.
        """
        # The cohort is no part of the query, so it enters the contract here, with the rest of the question.
        purpose = f"{question.purpose} | {question.cohort} | {question.digest}"
        pipeline = question.pipeline(domain, dataset=dataset)
        spec = pipeline.spec(sites, number=number, roster=roster.digest.hex(), purpose=purpose)
        if pipeline.aggregator.fewest_sites(spec) < FEWEST_EXACT:
            # Each of two takes its own table and noise away, and has the other's: that one's noise must be enough.
            pipeline = question.pipeline(domain, dataset=dataset, colluding_sites=1)
            spec = pipeline.spec(sites, number=number, roster=roster.digest.hex(), purpose=purpose)
        return cls(question, spec, pipeline)

    @property
    def fewest_sites(self) -> int:
        """Fewest sites that the total can be over."""
        return self.pipeline.aggregator.fewest_sites(self.spec)

    def head(self, identity: Identity) -> dict[str, Any]:
        """Return the signed contract as plain data, by the collector."""
        text = canonical_json({"question": self.question.to_dict(), "spec": self.spec.to_dict()})
        signature = base64.b64encode(identity.sign(text.encode(), _CONTEXT)).decode()
        return {"question": self.question.to_dict(), "spec": self.spec.to_dict(), "signature": signature}

    @classmethod
    def read(cls, head: Mapping[str, Any], domain: Domain, roster: Roster, dataset: str) -> Self:
        """Return the contract in a parcel's head, after checking it against this site's own declarations.

        Raises
        ------
        QueryRefused
            The collector of the roster did not sign it (``'signature'``), the question cannot be understood here, or
            the spec is not what this site makes of the question (``'contract'``).
        """
        try:
            signature = base64.b64decode(head["signature"], validate=True)
            text = canonical_json({"question": head["question"], "spec": head["spec"]})
            roster[SERVER].verify(signature, text.encode(), _CONTEXT)
        except (KeyError, TypeError, ValueError, binascii.Error, BadSignature, PetsError):
            raise QueryRefused("signature", "the collector of the roster did not sign this") from None
        question = Question.from_dict(head["question"], domain)
        try:
            spec = Spec.from_dict(head["spec"])
            own = cls.make(question, domain, spec.sites, number=spec.number, roster=roster, dataset=dataset)
        except PetsError:
            raise QueryRefused("contract", "the sites or numbers of this session do not fit together") from None
        if own.spec != spec or not set(spec.sites) <= set(roster):
            raise QueryRefused("contract", "the domain, the noise or the roster differ from those at this site")
        return own
