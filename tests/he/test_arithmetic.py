"""Exact arithmetic, bit packing and sampling, against Python's own integers and the laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.csprng import InsecureRandom
from pets.errors import MessageRejected
from pets.he import sampling
from pets.he.arithmetic import add, centre, divide_product, high_product, is_prime, lift, negate, ntt_primes
from pets.he.bits import pack, packed_bytes, unpack

words = st.integers(0, 2**64 - 1)
edges = st.sampled_from([0, 1, 2**32 - 1, 2**32, 2**63, 2**64 - 2**32, 2**64 - 1])
PRIMES = [ntt_primes(1024, 20, 1)[0], ntt_primes(2048, 53, 1)[0], ntt_primes(4096, 60, 1)[0]]


@given(x=words | edges, factor=words | edges)
def test_high_product_is_the_upper_word(x, factor):
    assert int(high_product(np.array([x], dtype=np.uint64), factor)[0]) == x * factor >> 64


@given(x=words | edges, share=st.integers(0, 2**60), prime=st.sampled_from(PRIMES))
def test_division_of_products_is_exact(x, share, prime):
    factor = share % prime
    quotient, remainder = divide_product(np.array([x], dtype=np.uint64), factor, prime)
    assert (int(quotient[0]), int(remainder[0])) == ((x * factor // prime) % 2**64, x * factor % prime)


@given(values=st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=20), prime=st.sampled_from(PRIMES))
def test_lift_add_negate_and_centre_agree_with_integers(values, prime):
    lifted = lift(np.array(values, dtype=np.int64), (prime,))
    assert lifted[0].tolist() == [v % prime for v in values]
    assert not add(lifted, negate(lifted, (prime,)), (prime,)).any()
    assert add(lifted, lifted, (prime,))[0].tolist() == [2 * v % prime for v in values]
    centred = centre(lifted[0], prime).tolist()
    assert all((c - v) % prime == 0 and 2 * abs(c) < prime for c, v in zip(centred, values, strict=True))


def test_primes_are_prime_of_one_width_and_fit_the_transform():
    for dimension, bits, count in ((1024, 20, 1), (2048, 53, 1), (4096, 53, 2), (8192, 54, 3)):
        found = ntt_primes(dimension, bits, count)
        assert len(set(found)) == count
        for prime in found:
            assert prime % (2 * dimension) == 1 and prime.bit_length() == bits
            assert pow(3, prime - 1, prime) == 1 and is_prime(prime)
    assert not is_prime(3215031751)  # the smallest composite that fools bases 2, 3, 5 and 7
    assert [n for n in range(50) if is_prime(n)] == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47]


@given(width=st.integers(1, 63), groups=st.integers(0, 5), seed=st.integers(0, 2**32))
@settings(max_examples=60)
def test_packing_keeps_every_bit_and_wastes_none(width, groups, seed):
    values = InsecureRandom(insecure_seed=seed).words(64 * groups) >> np.uint64(64 - width)
    packed = pack(values, width)
    assert len(packed) == packed_bytes(values.size, width) == math.ceil(values.size * width / 8)
    assert np.array_equal(unpack(packed, values.size, width), values)


def test_packing_of_the_largest_values_and_wrong_lengths():
    values = np.full(128, 2**53 - 1, dtype=np.uint64)
    packed = pack(values, 53)
    assert set(packed) == {255}
    for wrong in (packed[:-1], packed + b"\0", b""):
        with pytest.raises(MessageRejected):
            unpack(wrong, 128, 53)


def test_secrets_and_noise_follow_their_laws():
    random = InsecureRandom(insecure_seed=7)
    n = 400_000
    trits = sampling.ternary(n, random)
    assert np.abs(np.bincount(trits + 1) / n - 1 / 3).max() < 5 * math.sqrt(2 / 9 / n)
    errors = sampling.noise(n, random)
    exact = np.array([math.comb(42, k) for k in range(43)]) / 2**42
    seen = np.bincount(errors + 21, minlength=43) / n
    assert (np.abs(seen - exact) < 5 * np.sqrt(exact / n) + 5 / n).all()
    drowned = sampling.flood(n, 10, random)
    assert drowned.min() == -1024 and drowned.max() == 1023
    assert abs(drowned.mean() + 0.5) < 5 * 591 / math.sqrt(n)
    assert int(np.abs(sampling.flood(64, 62, random)).max()) <= 2**62


def test_ternary_secrets_are_exactly_uniform():
    """Over all byte values, once each: a bias too small for a sample would still show."""

    class EveryByte:
        def words(self, count, dtype):
            return np.resize(np.arange(256, dtype=np.uint8), 256)

    assert np.bincount(sampling.ternary(255, EveryByte()) + 1).tolist() == [85, 85, 85]


def test_expansion_is_uniform_deterministic_and_separated():
    prime = ntt_primes(1024, 20, 1)[0]
    rows = sampling.expand(bytes(32), "a", 200_000, prime)
    assert rows.size == 200_000 and int(rows.max()) < prime
    assert np.array_equal(rows, sampling.expand(bytes(32), "a", 200_000, prime))
    buckets = np.bincount((rows * 16 // prime).astype(np.int64), minlength=16) / rows.size
    assert np.abs(buckets - 1 / 16).max() < 5 * math.sqrt(15 / 256 / rows.size)
    assert not np.array_equal(rows[:64], sampling.expand(bytes(32), "b", 64, prime))
    assert not np.array_equal(rows[:64], sampling.expand(b"\1" + bytes(31), "a", 64, prime))
    narrow = 2**19 + 21  # close to half of its width: nearly half of all words are thrown away
    assert int(sampling.expand(bytes(32), "a", 5000, narrow).max()) < narrow
