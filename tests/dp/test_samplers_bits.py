"""Deterministic proofs on small cases: what the samplers do with given bits, without any statistics."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import accumulate

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.csprng import InsecureRandom
from pets.dp.samplers import Law, draw, inversion, layered
from pets.dp.samplers.coin import toss, toss_exactly
from pets.dp.samplers.enclosure import tail_bounds
from pets.dp.samplers.inversion import TableSampler, _magnitudes
from pets.dp.samplers.layered import LayeredSampler
from pets.dp.samplers.precision import DEFAULT, Precision

TINY_STEPS = Precision(cell_bits=4, word_bits=8, coin_bits=2, coin_word_bits=4, slack=0.1)
LAWS = [
    Law.laplace(Fraction(1, 3)),
    Law.laplace(Fraction(10, 3)),
    Law.gaussian(Fraction(7, 2)),
    Law.gaussian(Fraction(100)),
]


class Tape:
    """One draw's infinite bit string, handed out as the sampler asks for it.

    `used` says how many leading bits of each array of words the sampler looks at; it ignores the others, so
    they are set to a pattern that would show if it did not.
    """

    def __init__(self, bits: str, used: list[int], noise: int = 0) -> None:
        self.tape = bits
        self.used = list(used)
        self.noise = noise
        self.read = 0

    def _take(self, n: int) -> int:
        part = self.tape[self.read : self.read + n]
        part += ("01" * n)[: n - len(part)]  # a uniform number does not end in zeros for ever
        self.read += n
        return int(part, 2) if n else 0

    def words(self, count: int, dtype: object = np.uint64) -> np.ndarray:
        assert count == 1
        width = 8 * np.dtype(dtype).itemsize
        used = self.used.pop(0)
        rest = self.noise & (2 ** (width - used) - 1)
        return np.array([self._take(used) << (width - used) | rest], dtype=dtype)

    def bits(self, n: int) -> int:
        return self._take(n)


def outcome(law: Law, bits: str, precision: Precision, *, complement: bool = False, noise: int = 0) -> tuple[int, int]:
    """Return the draw that the bit string determines, and how many bits it took."""
    sampler = TableSampler(law, complement=complement, largest=2**62, precision=precision)
    tape = Tape(bits, [precision.cell_bits, precision.word_bits - precision.cell_bits], noise)
    out = np.empty(1, dtype=np.int64)
    sampler.draw_into(out, tape)
    return int(out[0]), tape.read


def binary(x: mpmath.mpf, n: int) -> str:
    """Return the first n binary digits of x in [0, 1)."""
    return format(int(mpmath.floor(x * mpmath.mpf(2) ** n)), f"0{n}b")


@cache
def tails(law: Law) -> list[mpmath.mpf]:
    """G(0), G(1), ... to 600 decimals."""
    with mpmath.workprec(2000):
        linear, quadratic = (mpmath.mpf(f.numerator) / f.denominator for f in (law.linear, law.quadratic))
        weights = [mpmath.exp(-(linear * j + quadratic * j * j)) for j in range(3000)]
        sums = list(accumulate(reversed(weights[1:])))[::-1]
        return [s / (2 * sums[0] + 1) for s in sums]


@pytest.mark.parametrize("agree", [10, 15, 16, 40, 63, 64, 65, 100, 127, 128, 129, 300])
@pytest.mark.parametrize("k", [0, 1, 5])
@pytest.mark.parametrize("law", LAWS[1:], ids=str)
def test_a_draw_beside_a_boundary_falls_on_the_right_side(law, k, agree):
    """V follows the binary digits of G(k) for `agree` places and then turns up or down: the rare paths, on purpose."""
    with mpmath.workprec(2000):
        digits = binary(tails(law)[k], 700)
    # G(k) < 1/2, so its first digit is 0: that place is the sign bit.
    place = digits.index("1", agree)
    below = digits[:place] + "0" + "1" * 700
    place = digits.index("0", agree)
    above = digits[:place] + "1" + "0" * 700
    for steps in (DEFAULT, TINY_STEPS):
        assert outcome(law, below, steps)[0] == k + 1
        assert outcome(law, above, steps)[0] == k
        assert outcome(law, "1" + below[1:], steps)[0] == -(k + 1)
        assert outcome(law, "1" + above[1:], steps)[0] == -k
    if agree > 64:
        assert outcome(law, below, DEFAULT)[1] > 64  # it did take the third step
    if agree > 128:
        assert outcome(law, below, DEFAULT)[1] > 128


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("zeros", [10, 20, 70, 200])
def test_deep_in_the_tail_the_draw_is_still_exact(law, zeros):
    """V so small that it lies beyond every boundary of the first lists."""
    bits = "0" * zeros + "1" + "01" * 600
    with mpmath.workprec(2000):
        v = mpmath.mpf(int(bits, 2)) / mpmath.mpf(2) ** len(bits)
        expected = sum(1 for tail in tails(law) if v < tail)
    for steps in (DEFAULT, TINY_STEPS, replace(TINY_STEPS, cell_bits=2, word_bits=3)):
        assert outcome(law, bits, steps)[0] == expected
        assert outcome(law, "1" + bits[1:], steps)[0] == -expected


bit_strings = st.text("01", min_size=150, max_size=150)


@given(st.sampled_from(LAWS), bit_strings, st.booleans(), st.integers(2, 16), st.integers(17, 64))
@settings(max_examples=150, deadline=None)
def test_precision_never_changes_the_outcome(law, bits, complement, cell_bits, word_bits):
    """The outcome is a function of the infinite bit string alone: the whole argument for exactness, as a property."""
    other = Precision(cell_bits=cell_bits, word_bits=word_bits)
    expected = outcome(law, bits, DEFAULT, complement=complement)[0]
    assert outcome(law, bits, TINY_STEPS, complement=complement)[0] == expected
    assert outcome(law, bits, other, complement=complement, noise=2**64 - 1)[0] == expected


@pytest.mark.parametrize("complement", [False, True])
@pytest.mark.parametrize("law", [*LAWS, Law.laplace(Fraction(200)), Law.gaussian(Fraction(40000))], ids=str)
def test_the_law_is_bracketed_by_counting(law, complement):
    """Count, over all 2**17 prefixes of 18 bits, which outcomes are decided: no statistics.

    A decided cell has that outcome for certain, so (decided cells) <= P(m) <= (decided + open cells), in cells.
    """
    bits = 18
    zeros = 2 if complement else 1
    low, high = tail_bounds(law, bits, zeros=zeros)
    prefixes = np.arange(2 ** (bits - 1), dtype=np.uint64)
    magnitude, decided = _magnitudes(
        np.array([*low, 2**64 - 1], dtype=np.uint64), np.array(high, dtype=np.uint64), prefixes
    )
    open_cells = int((~decided).sum())
    assert open_cells <= 2 * len(low)
    counts = np.bincount(magnitude[decided], minlength=len(low)) / 2.0**bits  # probability of one sign and magnitude
    weights = np.exp([-float(law.excess(0, j)) for j in range(len(low))])
    total = 2 * weights[1:].sum() + zeros
    true = weights / total
    if not complement:
        true[0] /= 2  # the one zero belongs half to each sign
    slack = 2 ** -(bits - 2)  # the neighbours' open cells
    assert (counts <= true + 1e-12).all()
    assert (true <= counts + slack).all()


def test_the_two_signs_share_one_zero():
    sampler = TableSampler(Law.laplace(Fraction(2)), complement=False, largest=2**62, precision=DEFAULT)
    positive, negative = sampler._table[: 2**15], sampler._table[2**15 :]
    assert (positive[-1], negative[-1]) == (0, 0)
    both = TableSampler(Law.laplace(Fraction(2)), complement=True, largest=2**62, precision=DEFAULT)
    assert (both._table[2**15 - 1], both._table[-1]) == (0, -1)


# ---------------------------------------------------------------------------------------------- coins


@pytest.mark.parametrize("x", [Fraction(1, 1000), Fraction(1, 3), Fraction(1, 2), Fraction(7, 10), Fraction(5)])
@pytest.mark.parametrize("agree", [3, 20, 29, 30, 31, 51, 52, 53, 60, 104, 130])
def test_a_coin_beside_its_bias_falls_on_the_right_side(x, agree):
    with mpmath.workprec(2000):
        digits = binary(mpmath.exp(-mpmath.mpf(x.numerator) / x.denominator), 600)
    place = digits.index("1", agree)
    below = digits[:place] + "0" + "1" * 600
    place = digits.index("0", agree)
    above = digits[:place] + "1" + "0" * 600
    for steps in (DEFAULT, TINY_STEPS):
        assert tossed(x, below, steps)
        assert not tossed(x, above, steps)


def tossed(x: Fraction, bits: str, precision: Precision) -> bool:
    tape = Tape(bits, [precision.coin_bits, precision.coin_word_bits - precision.coin_bits])
    first = tape.words(1) >> np.uint64(64 - precision.coin_bits)
    return bool(toss(np.array([float(x)]), first, lambda i: x, tape, precision)[0])


@given(st.fractions(0, 6, max_denominator=10**6), bit_strings, st.integers(1, 30), st.integers(31, 52))
@settings(max_examples=200, deadline=None)
def test_precision_never_changes_a_coin(x, bits, coin_bits, coin_word_bits):
    expected = toss_exactly(x, 0, 0, Tape("", [])) if x == 0 else tossed(x, bits, DEFAULT)
    other = replace(DEFAULT, coin_bits=coin_bits, coin_word_bits=coin_word_bits, slack=2.0**-12)
    for steps in (TINY_STEPS, other):
        assert tossed(x, bits, steps) == expected
    u = int(bits[:20], 2)
    assert toss_exactly(x, u, 20, Tape(bits[20:], [])) == expected


def test_a_coin_without_doubt_always_accepts():
    """x = 0: also the topmost cell of U must accept, and the loop must end."""
    for steps in (DEFAULT, TINY_STEPS):
        assert tossed(Fraction(0), "1" * 400, steps)


@pytest.mark.parametrize("x", [0.0, 1e-3, 0.1, 0.3, 0.5])
def test_all_coins_of_eight_bits_are_bracketed(x):
    """Steps 1 and 2 on every 8-bit prefix: accepted for certain is right at the cell's upper end, and so on."""
    steps = replace(DEFAULT, coin_bits=8, coin_word_bits=9)

    class Both:
        """Hands out a zero, then a one, as the ninth bit; a third step may not be reached away from the bias."""

        def __init__(self, bit: int) -> None:
            self.bit = bit

        def words(self, count: int, dtype: object = np.uint64) -> np.ndarray:
            return np.full(count, self.bit << 63, dtype=np.uint64)

    bias = float(mpmath.exp(-x))
    for bit in (0, 1):
        for prefix in range(256):
            u = prefix / 256 + bit / 512
            if u < bias < u + 1 / 512 or bias in {u, u + 1 / 512}:
                continue  # this cell holds the bias: it takes the exact step
            accepted = toss(np.array([x]), np.array([prefix], dtype=np.uint64), None, Both(bit), steps)[0]
            assert accepted == (u < bias), (prefix, bit)


# ---------------------------------------------------------------------------------------------- wide laws


@pytest.mark.parametrize("law", [Law.laplace(Fraction(300)), Law.gaussian(Fraction(10**8, 3))], ids=str)
def test_the_floating_point_exponent_is_within_its_bound(law):
    sampler = LayeredSampler(law, largest=2**62, precision=DEFAULT)
    rng = np.random.default_rng(1)
    t = rng.integers(0, 2**12, 500)
    t[:10] = 2**55  # absurdly far out: no integer overflow may spoil the float
    extra = rng.integers(0, 2**sampler._shift + 1, 500)
    floats = sampler._excess(t, extra)
    for number, base, step in zip(floats, t.tolist(), extra.tolist(), strict=True):
        exact = law.excess(base << sampler._shift, step)
        assert abs(Fraction(float(number)) - exact) <= max(exact, 1) * Fraction(1, 2**50)
        assert exact == sampler._exact_excess(base, step)
        assert exact == law.excess(0, (base << sampler._shift) + step) - law.excess(0, base << sampler._shift)


@pytest.mark.parametrize("scale", [257, 300, 1000, Fraction(12345678, 1000), 2**20, 2**40])
@pytest.mark.parametrize("make", [Law.laplace, lambda s: Law.gaussian(s**2)])
def test_the_split_suits_the_scale(make, scale):
    sampler = LayeredSampler(make(Fraction(scale)), largest=2**62, precision=DEFAULT)
    assert 64 < Fraction(scale) / 2**sampler._shift <= 128
    assert sampler._shift + DEFAULT.coin_bits <= 64  # low bits and coin fit one word without overlap


def test_each_integer_is_proposed_in_exactly_one_way():
    """Enumerate sign, t and low bits: the signed results are the integers, once each."""
    shift = 3
    sampler = LayeredSampler(
        Law.laplace(Fraction(8)), largest=2**62, precision=replace(DEFAULT, table_scale=1, coarse_scale=1)
    )
    assert sampler._shift == shift
    seen = []
    for coarse in range(-4, 4):

        class Fixed:
            def draw_into(self, out: np.ndarray, source: object, coarse: int = coarse) -> None:
                out[:] = coarse

        class Low:
            def words(self, count: int, dtype: object = np.uint64) -> np.ndarray:
                return np.arange(count, dtype=np.uint64)  # coins of zero accept anything

        sampler._coarse = Fixed()
        seen.extend(sampler._propose(2**shift, Low()).tolist())
    assert sorted(seen) == list(range(-32, 32))


@pytest.mark.parametrize("make", [Law.laplace, lambda s: Law.gaussian(s**2)])
def test_nothing_wraps_even_at_the_end_of_the_world(make, monkeypatch):
    """A coarse draw at its bound, as millions of zero bits would give it, at the largest scale."""
    monkeypatch.setattr(layered, "toss", lambda x, *_: np.ones(x.shape, dtype=bool))
    sampler = LayeredSampler(make(Fraction(2**40)), largest=2**62, precision=DEFAULT)
    bound = 2**62 >> sampler._shift
    assert sampler._coarse._largest == bound

    class Extreme:
        def draw_into(self, out: np.ndarray, source: object) -> None:
            out[::2] = bound
            out[1::2] = ~bound

    class Ones:
        def words(self, count: int, dtype: object = np.uint64) -> np.ndarray:
            return np.full(count, 2**sampler._shift - 1, dtype=np.uint64)

    sampler._coarse = Extreme()
    drawn = sampler._propose(64, Ones())
    assert drawn.size > 0
    assert (np.abs(drawn) >= 2**62).all()
    assert (np.abs(drawn.astype(object)) <= 2**62 + 2**34).all()
    assert set(np.sign(drawn)) <= {-1, 1}


def test_a_magnitude_beyond_the_bound_is_set_to_it():
    law = Law.laplace(Fraction(3))
    sampler = TableSampler(law, complement=False, largest=40, precision=DEFAULT)
    out = np.empty(1, dtype=np.int64)
    sampler.draw_into(out, Tape("0" * 200 + "1" * 900, [16, 48]))
    assert out[0] == 40
    sampler.draw_into(out, Tape("1" + "0" * 200 + "1" * 900, [16, 48]))
    assert out[0] == -40


def test_blocks_join_without_a_gap(monkeypatch):
    """Results do not depend on where a long batch is cut into passes, and no place is left unwritten."""
    monkeypatch.setattr(inversion, "_CHUNK", 7)
    monkeypatch.setattr(inversion, "_BLOCK", 31)
    monkeypatch.setattr(layered, "_CHUNK", 13)
    for law in (Law.laplace(Fraction(5)), Law.gaussian(Fraction(10**12))):
        drawn = draw(law, 5000, InsecureRandom(insecure_seed=3))
        width = 5 if law.linear else 10**6
        assert np.abs(drawn).max() < 30 * width
        assert abs(drawn.mean()) < 0.2 * width
        halves = drawn[:2500].std() / drawn[2500:].std()
        assert 0.85 < halves < 1.15
