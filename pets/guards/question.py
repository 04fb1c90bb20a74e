"""An ad-hoc question to several sites, as it travels: plain data, rebuilt and checked at each site."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self, cast

from pets.config import build, digest
from pets.domain import Domain
from pets.errors import PetsError, QueryRefused, did_you_mean
from pets.guards.cohort import Cohort
from pets.mpc import MaskedSum
from pets.pipeline import Pipeline
from pets.plan_file import mechanisms
from pets.query import Query, query_from_dict
from pets.roles import Aggregator, Mechanism


@cache
def known_mechanisms() -> Mapping[str, Callable[..., Mechanism]]:
    """Return all mechanisms by name; looked up once in a process, since plug-ins are found by reading many files."""
    return mechanisms()


_KEYS = ("schema", "query", "where", "mechanism", "aggregator", "purpose")
_MAX_PURPOSE = 500


@dataclass(frozen=True)
class Question:
    """What is asked, of whom, with how much noise, summed how, and why.

    Parameters
    ----------
    query
        For example ``pets.Count(by=["sex"])``.
    mechanism
        Noise that can be drawn in shares, e.g. ``pets.dp.DiscreteLaplace(epsilon=1)``.
    cohort
        Whom it is about; everybody when left out.
    aggregator
        The masked sum that adds the sites up.
    purpose
        In words for people, at most 500 characters.
    """

    query: Query
    mechanism: Mechanism
    cohort: Cohort = field(default_factory=Cohort)
    aggregator: Aggregator = field(default_factory=MaskedSum)
    purpose: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "schema": 1, "query": self.query.to_dict(), "where": self.cohort.to_dict(),
            "mechanism": self.mechanism.to_dict(), "aggregator": self.aggregator.to_dict(), "purpose": self.purpose,
        }  # fmt: skip

    @property
    def digest(self) -> str:
        """SHA-256 of the question, hexadecimal."""
        return digest(self.to_dict())

    @classmethod
    def from_dict(cls, data: object, domain: Domain) -> Self:
        """Return the question in a document.

        Raises
        ------
        QueryRefused
            It cannot be understood, or asks what the domain does not declare; with the code ``'form'``, ``'filters'``
            or ``'aggregator'``.
        """
        if not isinstance(data, Mapping) or data.get("schema") != 1:
            raise QueryRefused("form", "this is no question of version 1")
        for key in data:
            if key not in _KEYS:
                raise QueryRefused("form", f"{str(key)[:80]!r} is not a known key", did_you_mean(str(key), _KEYS))
        purpose = data.get("purpose", "")
        if not isinstance(purpose, str) or len(purpose) > _MAX_PURPOSE or not all(map(str.isprintable, purpose)):
            raise QueryRefused("form", f"the purpose must be a line of at most {_MAX_PURPOSE} characters")
        cohort = Cohort.of(data.get("where", {}), domain)
        aggregator = data.get("aggregator", {"type": "masked_sum"})
        if not isinstance(aggregator, Mapping) or aggregator.get("type") != "masked_sum":
            raise QueryRefused("aggregator", "only masked sums travel over a platform", "Write type = 'masked_sum'.")
        try:
            query = query_from_dict(cast("Mapping[str, Any]", data.get("query")))
            mechanism = cast("Mechanism", build(known_mechanisms(), data.get("mechanism"), "mechanism"))
            adder = cast("Aggregator", build({"masked_sum": MaskedSum}, dict(aggregator), "aggregator"))
            question = cls(query, mechanism, cohort, adder, purpose)
            question.pipeline(domain)
        except QueryRefused:
            raise
        except PetsError as error:
            raise QueryRefused("form", str(error).rstrip(".")) from None
        return question

    def pipeline(self, domain: Domain, *, dataset: str = "default", **options: Any) -> Pipeline:
        """Return the plan that answers it: noise in shares at the sites, so that nobody holds an exact total.

        Parameters
        ----------
        domain
            What is declared.
        dataset, **options
            See :class:`~pets.pipeline.Pipeline`.

        Raises
        ------
        InvalidArgument, PairingRefused
            The parts do not fit each other or the domain.
        """
        return Pipeline(
            self.query, domain, self.aggregator, self.mechanism, noise_at="sites", dataset=dataset, **options
        )
