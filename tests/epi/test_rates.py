"""Rates: published and golden values, invariances, the result, bad input. Noisy intervals: test_intervals.py."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pets.datasets import ci5_children
from pets.epi import SEGI_1960, Rate, age_specific_rates, age_standardised_rate, crude_rate
from pets.errors import InvalidArgument, PetsError

AGES = ["0-4", "5-9", "10-14"]

# Down's syndrome by age of mother, five or more births, Michigan 1950-64: Stark and Mantel (1966), Fleiss (1981),
# table II of Fay and Feuer (1997). The limits are those that the R packages asht and dsrTest print.
DOWN_CASES = [0, 8, 63, 112, 262, 295]
DOWN_BIRTHS = [327, 30666, 123419, 149919, 104088, 34392]
ALL_BIRTHS = [319933, 931318, 786511, 488235, 237863, 61313]


# ------------------------------------------------------------------------------ exact counts: known values


@pytest.mark.parametrize(("count", "low", "high"), [(0, 0, 3.688879), (10, 4.795389, 18.390356)])
def test_garwood_published(count: int, low: float, high: float) -> None:
    """The values of R's poisson.test."""
    rate = crude_rate(count, 1, per=1)
    assert (rate.low, rate.high) == pytest.approx((low, high), abs=5e-7)


@given(st.integers(0, 10**6), st.floats(0.5, 0.9999))
def test_garwood_is_the_chi_square_interval(count: int, level: float) -> None:
    rate = crude_rate(count, 1, per=1, level=level)
    tail = (1 - level) / 2
    low = stats.chi2.ppf(tail, 2 * count) / 2 if count else 0.0
    assert rate.low == pytest.approx(low, rel=1e-9)
    assert rate.high == pytest.approx(stats.chi2.isf(tail, 2 * count + 2) / 2, rel=1e-9)


def test_fay_feuer_published() -> None:
    rate = age_standardised_rate(DOWN_CASES, DOWN_BIRTHS, ALL_BIRTHS, method="fay_feuer", per=100_000)
    assert rate.value == pytest.approx(75.52901, abs=5e-6)
    assert (rate.low, rate.high) == pytest.approx((67.70212, 188.30017), abs=5e-6)


def test_tiwari_by_its_definition() -> None:
    """Upper limit: gamma with mean y + mean(w) and variance v + mean(w**2); the lower one is Fay and Feuer's."""
    w = np.array(ALL_BIRTHS) / sum(ALL_BIRTHS) / np.array(DOWN_BIRTHS) * 1e5
    mean, variance = w @ DOWN_CASES + w.mean(), w**2 @ DOWN_CASES + (w**2).mean()
    rate = age_standardised_rate(DOWN_CASES, DOWN_BIRTHS, ALL_BIRTHS, method="tiwari", per=100_000)
    assert rate.high == pytest.approx(stats.gamma.ppf(0.975, mean**2 / variance, scale=variance / mean), rel=1e-9)
    assert rate.low == pytest.approx(67.70212, abs=5e-6)


@pytest.mark.parametrize(
    ("registry", "fay_feuer", "tiwari"),
    [
        ("USA", (3.79, 3.56, 4.03), (3.79, 3.56, 4.03)),
        ("UK, England", (2.64, 2.19, 3.16), (2.64, 2.19, 3.16)),
        ("UK, Scotland", (2.90, 1.44, 5.19), (2.90, 1.44, 5.14)),
    ],
)
def test_golden_liver_rates(registry: str, fay_feuer: tuple[float, ...], tiwari: tuple[float, ...]) -> None:
    table = ci5_children()
    liver = table[(table.registry == registry) & (table.site == "Liver")]
    by_age = liver.groupby("age_group")[["cases", "person_years"]].sum().loc[AGES]
    for method, golden in (("fay_feuer", fay_feuer), ("tiwari", tiwari)):
        rate = age_standardised_rate(by_age.cases, by_age.person_years, SEGI_1960.weights(AGES), method=method)  # type: ignore[arg-type]
        assert tuple(round(number, 2) for number in (rate.value, rate.low, rate.high)) == golden
        assert rate.cases == by_age.cases.sum()


def test_crude_and_age_specific_rates_of_the_same_strata() -> None:
    crude = crude_rate([10, 1, 0], [2e6, 1e6, 1e6])
    assert (crude.value, crude.cases, crude.method) == (pytest.approx(2.75), 11, "garwood")
    by_age = age_specific_rates([10, 1, 0], [2e6, 1e6, 1e6], noise_variance=[0, 0, 4])
    assert [rate.value for rate in by_age] == pytest.approx([5, 1, 0])
    assert by_age[1] == crude_rate(1, 1e6)
    assert by_age[2] == crude_rate(0, 1e6, noise_variance=4)


# -------------------------------------------------------------------------------------------- properties

counts = st.lists(st.integers(0, 500), min_size=1, max_size=8)
methods = st.sampled_from(["tiwari", "fay_feuer"])


@given(counts, methods, st.floats(0, 50))
def test_weights_proportional_to_person_years_give_the_crude_rate(cases: list[int], method: Any, noise: float) -> None:
    """Both gamma intervals are then Garwood's, with noise as without."""
    years = [1e6 * (i + 1) for i in range(len(cases))]
    standard = age_standardised_rate(cases, years, years, method=method, noise_variance=noise)
    crude = crude_rate(cases, years, noise_variance=noise)
    assert (standard.value, standard.low, standard.high) == pytest.approx(
        (crude.value, crude.low, crude.high), abs=1e-9
    )


@given(st.data(), methods, st.floats(0, 100))
def test_order_and_units_do_not_matter(data: st.DataObject, method: Any, noise: float) -> None:
    size = data.draw(st.integers(1, 6))
    cases = np.array(data.draw(st.lists(st.integers(0, 100), min_size=size, max_size=size)))
    years = np.array(data.draw(st.lists(st.floats(1e4, 1e7), min_size=size, max_size=size)))
    weights = np.array(data.draw(st.lists(st.floats(1, 100), min_size=size, max_size=size)))
    variance = np.linspace(0, noise, size)
    order = np.array(data.draw(st.permutations(range(size))))
    one = age_standardised_rate(cases, years, weights, method=method, noise_variance=variance)
    other = age_standardised_rate(
        cases[order], years[order], weights[order] * 7, method=method, noise_variance=variance[order], per=1000
    )
    assert np.array([other.value, other.low, other.high]) * 1000 == pytest.approx(
        [one.value, one.low, one.high], rel=1e-6
    )


@given(
    st.lists(st.integers(-20, 300), min_size=1, max_size=6),
    methods,
    st.floats(0.1, 100),
    st.floats(1.01, 10),
    st.floats(0.9, 0.999),
)
def test_more_noise_never_narrows_the_interval(
    cases: list[int], method: Any, noise: float, factor: float, level: float
) -> None:
    years, weights = np.full(len(cases), 1e6), np.arange(1, len(cases) + 1)
    less, more = (
        age_standardised_rate(cases, years, weights, method=method, noise_variance=variance, level=level)
        for variance in (noise, noise * factor)
    )
    assert more.value == less.value
    assert more.low <= less.low + 1e-9
    assert more.high >= less.high - 1e-9
    assert 0 <= less.low <= max(less.value, 0) < less.high


@given(st.lists(st.integers(-60, 60), min_size=1, max_size=6))
def test_the_estimate_is_signed_and_linear(cases: list[int]) -> None:
    """Clipping a noisy stratum at zero would bias the sum."""
    weights = np.arange(1, len(cases) + 1) / np.arange(1, len(cases) + 1).sum()
    rate = age_standardised_rate(cases, np.ones(len(cases)), weights, noise_variance=400, per=1)
    assert rate.value == pytest.approx(float(weights @ np.array(cases)))
    assert rate.cases == sum(cases)


# ---------------------------------------------------------------------------------------------- the result


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (crude_rate(11, 4e6), "2.75 per million (95 % CI 1.37-4.92, Garwood; 11 cases)"),
        (crude_rate(1, 1e5, per=100_000, level=0.9), "1.00 per 100,000 (90 % CI 0.051-4.74, Garwood; 1 case)"),
        (crude_rate(-3.5, 1e3, per=1000, noise_variance=4), "-3.50 per 1,000 (95 % CI 0.00-6.53, Garwood; -3.5 cases)"),
    ],
)
def test_text(rate: Rate, text: str) -> None:
    assert str(rate) == text


def test_a_rate_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        crude_rate(1, 1).value = 2.0  # type: ignore[misc]


def test_columns_fractions_and_texts_are_welcome() -> None:
    plain = age_standardised_rate([4, 2], [1e6, 2e6], [12, 10], noise_variance=0.5, level=0.9)
    column = pd.Series([4, 2], index=[7, 9])
    assert (
        age_standardised_rate(column, (10**6, 2 * 10**6), [12, 10], noise_variance=Fraction(1, 2), level="0.9") == plain
    )
    assert age_standardised_rate(np.uint8([4, 2]), [1e6, 2e6], [12, 10], noise_variance=[0.5] * 2, level=0.9) == plain


# ---------------------------------------------------------------------------------------------- bad input

GOOD: dict[str, Any] = {"cases": [4, 2], "person_years": [1e6, 2e6], "weights": [12, 10]}


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("cases", [-1, 2]),
        ("cases", [np.nan, 2]),
        ("cases", [np.inf, 2]),
        ("cases", ["4", "2"]),
        ("cases", [True, False]),
        ("cases", [None, 2]),
        ("cases", [1j, 2]),
        ("cases", [[4, 2]]),
        ("cases", [[4], [2, 3]]),
        ("cases", []),
        ("cases", [10**400, 2]),
        ("cases", [2e15, 2]),
        ("person_years", [0, 1]),
        ("person_years", [-1, 1]),
        ("person_years", [1, 2, 3]),
        ("person_years", [np.nan, 1]),
        ("person_years", 5),
        ("weights", [0, 1]),
        ("weights", [-1, 1]),
        ("weights", [1]),
        ("weights", [1e-14, 1]),
        ("noise_variance", -1),
        ("noise_variance", [1]),
        ("noise_variance", [np.nan, 1]),
        ("noise_variance", None),
        ("level", 0),
        ("level", 1),
        ("level", 95),
        ("level", float("nan")),
        ("level", "1e-400"),
        ("level", Fraction(10**40 - 1, 10**40)),
        ("per", 0),
        ("per", -5),
        ("per", float("inf")),
        ("per", 10**400),
        ("per", "many"),
        ("method", "wald"),
        ("method", None),
    ],
)
def test_bad_arguments_are_named(argument: str, value: object) -> None:
    with pytest.raises(InvalidArgument) as caught:
        age_standardised_rate(**(GOOD | {argument: value}))
    assert caught.value.argument == argument


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.fractions(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=100)
@given(anything, anything, anything, anything, anything, anything, methods)
def test_no_other_error_escapes(
    cases: Any, years: Any, weights: Any, noise: Any, per: Any, level: Any, method: Any
) -> None:
    arguments = {"noise_variance": noise, "per": per, "level": level}
    for call in (
        lambda: [age_standardised_rate(cases, years, weights, method=method, **arguments)],
        lambda: age_specific_rates(cases, years, **arguments),
        lambda: [crude_rate(cases, years, **arguments)],
    ):
        try:
            rates = call()
        except PetsError:
            continue
        for rate in rates:
            assert 0 <= rate.low <= rate.high < float("inf")


extreme = st.floats(1e-15, 1e15)


@given(st.lists(st.tuples(extreme, extreme, extreme, st.floats(0, 1e30)), min_size=1, max_size=4), methods)
def test_extreme_sizes_give_ordered_finite_limits(rows: list[tuple[float, ...]], method: Any) -> None:
    cases, years, weights, noise = (list(column) for column in zip(*rows, strict=True))
    scaled = np.array(weights) / np.array(years)
    if scaled.min() < 1e-12 * scaled.max():
        with pytest.raises(InvalidArgument, match="weights"):
            age_standardised_rate(cases, years, weights)
        return
    rate = age_standardised_rate(cases, years, weights, noise_variance=noise, method=method)
    slack = 1 + 1e-6
    assert 0 <= rate.low <= rate.value * slack
    assert rate.value <= rate.high * slack < float("inf")
