"""Audits find broken claims, leave true ones alone, and their bounds are near what is known exactly."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import pets
from pets.dp.auditing import Audit, audit, divergence_bound, empirical_epsilon, epsilon_bound
from pets.dp.samplers import discrete_laplace
from pets.errors import IncompatibleGuarantees, InvalidArgument

QUICK = 4_000_000
"""At a confidence of 1 - 1e-9 a right mechanism is never called wrong."""
SURE = 1 - 1e-9


class LessLaplace(pets.dp.DiscreteLaplace):
    """A planted bug: 1 % too little noise is drawn."""

    def draw(self, source, law, size):
        return source.discrete_laplace(law.scale * Fraction(99, 100), size)


class LessGaussian(pets.dp.DiscreteGaussian):
    """A planted bug: 1 % too little noise is drawn."""

    def draw(self, source, law, size):
        return source.discrete_gaussian(law.sigma2 * Fraction(99, 100) ** 2, size)


class WrongLaw(pets.dp.DiscreteLaplace):
    """A planted bug: the calibration is wrong, and the draws follow it faithfully."""

    def law(self, sensitivity, share):
        return replace(super().law(sensitivity, share), scale=super().law(sensitivity, share).scale * Fraction(99, 100))


class ForgetsReplacement(pets.dp.DiscreteLaplace):
    """A planted bug: calibrated for one unit added, whatever the domain declares."""

    def law(self, sensitivity, share):
        return super().law(replace(sensitivity, l1=sensitivity.linf), share)


class Nine:
    """A third-party mechanism, nothing but the protocol: randomised response for whether there are 9 rows or more."""

    kind = "nine"

    def __init__(self, epsilon=1):
        self.inner = pets.dp.DiscreteLaplace(epsilon=epsilon)

    def guarantee(self, query):
        return self.inner.guarantee(query)

    def error(self, query):
        return self.inner.error(query)

    def release(self, total, query):
        release = self.inner.release(total, query)
        return replace(release, parts=tuple(replace(p, values=9 * (p.values >= 9)) for p in release.parts))

    def to_dict(self):
        return {"type": "nine"}


@pytest.mark.parametrize("epsilon", ["0.1", 1, 3])
def test_a_right_laplace_mechanism_is_proven_and_nearly_met(epsilon):
    result = audit(pets.dp.DiscreteLaplace(epsilon=epsilon), draws=QUICK, confidence=SURE)
    assert result.verdict == "proven" and result.passed
    assert result.proof.value == result.claimed == Fraction(epsilon)
    assert 0.96 * float(result.claimed) < result.lower <= float(result.claimed)


@pytest.mark.parametrize("rho", ["0.02", "0.5"])
def test_a_right_gaussian_mechanism_is_proven_and_nearly_met(rho):
    result = audit(pets.dp.DiscreteGaussian(rho=rho), draws=QUICK, confidence=SURE)
    assert (result.verdict, result.currency) == ("proven", "rho")
    assert 0.95 * float(result.claimed) < result.lower <= float(result.claimed) == result.upper


@pytest.mark.parametrize("delta", ["0.1", "0.01"])
def test_the_gaussian_at_a_delta_is_near_its_exact_epsilon(delta):
    result = audit(pets.dp.DiscreteGaussian(rho="0.5"), delta=delta, draws=QUICK, confidence=SURE)
    assert result.verdict == "proven"
    assert 0.95 * result.upper < result.lower <= result.upper < float(result.claimed)


@pytest.mark.parametrize(
    "unit",
    [
        pets.PrivacyUnit("p", max_rows=3),
        pets.PrivacyUnit("p", max_rows=2, max_sites=2),
        pets.PrivacyUnit("p", max_rows=2, neighbours="replace_one"),
        pets.PrivacyUnit(neighbours="replace_one"),
    ],
    ids=str,
)
def test_every_unit_is_met_nearly(unit):
    result = audit(pets.dp.DiscreteLaplace(epsilon=1), unit=unit, draws=QUICK, confidence=SURE)
    assert result.verdict == "proven"
    assert 0.95 < result.lower <= 1
    assert ("exchanged" in result.told) == (unit.neighbours == "replace_one")


def test_a_group_is_held_to_what_a_group_is_promised():
    for k, delta in ((3, None), (2, "0.01")):
        result = audit(pets.dp.DiscreteGaussian(rho="0.1"), group=k, delta=delta, draws=QUICK, confidence=SURE)
        assert result.passed and result.distance == k
        assert 0.9 * (result.upper or 0.5) < result.lower <= float(result.claimed)


@pytest.mark.slow
@pytest.mark.parametrize("mechanism", [LessLaplace(1), LessLaplace("0.2"), LessGaussian("0.5")], ids=repr)
def test_one_percent_too_little_noise_is_flagged(mechanism):
    assert audit(mechanism, draws=100_000_000).verdict == "refuted"


def test_one_percent_too_little_laplace_noise_is_flagged_in_seconds():
    assert audit(LessLaplace(1), draws=30_000_000).verdict == "refuted"


def test_noise_that_is_not_the_stated_one_is_flagged_where_the_claim_is_loose():
    result = audit(LessGaussian("0.5"), delta="0.1", draws=40_000_000)
    assert result.verdict == "noise differs" and not result.passed


@pytest.mark.slow
@pytest.mark.parametrize("mechanism", [pets.dp.DiscreteLaplace(1), pets.dp.DiscreteLaplace(3)], ids=repr)
def test_the_default_draws_come_within_a_thousandth(mechanism):
    result = audit(mechanism, draws=100_000_000)
    assert 0.9985 * float(result.claimed) < result.lower <= float(result.claimed)


def test_a_wrong_calibration_is_refuted_by_its_own_law_at_few_draws():
    result = audit(WrongLaw(1), draws=10_000)
    assert result.verdict == "refuted" and result.proof.value == Fraction(100, 99)
    assert "stated law" in result.caveat()


def test_replacement_taken_for_addition_is_refuted():
    unit = pets.PrivacyUnit("p", neighbours="replace_one")
    result = audit(ForgetsReplacement(1), unit=unit, draws=1_000_000)
    assert result.verdict == "refuted" and result.lower > 1.9
    assert audit(ForgetsReplacement(1), draws=100_000).verdict == "proven"


def test_a_third_party_mechanism_needs_the_protocol_only():
    result = audit(Nine(), group=9, draws=200_000, lanes=2**16, confidence=SURE)
    assert result.verdict == "not refuted" and result.proof is None
    assert "no proof" in result.caveat()
    assert audit(Nine(), pets.PureDP("0.05"), group=9, draws=200_000, lanes=2**16).verdict == "refuted"
    assert audit(Nine(), pets.PureDP("0.05"), group=9, draws=1_500).verdict == "refuted"  # one release, one draw


DOMAIN = pets.Domain(site=["a", "b"], age=pets.Integer(0, 19, bins=[0, 10, 19]), unit=pets.PrivacyUnit("p", max_rows=2))
QUERIES = [
    pets.Count(),
    pets.Marginals([["site"], ["site", "age"], []]),
    pets.Mean("age", by=["site"]),
    pets.Variance("age"),
]


@pytest.mark.parametrize(
    ("query", "neighbours"),
    list(zip(QUERIES, ["replace_one", "add_remove", "replace_one", "add_remove"], strict=True)),
    ids=lambda value: getattr(value, "kind", value),
)
def test_a_question_of_ones_own_is_audited_on_rows(query, neighbours):
    bound = query.bind(DOMAIN.with_unit(pets.PrivacyUnit("p", max_rows=2, neighbours=neighbours)))
    result = audit(pets.dp.DiscreteLaplace(1), query=bound, draws=3_000, confidence=0.999)
    assert result.verdict == "proven"
    assert 0.02 < result.lower <= 1 == result.proof.value


def test_a_renyi_claim_is_audited_by_its_lowest_order():
    claim = pets.ZeroConcentratedDP("0.5").to_renyi([2, 4])
    assert audit(pets.dp.DiscreteGaussian("0.5"), claim, draws=QUICK).verdict == "proven"
    assert audit(pets.dp.DiscreteGaussian("0.5"), pets.RenyiDP({2: "0.3"}), draws=QUICK).verdict == "refuted"


def test_the_result_shows_itself_and_says_what_it_does_not_prove():
    result = audit(pets.dp.DiscreteLaplace(epsilon=1), draws=10_000)
    assert isinstance(result, Audit)
    for shown in (str(result), repr(result), result._repr_html_()):
        assert "99.9 % confidence" in shown and "does not prove" in shown and "proven" in shown
    assert result.to_dict()["verdict"] == "proven"
    assert result.to_dict()["claimed"] == "1"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"confidence": 1.0}, "confidence"),
        ({"confidence": 0.1}, "confidence"),
        ({"draws": 10}, "draws"),
        ({"group": 0}, "group"),
        ({"lanes": 0}, "lanes"),
        ({"lanes": 2**20}, "lanes"),
        ({"query": pets.Count()}, "query"),
        ({"unit": 3}, "unit"),
        ({"lanes": 4, "query": pets.Count().bind(DOMAIN)}, "lanes"),
        ({"delta": 2}, "delta"),
        ({"claim": pets.NoFormalGuarantee("none")}, "claim"),
        ({"claim": pets.RenyiDP({2: 1}), "group": 3}, "group"),
    ],
    ids=str,
)
def test_bad_arguments_are_named(arguments, name):
    with pytest.raises(InvalidArgument) as caught:
        audit(pets.dp.DiscreteLaplace(1), **({"draws": 5_000} | arguments))
    assert caught.value.argument == name


def test_what_is_no_mechanism_or_claims_nothing_is_refused():
    with pytest.raises(InvalidArgument, match="lacks a method"):
        audit(object())  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="nothing to audit"):
        audit(pets.disclosure.SuppressCells(minimum=5))
    with pytest.raises(IncompatibleGuarantees):
        audit(pets.dp.DiscreteGaussian("0.5"), pets.ApproxDP(3, "1e-3"), delta="1e-6", draws=5_000)


def test_bounds_hold_as_often_as_they_say():
    """1,000 audits at 90 % confidence: wrong in at most a tenth of them, up to five standard errors."""
    rng = np.random.default_rng(5)
    p, q = np.array([0.7, 0.3]), np.array([0.3, 0.7])
    wrong = np.zeros(2)
    for _ in range(1_000):
        pairs = [tuple(rng.multinomial(n, law) for law in (p, q)) for n in (200, 200, 2_000)]
        wrong[0] += epsilon_bound(*pairs, 0.0, 0.1).value > np.log(7 / 3)
        wrong[1] += divergence_bound(*pairs[1:], 0.1).value > max((p * np.log(p / q)).sum(), (q * np.log(q / p)).sum())
    assert (wrong <= 100 + 5 * 90**0.5).all()


def test_draws_alone_can_be_audited():
    low, high = discrete_laplace(1, 400_000), discrete_laplace(1, 400_000) + 1
    assert 0.95 < empirical_epsilon(low, high) <= 1.0
    assert empirical_epsilon(low, low) == 0.0
    assert empirical_epsilon(low, high, delta=0.5) == 0.0


@pytest.mark.parametrize("mechanism", [pets.dp.DiscreteLaplace(1), pets.dp.DiscreteGaussian("0.1")], ids=repr)
def test_the_shipped_mechanisms_are_not_flagged_at_many_draws(mechanism):
    """So many draws see 1 % less noise, or its square (see the catalogue in tests/mutants)."""
    assert audit(mechanism, draws=60_000_000, confidence=SURE).verdict == "proven"


def test_a_claim_is_audited_for_its_own_unit():
    claim = pets.PureDP(1, unit=pets.PrivacyUnit(neighbours="replace_one"))
    assert not audit(ForgetsReplacement(1), claim, draws=1_000_000).passed


def test_a_claim_for_another_unit_than_the_one_tried_is_refused():
    claim = pets.PureDP(1, unit=pets.PrivacyUnit(neighbours="replace_one"))
    with pytest.raises(pets.errors.InvalidArgument, match="its own unit"):
        audit(pets.dp.DiscreteLaplace(epsilon=1), claim, unit=pets.PrivacyUnit(), draws=100_000)
