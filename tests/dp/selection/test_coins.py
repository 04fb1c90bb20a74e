"""The coins and indices that choices are made of: certified bounds, the rare exact path, and uniformity."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pets.csprng import InsecureRandom
from pets.dp.selection import coins
from pets.dp.selection.best import random_order

RATES = [Fraction(1, 10**9), Fraction(1, 1000), Fraction(1, 3), Fraction(1), Fraction(7, 2), Fraction(100)]


class Fixed:
    """A source whose words and later bits are given."""

    def __init__(self, word: int, later: int = 0) -> None:
        self.word, self.later, self.asked = word, later, 0

    def words(self, count, dtype):
        return np.full(count, self.word << 12, dtype=np.uint64)

    def bits(self, count):
        self.asked += 1
        return self.later & ((1 << count) - 1)


@given(st.sampled_from(RATES), st.integers(0, coins.LARGEST_GAP))
@settings(max_examples=300, deadline=None)
def test_acceptance_is_within_its_bound(rate, gap):
    with mpmath.workprec(200):
        truth = mpmath.exp(-mpmath.mpf(rate.numerator) * gap / rate.denominator)
        stated = mpmath.mpf(float(coins.acceptance(rate, np.array([gap]))[0]))
        assert abs(stated - truth) <= mpmath.mpf(2) ** -48


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("gap", [0, 1, 2, 255, 256, 257, 70_000])
def test_coin_flips_over_exactly_at_exp_minus_x(rate, gap):
    """Around the boundary each first word is decided as infinitely many bits of the uniform number would."""
    with mpmath.workprec(400):
        truth = mpmath.exp(-mpmath.mpf(rate.numerator) * gap / rate.denominator)
        cell = int(mpmath.floor(truth * 2**52))
        for word in sorted({min(max(cell + step, 0), 2**52 - 1) for step in (-70, -1, 0, 1, 70)}):
            for later in (1, (1 << 300) - 1):
                source = Fixed(word, later)
                accepted = bool(coins.toss(rate, np.array([gap]), source)[0])
                u = (word + mpmath.mpf(2) ** -52 if later == 1 else word + 1 - mpmath.mpf(2) ** -300) / 2**52
                assert accepted == (u < truth)


def test_rare_path_is_taken_only_near_the_boundary(monkeypatch):
    asked = []
    monkeypatch.setattr(coins, "toss_exactly", lambda *args: asked.append(args) or True)
    for word, times in ((int(2**52 * np.exp(-1.0)), 1), (int(2**52 * 0.3), 0), (int(2**52 * 0.4), 0)):
        asked.clear()
        coins.toss(Fraction(1), np.array([1]), Fixed(word))
        assert len(asked) == times


def test_planted_wrong_digit_is_seen():
    """Mutant: the second digit of a gap is read in base 128."""

    def wrong(gap: int) -> float:
        return float(coins.acceptance(Fraction(1, 100), np.array([gap & 255]))[0]) * float(
            coins.acceptance(Fraction(1, 100) * 128, np.array([gap >> 8]))[0]
        )

    assert (
        abs(wrong(300) - np.exp(-3)) > 1e-3 > abs(coins.acceptance(Fraction(1, 100), np.array([300]))[0] - np.exp(-3))
    )


@pytest.mark.parametrize("below", [1, 2, 3, 7, 64, 1000])
def test_indices_are_uniform(below):
    drawn = coins.uniform(below, 200_000, InsecureRandom(insecure_seed=below))
    counts = np.bincount(drawn, minlength=below)
    assert len(counts) == below
    assert below == 1 or stats.chisquare(counts).pvalue > 1e-6


def test_planted_modulo_bias_is_seen():
    words = InsecureRandom(insecure_seed=3).words(200_000, np.uint8)
    assert stats.chisquare(np.bincount(words % 100, minlength=100)).pvalue < 1e-6


def test_random_orders_are_uniform_permutations():
    source = InsecureRandom(insecure_seed=8)
    seen = {}
    for _ in range(12_000):
        order = tuple(random_order(4, source).tolist())
        seen[order] = seen.get(order, 0) + 1
    assert len(seen) == 24
    assert stats.chisquare(list(seen.values())).pvalue > 1e-6


def test_coins_have_their_bias():
    rate, n = Fraction(1, 7), 300_000
    gaps = np.arange(n) % 30
    accepted = coins.toss(rate, gaps, InsecureRandom(insecure_seed=1))
    hits = np.bincount(gaps, weights=accepted, minlength=30)
    p = np.exp(-np.arange(30) / 7)
    assert hits[0] == n // 30
    z = (hits - n / 30 * p)[1:] / np.sqrt(n / 30 * p * (1 - p))[1:]
    assert stats.chi2.sf((z**2).sum(), 29) > 1e-6
