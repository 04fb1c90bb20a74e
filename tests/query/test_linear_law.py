"""The error of a reconstructed value, against draws of its own terms: also where few values have most of the mass."""

from __future__ import annotations

import math

import numpy as np
import pytest

import pets
from pets.csprng import InsecureRandom
from pets.dp.samplers import Law, draw
from pets.noise import DiscreteLaplaceLaw
from pets.query.linear_law import LinearLaw

DRAWS = 200_000


def laws(epsilon: str) -> list[LinearLaw]:
    """Return the laws of the errors of a table of 24 cells and its margin under planned Laplace noise."""
    names = {"site": [f"s{i}" for i in range(12)], "sex": ["f", "m"]}
    domain = pets.Domain({name: pets.Categorical(labels, invalid="error") for name, labels in names.items()})
    query = pets.Marginals([["site", "sex"], ["site"], []]).bind(domain)
    found = [law for law in pets.dp.LaplacePlanner(epsilon=epsilon).error(query).laws if isinstance(law, LinearLaw)]
    assert len(found) >= 2
    return found


def drawn(law: LinearLaw, seed: int) -> np.ndarray:
    """Return draws of the weighted sum, term by term."""
    source, total = InsecureRandom(insecure_seed=seed), np.zeros(DRAWS)
    for term, weight, copies in law.terms:
        assert isinstance(term, DiscreteLaplaceLaw)
        for _ in range(copies):
            total += float(weight) * draw(Law.laplace(term.scale), DRAWS, source, "epsilon")
    return total


@pytest.mark.parametrize("epsilon", ["0.5", "2", "5", "8"])
def test_an_interval_covers_what_it_says(epsilon: str) -> None:
    for seed, law in enumerate(laws(epsilon)):
        errors = np.abs(drawn(law, seed))
        for level in (0.8, 0.95, 0.99):
            width = law.half_width(level)
            assert np.mean(errors <= width) >= level - 5 * math.sqrt(level * (1 - level) / DRAWS), (epsilon, level)
            # No wider than it must be: a little inside, the level is missed, or there is a lump at the very edge.
            inside = width - 0.06 * math.sqrt(law.variance)
            assert np.mean(errors <= inside) < level + 5 * math.sqrt(level * (1 - level) / DRAWS), (epsilon, level)


def test_a_smooth_law_is_evaluated_without_blur() -> None:
    for law in laws("0.5"):
        assert law.fine
        errors = drawn(law, 7)
        for t in (0.3, 1.0, 2.0):
            point = t * math.sqrt(law.variance)
            expected = 2 * law.cdf(point) - 1
            assert abs(np.mean(np.abs(errors) <= point) - expected) < 5 * math.sqrt(expected * (1 - expected) / DRAWS)
