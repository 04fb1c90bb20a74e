"""Shamir's sharing: against interpolation in plain integers, every subset, every set of liars up to the bound."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pets.csprng import InsecureRandom
from pets.errors import EntropyError, InvalidArgument
from pets.mpc import field, shamir
from pets.mpc.faults import SharesDisagree
from pets.mpc.field import LARGEST, MODULUS


def source(seed: int = 1):
    stream = InsecureRandom(insecure_seed=seed)

    def random(n: int) -> bytes:
        drawn = bytearray(n)
        stream.fill(drawn)
        return bytes(drawn)

    return random


def polynomial_at(x: int, points, values) -> int:
    """Lagrange's formula in Python's integers: independent of the code under test."""
    result = 0
    for i, (x_i, y_i) in enumerate(zip(points, values, strict=True)):
        others = [x_j for j, x_j in enumerate(points) if j != i]
        top = math.prod(x - x_j for x_j in others)
        bottom = math.prod(x_i - x_j for x_j in others)
        result += int(y_i) * top * pow(bottom, -1, MODULUS)
    return result % MODULUS


VALUES = np.array([0, 1, -1, LARGEST, -LARGEST, 123456789], dtype=np.int64)


@pytest.mark.parametrize(("parties", "threshold"), [(2, 2), (3, 2), (5, 3), (5, 5), (7, 4)])
def test_shares_lie_on_a_polynomial_with_the_value_at_zero(parties, threshold):
    shares = shamir.share(VALUES, parties, threshold, source())
    assert shares.shape == (parties, len(VALUES))
    points = range(1, threshold + 1)
    for column, value in enumerate(VALUES.tolist()):
        known = shares[:threshold, column]
        assert polynomial_at(0, points, known) == value % MODULUS
        for x in range(threshold + 1, parties + 1):
            assert polynomial_at(x, points, known) == int(shares[x - 1, column])


@pytest.mark.parametrize(("parties", "threshold"), [(p, t) for p in range(2, 7) for t in range(2, p + 1)])
def test_every_large_enough_subset_gives_the_values(parties, threshold):
    shares = shamir.share(VALUES, parties, threshold, source())
    for size in range(threshold, parties + 1):
        for subset in (
            itertools.permutations(range(1, parties + 1), size)
            if parties < 5
            else itertools.combinations(range(1, parties + 1), size)
        ):
            rows = shares[[x - 1 for x in subset]]
            assert shamir.reconstruct(subset, rows, threshold).tolist() == VALUES.tolist()


@settings(max_examples=40)
@given(st.data(), st.integers(2, 40))
def test_any_values_come_back(data, parties):
    threshold = data.draw(st.integers(2, parties))
    values = np.array(data.draw(st.lists(st.integers(-LARGEST, LARGEST), max_size=5)), dtype=np.int64)
    shares = shamir.share(values, parties, threshold, source(data.draw(st.integers(0, 99))))
    points = data.draw(st.permutations(range(1, parties + 1)))[: data.draw(st.integers(threshold, parties))]
    assert shamir.reconstruct(points, shares[[x - 1 for x in points]], threshold).tolist() == values.tolist()


@pytest.mark.parametrize("size", [1, 63, 64, 65, 128, 129, 2000])
def test_blocks_join_without_a_seam(monkeypatch, size):
    values = np.arange(-7, size - 7)
    monkeypatch.setattr(shamir, "_BLOCK", 100)
    shares = shamir.share(values, 5, 3, source())
    assert (shamir.reconstruct([5, 1, 3], shares[[4, 0, 2]], 3) == values).all()


def test_shares_add():
    left, right = np.array([5, -7, LARGEST // 2]), np.array([-9, -8, LARGEST // 2])
    sums = field.add(shamir.share(left, 5, 3, source(1)), shamir.share(right, 5, 3, source(2)))
    assert (shamir.reconstruct([2, 4, 5], sums[[1, 3, 4]], 3) == left + right).all()
    many = field.total([shamir.share(left, 5, 3, source(i)) for i in range(20)])
    with pytest.raises(AssertionError):  # 20 times the third value leaves the field: a specification must refuse it
        assert (shamir.reconstruct([1, 2, 3], many[:3], 3) == 20 * left).all()
    assert (shamir.reconstruct([1, 2, 3], many[:3], 3)[:2] == 20 * left[:2]).all()


# ------------------------------------------------------------------------------------------- secrecy


def buckets(shares: np.ndarray) -> np.ndarray:
    """Return the joint cell of the rows' top three bits."""
    top = (shares >> np.uint64(58)).astype(np.int64)
    return sum(row << (3 * i) for i, row in enumerate(top))


@pytest.mark.parametrize("coalition", list(itertools.combinations(range(5), 2)))
def test_any_two_of_threshold_three_see_the_same_whatever_the_value(coalition):
    counts = []
    for seed, value in enumerate((0, 1, -LARGEST)):
        shares = shamir.share(np.full(40_000, value), 5, 3, source(seed))[list(coalition)]
        counts.append(np.bincount(buckets(shares), minlength=64))
        assert stats.chisquare(counts[-1]).pvalue > 1e-6
    assert stats.chi2_contingency(np.array(counts)).pvalue > 1e-6


def test_three_of_three_see_the_value():
    """The look at secrecy has power: with the third share, value and cell belong together."""
    shares = shamir.share(np.zeros(40_000, dtype=np.int64), 5, 3, source())[:3]
    assert stats.chisquare(np.bincount(buckets(shares), minlength=512)).pvalue < 1e-12


@pytest.mark.parametrize("wrong_mask", [2**60 - 1, MODULUS - 1, 2**61 - 1 - 2**58])
def test_a_biased_coefficient_is_seen(monkeypatch, wrong_mask):
    honest = field.uniform
    monkeypatch.setattr(field, "uniform", lambda random, count: honest(random, count) & np.uint64(wrong_mask))
    shares = shamir.share(np.zeros(40_000, dtype=np.int64), 3, 2, source())
    coarse = stats.chisquare(np.bincount(buckets(shares[:1]), minlength=8)).pvalue
    low_bit = stats.chisquare(np.bincount((shares[0] & np.uint64(1)).astype(np.int64), minlength=2)).pvalue
    assert min(coarse, low_bit) < 1e-9


def test_every_coefficient_is_drawn():
    asked = []
    shamir.share(np.arange(10), 5, 4, lambda n: asked.append(n) or bytes(n))
    assert sum(asked) == 8 * 3 * 10


# ------------------------------------------------------------------------------------------- wrong shares


def corrupt(shares: np.ndarray, rows, columns, seed: int = 3) -> np.ndarray:
    spoiled = shares.copy()
    noise = field.uniform(source(seed), shares.size).reshape(shares.shape) | np.uint64(1)
    for row in rows:
        spoiled[row, columns] = field.add(spoiled[row, columns], noise[row, columns])
    return spoiled


@pytest.mark.parametrize(("parties", "threshold"), [(5, 3), (7, 3), (6, 2), (7, 5)])
def test_liars_up_to_the_capacity_are_named_and_corrected(parties, threshold):
    shares = shamir.share(VALUES, parties, threshold, source())
    points = tuple(range(1, parties + 1))
    for count in range(1, (parties - threshold) // 2 + 1):
        for liars in itertools.combinations(range(parties), count):
            spoiled = corrupt(shares, liars, [2, 4])
            named = tuple(i + 1 for i in liars)
            with pytest.raises(SharesDisagree) as caught:
                shamir.reconstruct(points, spoiled, threshold)
            assert caught.value.suspects == named
            recovered = shamir.correct(points, spoiled, threshold)
            assert recovered.wrong == named
            assert recovered.values.tolist() == VALUES.tolist()


@pytest.mark.parametrize(("parties", "threshold"), [(5, 3), (7, 3), (6, 4)])
def test_liars_up_to_the_distance_are_always_noticed(parties, threshold):
    shares = shamir.share(VALUES, parties, threshold, source())
    for count in range(1, parties - threshold + 1):
        for liars in itertools.combinations(range(parties), count):
            with pytest.raises(SharesDisagree):
                shamir.reconstruct(range(1, parties + 1), corrupt(shares, liars, [3]), threshold)


def test_one_more_liar_than_the_distance_can_go_unnoticed():
    """The stated bound is tight: `n - t + 1` conspirators can put another polynomial in place."""
    honest = shamir.share(np.array([5]), 5, 3, source(1))
    zero_at_two = shamir.share_elements(np.array([1], dtype=np.uint64), 5, 3, source(2))
    shift = zero_at_two.copy()  # a polynomial through (0, 1) that vanishes at points 1 and 2
    for x in range(1, 6):
        shift[x - 1] = polynomial_at(x, [0, 1, 2], [1, 0, 0])
    assert shamir.reconstruct(range(1, 6), field.add(honest, shift), 3).tolist() == [6]


def test_liars_in_different_columns_are_all_named():
    shares = shamir.share(np.arange(50), 9, 3, source())
    spoiled = corrupt(corrupt(corrupt(shares, [0], [0]), [4], [7, 8]), [8], [49])
    assert shamir.correct(range(1, 10), spoiled, 3).wrong == (1, 5, 9)
    assert shamir.correct(range(1, 10), spoiled, 3).values.tolist() == list(range(50))


def test_too_many_liars_are_not_named():
    shares = shamir.share(np.arange(50), 7, 3, source())
    spoiled = corrupt(corrupt(shares, [0, 1], [0]), [4], [7])
    for solve in (shamir.correct, shamir.reconstruct):
        with pytest.raises(SharesDisagree, match="more than 2 of 7") as caught:
            solve(range(1, 8), spoiled, 3)
        assert caught.value.suspects == ()


def test_without_extra_shares_nothing_is_checked():
    shares = corrupt(shamir.share(np.array([1]), 5, 3, source()), [0], [0])
    assert shamir.reconstruct([1, 2, 3], shares[:3], 3).tolist() != [1]


@settings(max_examples=30)
@given(st.data(), st.integers(4, 20))
def test_random_liars(data, parties):
    threshold = data.draw(st.integers(2, parties - 2))
    liars = data.draw(st.sets(st.integers(0, parties - 1), max_size=(parties - threshold) // 2))
    points = data.draw(st.permutations(range(1, parties + 1)))
    shares = shamir.share(VALUES, parties, threshold, source())[[x - 1 for x in points]]
    spoiled = shares.copy()
    for row in liars:
        change = data.draw(st.integers(1, MODULUS - 1))
        spoiled[row, data.draw(st.integers(0, 5))] ^= np.uint64(change & 0xFF or 1)
    spoiled %= np.uint64(MODULUS)
    recovered = shamir.correct(points, spoiled, threshold)
    assert recovered.wrong == tuple(sorted(points[i] for i in liars if (spoiled[i] != shares[i]).any()))
    assert recovered.values.tolist() == VALUES.tolist()


# ------------------------------------------------------------------------------------------- secrets of 32 bytes


@settings(max_examples=40)
@given(st.lists(st.binary(min_size=32, max_size=32), max_size=4), st.integers(2, 30), st.data())
def test_secrets_come_back(secrets, parties, data):
    threshold = data.draw(st.integers(2, parties))
    shares = shamir.share_secrets(secrets, parties, threshold, source())
    assert shares.shape == (parties, 5 * len(secrets))
    points = data.draw(st.permutations(range(1, parties + 1)))[:threshold]
    assert shamir.reconstruct_secrets(points, shares[[x - 1 for x in points]], threshold) == secrets


@pytest.mark.parametrize("bit", range(256))
def test_each_bit_of_a_secret_has_its_place(bit):
    secret = (1 << bit).to_bytes(32, "little")
    shares = shamir.share_secrets([secret, b"\xff" * 32], 3, 2, source())
    limbs = [polynomial_at(0, [1, 2], shares[:2, i]) for i in range(5)]
    assert sum(limb << (52 * i) for i, limb in enumerate(limbs)) == 1 << bit
    assert shamir.reconstruct_secrets([3, 1], shares[[2, 0]], 2) == [secret, b"\xff" * 32]


def test_a_hundred_sites():
    secrets = [bytes([i]) * 32 for i in range(100)]
    shares = shamir.share_secrets(secrets, 100, 67, source())
    assert shamir.reconstruct_secrets(range(34, 101), shares[33:], 67) == secrets
    spoiled = corrupt(shares, range(16), slice(None))
    with pytest.raises(SharesDisagree) as caught:
        shamir.reconstruct_secrets(range(1, 101), spoiled, 67)
    assert caught.value.suspects == tuple(range(1, 17))


def test_shares_of_no_secret_are_refused():
    too_large = shamir.share_elements(np.array([0, 0, 0, 0, 2**48], dtype=np.uint64), 3, 2, source())
    with pytest.raises(SharesDisagree, match="no secret"):
        shamir.reconstruct_secrets([1, 2], too_large[:2], 2)
    too_large = shamir.share_elements(np.array([0, 2**52, 0, 0, 0], dtype=np.uint64), 3, 2, source())
    with pytest.raises(SharesDisagree, match="no secret"):
        shamir.reconstruct_secrets([1, 2], too_large[:2], 2)


# ------------------------------------------------------------------------------------------- bad arguments

GOOD = shamir.share(np.array([1, 2]), 5, 3, source())


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("values", lambda: shamir.share(np.zeros((2, 2), dtype=np.int64), 3, 2, source())),
        ("values", lambda: shamir.share(np.array([0.5]), 3, 2, source())),
        ("values", lambda: shamir.share([1], 3, 2, source())),
        ("parties", lambda: shamir.share(np.array([1]), 1, 1, source())),
        ("parties", lambda: shamir.share(np.array([1]), 513, 1, source())),
        ("threshold", lambda: shamir.share(np.array([1]), 3, 1, source())),
        ("threshold", lambda: shamir.share(np.array([1]), 3, 4, source())),
        ("points", lambda: shamir.reconstruct([1, 2, 2], GOOD[:3], 3)),
        ("points", lambda: shamir.reconstruct([0, 1, 2], GOOD[:3], 3)),
        ("points", lambda: shamir.reconstruct([1, 2, 513], GOOD[:3], 3)),
        ("points", lambda: shamir.reconstruct([1, 2, "3"], GOOD[:3], 3)),
        ("threshold", lambda: shamir.reconstruct([1, 2], GOOD[:2], 3)),
        ("threshold", lambda: shamir.reconstruct([1], GOOD[:1], 1)),
        ("shares", lambda: shamir.reconstruct([1, 2, 3], GOOD[:2], 3)),
        ("shares", lambda: shamir.reconstruct([1, 2, 3], GOOD[:3].astype(np.int64), 3)),
        ("shares", lambda: shamir.reconstruct([1, 2, 3], GOOD[:3, 0], 3)),
        ("shares", lambda: shamir.reconstruct([1, 2, 3], GOOD[:3] | np.uint64(2**63), 3)),
        ("shares", lambda: shamir.reconstruct_secrets([1, 2, 3], GOOD[:3], 3)),
        ("secrets", lambda: shamir.share_secrets([bytes(31)], 3, 2, source())),
        ("secrets", lambda: shamir.share_secrets(["x" * 32], 3, 2, source())),
    ],
)
def test_bad_arguments_are_named(argument, call):
    with pytest.raises(InvalidArgument) as caught:
        call()
    assert caught.value.argument == argument


def test_a_source_that_runs_dry_is_an_error():
    with pytest.raises(EntropyError):
        shamir.share(np.array([1]), 3, 2, lambda n: b"")
