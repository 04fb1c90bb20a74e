"""What goes in and comes out: types, shapes, refusals, reproducibility, caching."""

from __future__ import annotations

import threading
from contextlib import suppress
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.csprng import InsecureRandom
from pets.dp import samplers
from pets.dp.samplers import (
    LARGEST_SCALE,
    Law,
    discrete_gaussian,
    discrete_gaussian_of_variance,
    discrete_laplace,
    draw,
)
from pets.errors import EntropyError, InvalidArgument

SAMPLERS = [(discrete_laplace, "scale"), (discrete_gaussian, "sigma"), (discrete_gaussian_of_variance, "variance")]
each_sampler = pytest.mark.parametrize(("sampler", "argument"), SAMPLERS, ids=[name for _, name in SAMPLERS])


NOT_POSITIVE = [0, -1, 0.0, -0.5, Fraction(-1, 3), float("nan"), float("inf"), -float("inf"), True, False]
NO_NUMBERS = [None, "wide", "", [], {}, 1j, object(), np.array([1, 2]), "1/0", "nan", "1e999999999"]


@each_sampler
@pytest.mark.parametrize("scale", NOT_POSITIVE + NO_NUMBERS, ids=lambda x: repr(x)[:12])
def test_a_bad_scale_is_named(sampler, argument, scale):
    with pytest.raises(InvalidArgument) as caught:
        sampler(scale, 3)
    assert caught.value.argument == argument


@each_sampler
@pytest.mark.parametrize(
    "size", [-1, (2, -1), 1.0, "3", None, True, (True,), [2, 3], (2.5,), np.nan, 2**32 + 1, (2**20, 2**20), (0, 2**40)]
)
def test_a_bad_size_is_named(sampler, argument, size):
    with pytest.raises(InvalidArgument) as caught:
        sampler(1, size)
    assert caught.value.argument == "size"


@each_sampler
def test_a_shape_of_too_many_axes_is_refused(sampler, argument):
    with pytest.raises(InvalidArgument) as caught:
        sampler(1, (1,) * 33)
    assert caught.value.argument == "size"


@each_sampler
@pytest.mark.parametrize("seed", [-1, True, 1.5, "1"])
def test_a_bad_seed_is_named(sampler, argument, seed):
    with pytest.raises(InvalidArgument) as caught:
        sampler(1, 3, insecure_seed=seed)
    assert caught.value.argument == "insecure_seed"


@each_sampler
def test_too_wide_noise_is_refused_and_the_widest_is_not(sampler, argument):
    widest = LARGEST_SCALE**2 if argument == "variance" else LARGEST_SCALE
    assert sampler(widest, 5).shape == (5,)
    for wider in (widest + 1, Fraction(widest) + Fraction(1, 10**30), float(widest) * 1.001, 10**400):
        with pytest.raises(InvalidArgument) as caught:
            sampler(wider, 5)
        assert caught.value.argument == argument


positive_numbers = (
    st.integers(1, 2**40)
    | st.fractions(min_value=Fraction(1, 10**9), max_value=2**40)
    | st.floats(min_value=5e-324, max_value=2.0**40)
    | st.decimals(min_value="1e-20", max_value="1e12", allow_nan=False).map(str)
)


@given(st.sampled_from(SAMPLERS), positive_numbers, st.integers(0, 50))
@settings(max_examples=150, deadline=None)
def test_any_positive_number_is_a_scale(chosen, scale, size):
    drawn = chosen[0](scale, size)
    assert drawn.dtype == np.int64
    assert drawn.shape == (size,)
    assert np.abs(drawn).max(initial=0) <= 200 * max(1, float(Fraction(scale)))


anything = (
    st.none()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.complex_numbers()
    | st.fractions()
    | st.lists(st.integers(), max_size=2)
)


@given(st.sampled_from(SAMPLERS), anything, st.integers(-3, 20) | st.text(max_size=3) | st.none())
@settings(max_examples=300, deadline=None)
def test_no_other_exception_escapes(chosen, scale, size):
    with suppress(InvalidArgument):
        assert chosen[0](scale, size).shape == (size,)


@each_sampler
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (4, 0, 2), (1,) * 10])
def test_shapes(sampler, argument, shape):
    assert sampler(5, shape).shape == shape


@each_sampler
def test_numpy_numbers_are_numbers(sampler, argument):
    assert sampler(np.float64(2.5), np.int64(4)).shape == (4,)
    assert sampler(np.int32(2), (np.uint8(2), 3)).shape == (2, 3)


def test_a_float_is_its_binary_value():
    """0.1 is not one tenth: the draws equal those of the exact binary fraction, not those of 1/10."""
    exact = Fraction(0.1)
    assert exact != Fraction(1, 10)
    for sampler in (discrete_laplace, discrete_gaussian):
        assert np.array_equal(sampler(0.1, 50, insecure_seed=1), sampler(exact, 50, insecure_seed=1))
    samplers._sampler.cache_clear()
    discrete_laplace(0.1, 1)
    discrete_laplace(exact, 1)
    assert samplers._sampler.cache_info().currsize == 1
    discrete_laplace(Fraction(1, 10), 1)
    assert samplers._sampler.cache_info().currsize == 2


def test_sigma_and_variance_are_the_same_law():
    wide = discrete_gaussian(Fraction(500, 3), 1000, insecure_seed=4)
    assert np.array_equal(wide, discrete_gaussian_of_variance(Fraction(500, 3) ** 2, 1000, insecure_seed=4))


@each_sampler
@pytest.mark.parametrize("scale", [Fraction(10, 3), 12345])
def test_seeded_draws_repeat_and_secure_ones_do_not(sampler, argument, scale):
    one, two = (sampler(scale, 500, insecure_seed=9) for _ in range(2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, sampler(scale, 500, insecure_seed=10))
    assert not np.array_equal(sampler(scale, 500), sampler(scale, 500))


def test_draws_from_one_source_continue_it():
    source = InsecureRandom(insecure_seed=2)
    law = Law.laplace(Fraction(10))
    assert not np.array_equal(draw(law, 500, source), draw(law, 500, source))


def test_results_own_their_memory():
    drawn = discrete_laplace(3, (10, 10))
    drawn[0, 0] = 7
    assert drawn.flags.writeable
    assert drawn.flags.c_contiguous


@pytest.mark.parametrize("scale", [10, 10**6])
def test_no_entropy_no_noise(monkeypatch, scale):
    def broken(n: int) -> bytes:
        raise OSError

    discrete_laplace(scale, 1)
    monkeypatch.setattr("pets.csprng.os.urandom", broken)
    for sampler in (discrete_laplace, discrete_gaussian):
        with pytest.raises(EntropyError):
            sampler(scale, 10)


def test_the_cache_is_bounded():
    samplers._sampler.cache_clear()
    for n in range(1, 100):
        discrete_laplace(Fraction(n, 7), 1)
    assert samplers._sampler.cache_info().currsize == samplers._CACHED_SAMPLERS


def test_threads_share_a_table_without_repeating_noise():
    samplers._sampler.cache_clear()
    drawn: list[np.ndarray] = []
    start = threading.Barrier(6)

    def work() -> None:
        start.wait()
        drawn.extend(discrete_laplace(Fraction(2000), 3000) for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({x.tobytes() for x in drawn}) == 60
    everything = np.concatenate(drawn)
    assert abs(everything.mean()) < 7 * 2000 * 2**0.5 / everything.size**0.5
