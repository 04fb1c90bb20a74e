"""Guarantees are exact, frozen values that say what they promise."""

import copy
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pets.errors import IncompatibleGuarantees, InvalidArgument
from pets.guarantee import (
    ApproxDP,
    Guarantee,
    InputPrivacy,
    NoFormalGuarantee,
    PureDP,
    RenyiDP,
    SuppressionRule,
    ZeroConcentratedDP,
)
from pets.privacy_unit import PrivacyUnit

PATIENT = PrivacyUnit("patient_id", max_rows=3)
EXCHANGED = PrivacyUnit("patient_id", neighbours="replace_one")
ALL: list[Guarantee] = [
    PureDP(0.1),
    PureDP(1, unit=PATIENT),
    ApproxDP("1/3", 1e-6, unit=PATIENT),
    ApproxDP(1, 0),
    ZeroConcentratedDP(0.05, unit=EXCHANGED),
    RenyiDP({2: 0.1, "8": "1/3"}, unit=PATIENT),
    InputPrivacy("pairwise masked sum", ("the server", "the other sites"), "no site shares its keys"),
    SuppressionRule(5, "publish", complementary=True),
    NoFormalGuarantee("the rows are sampled from a model fitted without noise"),
]


def test_floats_are_read_as_the_decimals_that_print_them() -> None:
    assert PureDP(0.1).epsilon == Fraction(1, 10)
    assert PureDP("1/3").epsilon == Fraction(1, 3)
    assert PureDP(np.float64(0.25)).epsilon == Fraction(1, 4)
    assert ApproxDP(1, 1e-6).delta == Fraction(1, 10**6)
    assert RenyiDP({2: 0.1}).curve == ((Fraction(2), Fraction(1, 10)),)


@pytest.mark.parametrize("guarantee", ALL, ids=str)
def test_values_are_frozen_hashable_and_equal_to_their_copy(guarantee: Guarantee) -> None:
    assert copy.deepcopy(guarantee) == guarantee
    assert hash(copy.deepcopy(guarantee)) == hash(guarantee)
    field = type(guarantee).__dataclass_fields__  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        setattr(guarantee, next(iter(field)), 0)
    assert not hasattr(guarantee, "__dict__")


@pytest.mark.parametrize("guarantee", ALL, ids=str)
def test_repr_is_source_that_makes_the_same_value(guarantee: Guarantee) -> None:
    assert eval(repr(guarantee)) == guarantee  # noqa: S307


def test_kinds_and_units_are_told_apart() -> None:
    assert PureDP(1) != ZeroConcentratedDP(1)
    assert PureDP(1) != ApproxDP(1, 0)
    assert PureDP(1) != PureDP(1, unit=PATIENT)
    assert len({PureDP(1), PureDP("1.0"), PureDP(Fraction(2, 2))}) == 1


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: PureDP(-1), "epsilon"),
        (lambda: PureDP(float("nan")), "epsilon"),
        (lambda: PureDP(1, unit="patient"), "unit"),  # type: ignore[arg-type]
        (lambda: ApproxDP(1, 1), "delta"),
        (lambda: ApproxDP(1, -1e-9), "delta"),
        (lambda: ApproxDP(float("inf"), 0), "epsilon"),
        (lambda: ZeroConcentratedDP("a"), "rho"),
        (lambda: RenyiDP({}), "curve"),
        (lambda: RenyiDP([(2, 1)]), "curve"),  # type: ignore[arg-type]
        (lambda: RenyiDP({1: 1}), "curve.order"),
        (lambda: RenyiDP({2: -1}), "curve.2"),
        (lambda: RenyiDP({2: 1, "2": 1}), "curve"),
        (lambda: PureDP(1).to_renyi([0.5]), "orders"),
        (lambda: PureDP(1).to_renyi("23"), "orders"),
        (lambda: PureDP(1).group(0), "k"),
        (lambda: PureDP(1).group(True), "k"),
        (lambda: ZeroConcentratedDP(1).to_approx(0), "delta"),
        (lambda: RenyiDP({2: 1}).to_approx(1), "delta"),
        (lambda: PureDP(1).to_approx(2), "delta"),
        (lambda: InputPrivacy("", ("the server",), "x"), "scheme"),
        (lambda: InputPrivacy("x", (), "x"), "hidden_from"),
        (lambda: InputPrivacy("x", "the server", "x"), "hidden_from"),  # type: ignore[arg-type]
        (lambda: InputPrivacy("x", ("\ud800",), "x"), "hidden_from"),
        (lambda: SuppressionRule(0, "publish"), "minimum"),
        (lambda: SuppressionRule(5, ""), "zeros"),
        (lambda: SuppressionRule(5, "publish", 1), "complementary"),  # type: ignore[arg-type]
        (lambda: NoFormalGuarantee(" "), "why"),
        (lambda: NoFormalGuarantee("x" * 3000), "why"),
    ],
)
def test_bad_arguments_are_named(make: object, argument: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        make()  # type: ignore[operator]
    assert caught.value.argument == argument


def test_conversions_that_no_theorem_gives_are_refused() -> None:
    loose, curve = ApproxDP(1, 1e-6), RenyiDP({2: 1, 8: 3})
    for refused in (
        loose.to_zcdp,
        lambda: loose.to_renyi([2]),
        lambda: loose.to_approx(1e-9),
        curve.to_zcdp,
        lambda: curve.to_renyi([9]),
        lambda: ApproxDP(5, 1e-6).group(10),
        lambda: curve.group(5),
    ):
        with pytest.raises(IncompatibleGuarantees):
            refused()
    assert loose.to_approx(1e-5) is loose
    assert ApproxDP(1, 0).to_zcdp() == ZeroConcentratedDP("1/2")


def test_the_odds_of_epsilon_1_are_73_in_100() -> None:
    assert PureDP(1, unit=PATIENT).explain() == (
        "What a reader can learn about one patient (patient_id, at most 3 rows) added or removed is bounded: of 100 "
        "possible publications, at most about 73 would make the best guesser say 'in' when that is true, "
        "against 27 when it is not."
    )


@pytest.mark.parametrize("guarantee", ALL, ids=str)
def test_explanations_are_one_plain_sentence(guarantee: Guarantee) -> None:
    said = guarantee.explain()
    assert said[0].isupper()
    assert said.endswith(".")
    assert ". " not in said
    assert not re.search(r"[Aa]nonym|\b[Ss]afe|Fraction|None", said)
    unit = getattr(guarantee, "unit", None)
    assert unit is None or str(unit) in said


@given(st.one_of(st.just(0.0), st.floats(1e-100, 1e30)))
def test_odds_never_fail_and_never_help_against_the_guesser(epsilon: float) -> None:
    wins, out_of = _odds(PureDP(epsilon).explain())
    truth = 1 / (1 + np.exp(-min(epsilon, 700)))
    assert abs(wins / out_of - truth) <= 0.5 / out_of + 1e-12


@pytest.mark.parametrize(("guarantee", "exact"), [(ApproxDP(1, 0.1), 0.7579), (ApproxDP(0, 0.5), 0.75)])
def test_delta_counts_for_the_guesser(guarantee: ApproxDP, exact: float) -> None:
    wins, out_of = _odds(guarantee.explain())
    assert abs(wins / out_of - exact) <= 0.5 / out_of + 1e-4


@given(st.floats(1e-6, 50))
def test_zero_concentrated_odds_cover_gaussian_noise(rho: float) -> None:
    from scipy.stats import norm

    wins, out_of = _odds(ZeroConcentratedDP(rho).explain())
    assert wins / out_of >= norm.cdf(np.sqrt(2 * rho) / 2) - 0.5 / out_of - 1e-12


def test_failure_chance_is_never_understated() -> None:
    assert "at most 1 in 100,000 nothing" in ApproxDP(1, 1e-5).explain()
    assert "at most 1 in 3 nothing" in ApproxDP(1, 0.3).explain()


def _odds(said: str) -> tuple[int, int]:
    found = re.search(r"of ([\d,]+) possible .* about ([\d,]+) would .* against ([\d,]+) when", said)
    assert found is not None
    out_of, wins, losses = (int(group.replace(",", "")) for group in found.groups())
    assert wins + losses == out_of
    return wins, out_of
