"""Who adds the noise: one party that sees the exact total, or every site a share of it inside the secure sum."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from pets.errors import InvalidArgument, PetsError, did_you_mean

if TYPE_CHECKING:
    from pets.roles import Aggregator

SECURE_SUM = "masked_sum"
"""How shares would be added up in a plan whose own way adds none."""


class Adders(NamedTuple):
    """So many sites add a share each, and the shares of any `honest` are enough. No site: one party adds it all."""

    sites: int
    honest: int


ONE = Adders(0, 1)
"""One trusted party."""


def aggregator_named(name: str) -> Aggregator:
    """Return an aggregator with its usual settings.

    Raises
    ------
    InvalidArgument
        There is none of this name.
    """
    from pets.plan_file import AGGREGATORS

    if name not in AGGREGATORS:
        raise InvalidArgument("aggregator", "is not known", did_you_mean(name, AGGREGATORS))
    return AGGREGATORS[name]()


@lru_cache(maxsize=64)
def sharing(aggregator: str, sites: int) -> Adders:
    """Return how a pipeline with its usual settings would share the noise out over so many sites.

    It leaves out those that may drop out of the total, and of the others a minority that may tell what they added.

    Raises
    ------
    InvalidArgument
        The aggregator is unknown, or cannot add shares of so many sites.
    """
    from pets.domain import Domain
    from pets.dp import DiscreteLaplace
    from pets.pipeline import Pipeline
    from pets.query import Count

    adding, domain = aggregator_named(aggregator), Domain(cell=["a", "b"])
    if sites == 1:
        return Adders(1, 1)
    try:
        pipeline = Pipeline(Count(by=["cell"]), domain, adding, DiscreteLaplace(1), noise_at="sites")
        spec = pipeline.spec([f"site {number}" for number in range(sites)])
    except PetsError as error:
        raise InvalidArgument(
            "aggregator", f"does not go with this noise: {error}", "Take masked_sum and three sites, for example."
        ) from None
    return Adders(sites, int(spec.noise["honest"]))
