"""Who sees what, read from the guarantees of the way the plan adds up and publishes."""

from __future__ import annotations

from typing import Any

from pets.domain import Domain
from pets.dp import DiscreteLaplace
from pets.errors import InvalidArgument, PetsError
from pets.guarantee import InputPrivacy
from pets.pipeline import NoiseAt, Pipeline
from pets.query import Count
from pets.roles import Aggregator
from pets.tuning.placement import aggregator_named
from pets.tuning.plan import TuningPlan

WHAT = ("a patient's record", "the table of one site", "the exact total", "the release")
"""Columns of the matrix."""


def who_sees(plan: TuningPlan) -> dict[str, Any]:
    """Return the matrix of parties and secrets, with what the aggregator itself says of each party.

    Raises
    ------
    InvalidArgument
        The plan names no known aggregator.
    """
    aggregator = aggregator_of(plan)
    query = Count(by=["cell"])
    domain = Domain(cell=["a", "b"], unit=plan.privacy.unit)
    try:
        pipeline = Pipeline(query, domain, aggregator, DiscreteLaplace(1), noise_at=noise_at(plan))
        if plan.sites > 1 and noise_at(plan) == "sites":
            pipeline.spec([f"site {number}" for number in range(plan.sites)])
    except PetsError as error:
        raise InvalidArgument(
            "aggregator", f"does not go with this noise: {error}", "Take masked_sum and three sites, for example."
        ) from None
    promise = aggregator.guarantee(query.bind(domain))
    hidden = promise.hidden_from if isinstance(promise, InputPrivacy) else ()
    inside = noise_at(plan) == "sites"
    rows = [
        ("each site", ["its own", "its own", "no", "yes"]),
        ("the server that adds up", ["no", _server(hidden), _total(inside), "yes"]),
        ("the curator of the noise", ["no", "no", _curator(inside), "yes"]),
        ("the public", ["no", "no", "no", "yes, and only this"]),
    ]
    return {
        "who": [who for who, _ in rows],
        "what": list(WHAT),
        "cells": [cells for _, cells in rows],
        "aggregator": plan.aggregator,
        "noise_at": noise_at(plan),
        "promise": promise.explain(),
        "details": [{"who": who, "words": words} for who, words in pipeline.who_learns().items()],
    }


def aggregator_of(plan: TuningPlan) -> Aggregator:
    """Return the plan's aggregator with its usual settings."""
    return aggregator_named(plan.aggregator)


def noise_at(plan: TuningPlan) -> NoiseAt:
    """Return where the noise is added."""
    return "sites" if plan.noise_at == "sites" else "curator"


def _server(hidden: tuple[str, ...]) -> str:
    return "no" if any("server" in party for party in hidden) else "YES, of every site"


def _total(inside: bool) -> str:
    return "never: the noise is inside the sum" if inside else "YES"


def _curator(inside: bool) -> str:
    return "there is none" if inside else "YES: it adds the noise"
