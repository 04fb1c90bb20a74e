"""Certified bounds against multiple-precision arithmetic (mpmath), and the tables built on them cell by cell."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import accumulate

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.dp.samplers import enclosure
from pets.dp.samplers.enclosure import exp_bounds, tail_bounds
from pets.dp.samplers.inversion import _OPEN, TableSampler
from pets.dp.samplers.law import Law
from pets.dp.samplers.precision import Precision

PRECISION = 1200  # bits of the reference


def ratio(x: Fraction) -> mpmath.mpf:
    return mpmath.mpf(x.numerator) / x.denominator


@cache
def reference_sums(law: Law) -> list[mpmath.mpf]:
    """S(k) = w(k+1) + w(k+2) + ... for 0 <= k < 1200, by direct summation, smallest weights first."""
    with mpmath.workprec(PRECISION):
        count = 1500
        weights = [mpmath.exp(-(ratio(law.linear) * j + ratio(law.quadratic) * j * j)) for j in range(count)]
        rest = mpmath.mpf(0)  # what the sum leaves out; nothing at this precision for the Gaussians tested here
        if law.quadratic == 0:
            rest = mpmath.exp(-ratio(law.linear) * count) / (1 - mpmath.exp(-ratio(law.linear)))
        return list(accumulate(reversed(weights[1:]), initial=rest))[:0:-1][:1200]


def reference_tails(law: Law, zeros: int, until: int) -> list[mpmath.mpf]:
    """G(0), G(1), ..., G(until - 1)."""
    sums = reference_sums(law)
    assert until <= len(sums)
    return [s / (2 * sums[0] + zeros) for s in sums[:until]]


numbers = st.fractions(min_value=0, max_value=3000, max_denominator=10**12)


@given(numbers, st.integers(1, 400))
@settings(max_examples=300, deadline=None)
def test_exponential_is_enclosed_tightly(x, bits):
    low, high = exp_bounds(x, bits)
    with mpmath.workprec(PRECISION + int(2 * x) + bits):
        true = mpmath.exp(-ratio(x)) * mpmath.mpf(2) ** bits
        assert low <= true <= high
    assert high - low <= 2


@pytest.mark.parametrize("x", [Fraction(1, 10**40), Fraction(10**400), Fraction(1, 2**300), Fraction(64), Fraction(63)])
def test_exponential_of_extreme_numbers(x):
    low, high = exp_bounds(x, 64)
    with mpmath.workprec(PRECISION):
        assert low <= mpmath.exp(-ratio(x)) * 2**64 <= high
    assert high - low <= 2


def test_exponential_of_zero_is_exact():
    """Otherwise a coin of probability one could toss forever."""
    assert exp_bounds(Fraction(0), 30) == (2**30, 2**30)


def test_a_closed_form_agrees_with_the_reference():
    """The reference itself, against the geometric series."""
    with mpmath.workprec(PRECISION):
        p = mpmath.exp(-mpmath.mpf(3) / 10)
        tails = reference_tails(Law.laplace(Fraction(10, 3)), 1, 50)
        assert max(abs(t - p ** (k + 1) / (1 + p)) for k, t in enumerate(tails)) < mpmath.mpf(2) ** -1000


LAWS = [
    Law.laplace(Fraction(1, 1000)),
    Law.laplace(Fraction(1, 3)),
    Law.laplace(Fraction(1)),
    Law.laplace(Fraction(10, 3)),
    Law.laplace(Fraction(10)),
    Law.laplace(Fraction(0.1)),
    Law.gaussian(Fraction(1, 10**6)),
    Law.gaussian(Fraction(1, 2)),
    Law.gaussian(Fraction(10)),
    Law.gaussian(Fraction(100)),
    Law.gaussian(Fraction(12.34) ** 2),
    Law(Fraction(1, 7), Fraction(1, 50)),  # neither corner of the family
]


@pytest.mark.parametrize("zeros", [1, 2])
@pytest.mark.parametrize("bits", [4, 8, 64, 128])
@pytest.mark.parametrize("law", LAWS, ids=str)
def test_tails_are_enclosed_and_the_list_is_long_enough(law, bits, zeros):
    low, high = tail_bounds(law, bits, zeros=zeros)
    assert len(low) == len(high)
    assert low[0] == 0
    assert low == sorted(low)
    assert high == sorted(high)
    with mpmath.workprec(PRECISION):
        tails = reference_tails(law, zeros, len(low))
        for lower, upper, tail in zip(low, high, reversed(tails), strict=True):
            assert lower <= tail * mpmath.mpf(2) ** bits <= upper
    assert high[0] <= 2  # what lies beyond the list is no more than a cell or two
    assert max(upper - lower for upper, lower in zip(high, low, strict=True)) <= 2


@pytest.mark.parametrize("law", [Law.laplace(Fraction(256)), Law.gaussian(Fraction(256) ** 2)], ids=str)
def test_the_widest_table_is_as_fine_as_it_claims(law):
    """Undecided cells at 64 bits: one for each boundary, hence a probability near 2**-50 of a third step."""
    low, high = tail_bounds(law, 64, zeros=1)
    assert sum(upper - lower for upper, lower in zip(high, low, strict=True)) <= len(low) + 10
    assert len(low) < 2**14  # magnitudes fit the 16-bit table with room to spare


# The extra working bits hide a wrong rounding direction nearly always, so these two tests take them away: the bounds
# become loose, and must still be bounds.


@pytest.mark.parametrize("spare", [0, 2])
@pytest.mark.parametrize("bits", [3, 10, 40])
def test_exponentials_are_enclosed_without_spare_bits(monkeypatch, bits, spare):
    monkeypatch.setattr(enclosure, "_EXP_GUARD", spare)
    with mpmath.workprec(PRECISION):
        for n in range(1, 300):
            x = Fraction(n * n, 700)
            low, high = exp_bounds(x, bits)
            assert low <= mpmath.exp(-ratio(x)) * mpmath.mpf(2) ** bits <= high


@pytest.mark.parametrize("zeros", [1, 2])
@pytest.mark.parametrize("spare", [0, 2])
@pytest.mark.parametrize("bits", [10, 33])
@pytest.mark.parametrize("law", LAWS, ids=str)
def test_tails_are_enclosed_without_spare_bits(monkeypatch, law, bits, spare, zeros):
    monkeypatch.setattr(enclosure, "_GUARD", spare)
    monkeypatch.setattr(enclosure, "_TAIL", spare - 7)  # end the list early too, so that what lies beyond it matters
    low, high = tail_bounds(law, bits, zeros=zeros)
    with mpmath.workprec(PRECISION):
        tails = reference_tails(law, zeros, len(low))
        for lower, upper, tail in zip(low, high, reversed(tails), strict=True):
            assert lower <= tail * mpmath.mpf(2) ** bits <= upper


def expected_outcomes(law: Law, cell_bits: int, zeros: int) -> list[int]:
    """Return the magnitude of each cell of V, or the mark of an open one, by placing the boundaries with mpmath."""
    with mpmath.workprec(300):
        places = [int(mpmath.floor(t * 2**cell_bits)) for t in reference_tails(law, zeros, 300)]
    # A boundary in cell p lies above all of the cells before p, below all after it, and inside p itself.
    return [_OPEN if c in places else sum(p > c for p in places) for c in range(2 ** (cell_bits - 1))]


@pytest.mark.parametrize("complement", [False, True])
@pytest.mark.parametrize("cell_bits", [2, 5, 10])
@pytest.mark.parametrize("law", LAWS, ids=str)
def test_every_cell_of_the_table_is_right(law, cell_bits, complement):
    sampler = TableSampler(law, complement=complement, largest=2**62, precision=Precision(cell_bits=cell_bits))
    expected = np.array(expected_outcomes(law, cell_bits, 2 if complement else 1))
    mirrored = np.where(expected == _OPEN, _OPEN, -1 - expected if complement else -expected)
    table = sampler._table.reshape(2**cell_bits, -1)  # one row a cell
    assert (np.concatenate([expected, mirrored]) == table.T).all()


@pytest.mark.parametrize(
    "law", [Law.laplace(Fraction(10)), Law.gaussian(Fraction(100)), Law.laplace(Fraction(1, 2))], ids=str
)
def test_every_cell_of_the_default_table_is_right(law):
    """All 65,536 cells, by marking with mpmath where the boundaries fall."""
    sampler = TableSampler(law, complement=False, largest=2**62, precision=Precision())
    with mpmath.workprec(300):
        cells = [int(mpmath.floor(t * 2**16)) for t in reference_tails(law, 1, 200)]
    expected = np.zeros(2**15, dtype=np.int64)
    for cell in cells:
        expected[:cell] += 1  # all of these cells end at or below the boundary
    expected[cells] = _OPEN
    assert np.array_equal(sampler._table[: 2**15], expected)
    mirrored = np.where(expected == _OPEN, _OPEN, -expected)
    assert np.array_equal(sampler._table[2**15 :], mirrored)
