"""The choice of parameters: security, correctness, size, refusals."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.errors import InvalidArgument, RangeOverflow
from pets.he.arithmetic import ntt_primes
from pets.he.choice import choose_parameters
from pets.he.parameters import CLASSICAL, QUANTUM, Parameters

STANDARD_2018 = {1024: 27, 2048: 54, 4096: 109, 8192: 218}
GUIDELINES_2024 = {1024: 26, 2048: 53, 4096: 106, 8192: 214}


def test_the_table_is_the_stricter_of_both():
    assert {n: min(STANDARD_2018[n], GUIDELINES_2024[n]) for n in STANDARD_2018} == CLASSICAL
    assert all(QUANTUM[n] < CLASSICAL[n] for n in CLASSICAL)


@given(
    total=st.integers(1, 2**58),
    additions=st.integers(1, 200),
    values=st.integers(1, 30_000),
    mode=st.sampled_from(["public", "seeded"]),
    quantum=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_what_is_chosen_is_secure_and_decrypts(total, additions, values, mode, quantum):
    try:
        chosen = choose_parameters(total_bound=total, additions=additions, values=values, mode=mode, quantum=quantum)
    except RangeOverflow:
        assert quantum or total > 2**50
        return
    assert math.log2(chosen.modulus) <= (QUANTUM if quantum else CLASSICAL)[chosen.dimension]
    assert chosen.decrypts and chosen.noise_budget > 0
    assert chosen.base**chosen.digits <= 2**chosen.plain_bits
    assert chosen.used * chosen.digits >= values
    alone = choose_parameters(
        total_bound=total, additions=additions, values=values, mode=mode, quantum=quantum, pack=False
    )
    assert chosen.ciphertext_bytes <= alone.ciphertext_bytes


@pytest.mark.parametrize(
    ("mode", "bits", "most"), [("seeded", 31, 7.8), ("public", 31, 15.5), ("seeded", 18, 3.9), ("public", 17, 7.8)]
)
def test_bytes_of_ten_sites_with_ten_thousand_counts(mode, bits, most):
    chosen = choose_parameters(total_bound=2**bits, additions=10, values=10_000, mode=mode)
    assert chosen.bytes_per_value <= most
    assert chosen.digits >= (2 if bits < 20 else 1)


def test_the_noise_bound_is_the_formula_written_down():
    chosen = choose_parameters(total_bound=2**20, additions=10, values=10_000)
    n, used = chosen.dimension, chosen.used
    proxy = 10 * (10.5 + 10.5 * n + (2 / 3) * 1.6 * n * 10.5)
    assert chosen.noise_bound == math.ceil(math.sqrt(2 * proxy * math.log(2 * used * 2**65))) + 10
    seeded = choose_parameters(total_bound=2**20, additions=10, values=10_000, mode="seeded")
    assert seeded.noise_bound == math.ceil(math.sqrt(210 * math.log(2 * seeded.used * 2**65))) + 10
    assert math.exp(-1024 * (0.6 - math.log(1.6)) / 2) < 2**-95  # the norms of secrets


def test_parameters_below_128_bits_are_refused():
    chosen = choose_parameters(total_bound=2**20, additions=10, values=10_000)
    assert chosen.dimension == 2048
    with pytest.raises(InvalidArgument, match="128-bit"):
        replace(chosen, primes=ntt_primes(2048, 54, 1))
    with pytest.raises(InvalidArgument, match="128-bit"):
        replace(chosen, primes=ntt_primes(2048, 53, 1), quantum=True)
    with pytest.raises(InvalidArgument, match="128-bit"):
        replace(chosen, dimension=512)


def test_a_modulus_that_is_too_small_is_refused():
    chosen = choose_parameters(total_bound=2**20, additions=10, values=10_000)
    smaller = ntt_primes(chosen.dimension, chosen.modulus.bit_length() - 1, 1)
    for change in ({"primes": smaller}, {"additions": 10**4}, {"total_bound": 2**22}, {"digits": 2}):
        with pytest.raises(RangeOverflow):
            replace(chosen, **change)


@pytest.mark.parametrize("flooding", [1, 14, 40])
def test_flooding_is_stated_as_it_is(flooding):
    chosen = choose_parameters(total_bound=2**20, additions=10, values=10_000, key_holders=10, flooding_bits=flooding)
    assert flooding <= chosen.flooding_bits <= flooding + 1
    distance = chosen.used * chosen.noise_bound / 2 ** (chosen.flood_bits + 1)
    assert math.isclose(chosen.flooding_distance_bits, -math.log2(distance))
    assert 2 * chosen.total_noise * 2**chosen.plain_bits < chosen.modulus
    assert f"{chosen.flooding_bits:.0f} bits above the noise" in repr(chosen)


@pytest.mark.parametrize(
    "change",
    [
        {"total_bound": 0}, {"total_bound": 1.5}, {"total_bound": True}, {"additions": 0}, {"additions": 2**17},
        {"values": 0}, {"values": 2**27}, {"mode": "symmetric"}, {"key_holders": 0}, {"key_holders": 3},
        {"flooding_bits": 3}, {"key_holders": 3, "flooding_bits": 3, "mode": "seeded"}, {"most_primes": 5},
        {"reserve_bits": -1},
    ],
)  # fmt: skip
def test_arguments_out_of_range_are_named(change):
    with pytest.raises(InvalidArgument) as caught:
        choose_parameters(**({"total_bound": 100, "additions": 3, "values": 10} | change))
    assert caught.value.argument in {"flooding_bits", "mode"} | set(change)


def test_totals_that_fit_nowhere_are_refused():
    for change in ({"total_bound": 2**60}, {"total_bound": 2**40, "key_holders": 9, "flooding_bits": 60}):
        with pytest.raises(RangeOverflow, match="128-bit"):
            choose_parameters(**({"additions": 9, "values": 10} | change))


def test_digest_and_representation_tell_parameters_apart():
    one = choose_parameters(total_bound=2**20, additions=10, values=10_000)
    assert one == choose_parameters(total_bound=2**20, additions=10, values=10_000)
    others = [choose_parameters(total_bound=2**20, additions=10, values=9_999), replace(one, additions=9)]
    assert len({p.digest for p in [one, *others]}) == 3
    assert isinstance(one, Parameters) and f"{one.bytes_per_value:.2f} bytes per value" in repr(one)
