"""Do 95 % intervals cover 95 % of the truth, from 5 patients to a million, after what is done to published numbers?

An interval for integers cannot cover exactly 95 %: the shortest symmetric one that covers at least 95 % covers a little
more, by less than the chance of its two end points. That chance is below half a per cent once the noise is some tens
wide; there coverage must lie between 94.5 and 95.5 %. Where the noise is narrow it cannot, for any rule: there the
interval must cover as often as the law of the noise says, and one step shorter it must cover less than 95 %.
"""

from __future__ import annotations

import numpy as np
import pytest

import pets
from pets.noise import half_width

SIZES = [5, 50, 1_000, 30_000, 1_000_000]
FEW = [5, 1_000, 1_000_000]
LANES, PARTS, TRIALS = 16_384, 4, 130_000
SURE = 5 * (0.05 * 0.95 / TRIALS) ** 0.5
WIDE = [pets.dp.DiscreteLaplace("0.04"), pets.dp.DiscreteGaussian("0.0004")]
NARROW = [pets.dp.DiscreteLaplace(1), pets.dp.DiscreteLaplace("2.5"), pets.dp.DiscreteGaussian("0.5")]


def question():
    domain = pets.Domain(lane=[f"l{i}" for i in range(LANES)], part=[f"p{i}" for i in range(PARTS)])
    return pets.Count(["lane", "part"]).bind(domain)


def tally_of(query, size: int) -> pets.Tally:
    """Each cell holds `size` patients; the cell of dropped rows none."""
    values = np.full(query.size, size, dtype=np.int64)
    values[query.blocks[0].cells :] = 0
    return pets.Tally(values, query.signature)


def covered(columns, truth: int) -> np.ndarray:
    return (columns["ci_low"] <= truth) & (truth <= columns["ci_high"])


def coverage_of_cells(mechanism, size: int) -> float:
    query = question()
    runs = -(-TRIALS // (LANES * PARTS))
    return float(
        np.mean([covered(mechanism.release(tally_of(query, size), query).to_columns(), size) for _ in range(runs)])
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mechanism", WIDE, ids=repr)
def test_cells_with_wide_noise(mechanism, size):
    assert 0.945 < coverage_of_cells(mechanism, size) < 0.955


@pytest.mark.parametrize("size", [5, 1_000_000])
@pytest.mark.parametrize("mechanism", NARROW, ids=repr)
def test_cells_with_narrow_noise_cover_what_the_law_says_and_no_shorter_interval_would_do(mechanism, size):
    (law,) = mechanism.error(question()).laws
    q = half_width(law, 0.95)
    stated = law.cdf(q) - law.cdf(-q - 1)
    assert abs(coverage_of_cells(mechanism, size) - stated) < SURE
    assert stated >= 0.95
    assert q == 0 or law.cdf(q - 1) - law.cdf(-q) < 0.95


@pytest.mark.parametrize("size", FEW)
@pytest.mark.parametrize("mechanism", WIDE, ids=repr)
def test_margins_of_a_release(mechanism, size):
    """Four cells added up: the interval comes from the exact law of the sum of four noises."""
    query = question()
    seen = [
        covered(mechanism.release(tally_of(query, size), query).margin(["lane"]), PARTS * size)
        for _ in range(-(-TRIALS // LANES))
    ]
    assert 0.945 < float(np.mean(seen)) < 0.955


@pytest.mark.parametrize("size", FEW)
@pytest.mark.parametrize("mechanism", WIDE, ids=repr)
def test_pooled_releases_of_three_sites(mechanism, size):
    query = question()
    seen = []
    for _ in range(2):
        releases = [
            pets.Release(query, release.parts, release.guarantees, pets.Provenance(sites=(site,)))
            for site, release in ((s, mechanism.release(tally_of(query, size), query)) for s in "ABC")
        ]
        seen.append(covered(pets.pool(releases).to_columns(), 3 * size))
    assert 0.945 < float(np.mean(seen)) < 0.955


@pytest.mark.parametrize("size", [5, 1_000_000])
def test_sums_in_their_own_unit(size):
    domain = pets.Domain(lane=[f"l{i}" for i in range(LANES)], dose=pets.Numeric(0, 10, resolution="0.1"))
    query, mechanism = pets.Sum("dose", by=["lane"]).bind(domain), pets.dp.DiscreteLaplace(1)
    seen = [
        covered(mechanism.release(tally_of(query, size), query).to_columns(), size / 10) for _ in range(TRIALS // LANES)
    ]
    assert 0.945 < float(np.mean(seen)) < 0.955


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_wrong_width_is_seen(factor):
    """The same look at intervals 10 % too short or too long."""
    query, mechanism = question(), WIDE[0]
    columns = mechanism.release(tally_of(query, 100), query).to_columns()
    half = factor * (columns["ci_high"] - columns["value"])
    inside = np.abs(columns["value"] - 100) <= half
    assert not 0.945 < inside.mean() < 0.955
