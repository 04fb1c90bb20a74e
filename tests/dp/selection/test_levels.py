"""Choosing among bins of unequal widths: levels that bound the coin, the exact law, and few proposals."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import stats

import pets
from pets.csprng import InsecureRandom, secure_random
from pets.dp.selection import ExponentialQuantiles, levels, select
from pets.dp.selection.levels import LAST, accepts, weigh_measured

RATES = [Fraction(1, 3), Fraction(1), Fraction(7, 5), Fraction(1, 10**6), Fraction(10**6), Fraction(1, 2**50)]
GAPS = np.unique(np.concatenate([np.arange(600), 10 ** np.arange(16), 2 ** np.arange(52), 2 ** np.arange(1, 51) - 1]))


@pytest.mark.parametrize("rate", [*RATES, Fraction(1, 10**400), Fraction(10**400)], ids=range(len(RATES) + 2))
def test_a_level_never_makes_a_coin_larger_than_one_nor_below_a_half(rate: Fraction) -> None:
    """Checked with 60 digits: level ln 2 <= rate gap, and the next level would be too high, up to 2**-39."""
    found = levels.levels(rate, GAPS)
    with mpmath.workdps(60):
        for gap, level in zip(GAPS.tolist(), found.tolist(), strict=True):
            exact = mpmath.mpf(rate.numerator) / rate.denominator * gap / mpmath.log(2)
            assert level <= exact
            assert level == LAST or exact < level + 1 + 2.0**-39


@pytest.mark.parametrize(("x", "level"), [(Fraction(0), 0), (Fraction(1), 1), (Fraction(7, 2), 5), (Fraction(2), 0)])
def test_the_coin_has_its_bias(x: Fraction, level: int) -> None:
    source, n = InsecureRandom(insecure_seed=4), 20_000
    chance = float(2**level * mpmath.exp(-mpmath.mpf(x.numerator) / x.denominator))
    seen = sum(accepts(x, level, source) for _ in range(n))
    assert stats.binomtest(seen, n, chance).pvalue > 1e-6 if chance < 1 else seen == n
    assert not accepts(Fraction(10**12), LAST, source)


@pytest.mark.parametrize(("rate", "fits"), [(Fraction(1, 3), True), (Fraction(2, 5), False)])
def test_draws_follow_the_law_and_a_wrong_rate_is_seen(rate: Fraction, fits: bool) -> None:
    gaps, measure, n = np.array([0, 1, 5, 9, 2, 300]), np.array([1, 7, 100, 1000, 3, 10**9]), 10_000
    source = InsecureRandom(insecure_seed=3)
    seen = np.bincount([weigh_measured(rate, gaps, measure, source) for _ in range(n)], minlength=6)
    weight = measure * np.exp(-gaps / 3)
    assert (stats.chisquare(seen[:5], weight[:5] / weight[:5].sum() * n).pvalue > 1e-6) == fits
    assert seen[5] == 0


class Counted:
    """A source that counts how often bits are asked for."""

    secure = True

    def __init__(self) -> None:
        self.source, self.asked = secure_random(), 0

    def bits(self, count: int) -> int:
        self.asked += 1
        assert self.asked < 10_000, "it goes on and on"
        return self.source.bits(count)

    def words(self, count: int, dtype: Any = np.uint64) -> Any:
        self.asked += count
        assert self.asked < 10_000, "it goes on and on"
        return self.source.words(count, dtype)


@pytest.mark.parametrize(
    "scene",
    [
        ([0, 10**6], [1, 2**61]), ([10**6, 0], [1, 2**61]), ([0, 0], [1, 2**61]), ([0, 40], [1, 2**61]),
        ([0, *[60] * 999], [1] * 1000), ([0, *range(999)], [2**50] * 1000),
    ],
)  # fmt: skip
def test_few_proposals_are_enough_whatever_the_scores_are(scene: Any) -> None:
    """A narrow best bin beside one 2**61 times as wide: proposals in proportion to the width would take for ever."""
    gaps, measure = (np.array(part, dtype=np.int64) for part in scene)
    asked = []
    for _ in range(200):
        source: Any = Counted()
        weigh_measured(Fraction(1, 2), gaps, measure, source)
        asked.append(source.asked)
    assert np.mean(asked) < 10  # two proposals on average, of at most two draws of bits for each of place and coin


def test_a_median_in_a_narrow_bin_beside_a_huge_one_comes_at_once() -> None:
    domain = pets.Domain(dose=pets.Numeric(0, 10**15, resolution=1, bins=[0, 1, 2, 10**15]))
    query = pets.Histogram("dose").bind(domain)
    counts = np.zeros(query.size, dtype=np.int64)
    counts[1] = 10_000
    with pytest.warns(pets.errors.UnrecordedReleaseWarning):
        found = select(ExponentialQuantiles(epsilon=1), pets.Tally(counts, query.signature), query)
    assert found.labels[0]["dose"] == query.blocks[0].axes[-1].labels[1]
