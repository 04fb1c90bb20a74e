"""The mechanism with the least error, and the least budget for an error."""

from __future__ import annotations

from fractions import Fraction

import pytest

import pets
from pets.dp import phrases
from pets.dp.choice import choose, plan
from pets.errors import InvalidArgument
from pets.guarantee import ApproxDP, PureDP, RenyiDP, ZeroConcentratedDP

LABELS = {"a": ["x", "y", "z"], "b": ["u", "v"], "c": [str(i) for i in range(20)]}
DOMAIN = pets.Domain({name: pets.Categorical(labels, invalid="error") for name, labels in LABELS.items()})
MANY = pets.Marginals([["a", "b", "c"], ["a", "b"], ["a", "c"], ["b", "c"], ["a"], ["b"], ["c"], []])


def names(choices):
    return [type(choice.mechanism).__name__ for choice in choices]


def test_many_tables_are_for_the_residual_planner():
    found = choose(MANY, DOMAIN, ZeroConcentratedDP("0.1"))
    assert names(found) == ["ResidualPlanner", "DiscreteGaussian", "LaplacePlanner", "DiscreteLaplace"]
    assert found[0].relative_variance == 1
    assert all(choice.why.endswith(".") for choice in found)


def test_one_table_under_approximate_dp_is_for_laplace_noise():
    assert names(choose(pets.Count(by="a"), DOMAIN, ApproxDP(1, "1e-9")))[0] == "DiscreteLaplace"


def test_pure_dp_admits_laplace_noise_only():
    """Under a pure claim many tables are measured in few, and put together: a tenth of the variance here."""
    found = choose(MANY, DOMAIN, PureDP(1))
    assert names(found) == ["LaplacePlanner", "DiscreteLaplace"] and found[1].relative_variance > 5
    assert names(choose(MANY.bind(DOMAIN), None, ApproxDP(1, 0))) == ["LaplacePlanner", "DiscreteLaplace"]
    assert names(choose(pets.Count(by="a"), DOMAIN, PureDP(1))) == ["DiscreteLaplace"]


def test_planners_are_left_out_where_tables_count_different_rows():
    """By default a row without a valid value is left out of the tables over it, and of no other."""
    domain = pets.Domain(LABELS)
    assert names(choose(MANY, domain, PureDP(1))) == ["DiscreteLaplace"]
    assert names(choose(MANY, domain, ZeroConcentratedDP(1))) == ["DiscreteGaussian", "DiscreteLaplace"]
    assert isinstance(plan("counts within 9 at 95 %", MANY, domain).mechanism, pets.dp.DiscreteLaplace)
    assert not isinstance(plan(within=9, query=MANY, domain=domain, delta="1e-6").mechanism, pets.dp.ResidualPlanner)


@pytest.mark.parametrize("guarantee", [PureDP("0.7"), ApproxDP(1, "1e-6"), ZeroConcentratedDP("0.3")], ids=str)
def test_every_choice_keeps_the_guarantee(guarantee):
    for choice in choose(MANY, DOMAIN, guarantee):
        cost = choice.mechanism.guarantee(MANY.bind(DOMAIN))
        if isinstance(guarantee, ApproxDP):
            assert cost.to_approx(guarantee.delta).epsilon <= guarantee.epsilon
            assert cost.to_approx(guarantee.delta).epsilon >= guarantee.epsilon * Fraction(999, 1000)
        elif isinstance(guarantee, ZeroConcentratedDP):
            assert Fraction(99, 100) * guarantee.rho <= cost.to_zcdp().rho <= guarantee.rho
        else:
            assert cost.epsilon == guarantee.epsilon


def test_planned_budget_is_the_least():
    found = plan("counts within 3 patients at 95 %")
    assert isinstance(found.guarantee, PureDP)
    epsilon = found.guarantee.epsilon
    # P(abs(Z) > 3) = 2 a^4 / (1 + a) with a = exp(-epsilon), in closed form
    from math import exp

    def missed(e):
        return 2 * exp(-4 * e) / (1 + exp(-e))

    assert missed(float(epsilon)) <= 0.05 < missed(float(epsilon) - 1e-4)


@pytest.mark.parametrize(("within", "delta"), [(5, None), (25, None), (25, "1e-6")])
def test_planned_mechanism_reaches_the_target_and_less_does_not(delta, within):
    query = MANY.bind(DOMAIN)
    found = plan(query=query, within=within, level=0.9, delta=delta)
    assert max(found.mechanism.error(query).half_width(0.9)) == found.half_width <= within
    assert found.mechanism.guarantee(query).to_approx(delta or 0).epsilon <= found.guarantee.epsilon
    less = found.guarantee.epsilon * Fraction(998, 1000)
    for choice in choose(query, None, PureDP(less) if delta is None else ApproxDP(less, delta)):
        assert max(choice.error.half_width(0.9)) > within


PHRASES = {
    # phrase: (within, level in per cent, or None for the default)
    "within 3": (3, None),
    "counts within 3 patients at 95 %": (3, 95),
    "Within 3 patients with 95%.": (3, 95),
    "within 3 at 95%": (3, 95),
    "to within 3 patients": (3, None),
    "each count within 3 patients of the truth at 95 %": (3, 95),
    "all cells should be within 3 at 90 percent": (3, 90),
    "every published number is within 3 with 99 % confidence": (3, 99),
    "counts within 3 patients with 99 % confidence": (3, 99),
    "within 3 patients with a confidence of 99 %": (3, 99),
    "within 3 patients, 99 % confidence": (3, 99),
    "99 % confidence of +/- 3": (3, 99),
    "95 % CI of +/- 3": (3, 95),
    "95 % confidence interval +/- 3 patients": (3, 95),
    "with 99 % probability within 3": (3, 99),
    "with probability 0.99 within 3": (3, 99),
    "within 3 with confidence .99": (3, 99),
    "95 % of counts within 3": (3, 95),
    "within 3 patients in 95 of 100 publications": (3, 95),
    "within 3 patients 95 times out of 100": (3, 95),
    "within 3 patients in 999 of 1,000 releases": (3, "99.9"),
    "within 3 in 95 % of cases": (3, 95),
    "within 3 at 99.9999 %": (3, "99.9999"),
    "+/- 3": (3, None),
    "+/-3 patients at 95 %": (3, 95),
    "+-3": (3, None),
    "\u00b1 3 patients at 95 %": (3, 95),
    "\u00b13": (3, None),
    "plus or minus 3 children": (3, None),
    "off by at most 3 at 95 %": (3, 95),
    "an error of at most 3 cases at 95 %": (3, 95),
    "margin of error 3 at 95 %": (3, 95),
    "error below 3 at 95 per cent": (3, 95),
    "counts within 1,000 patients at 95 %": (1000, 95),
    "within 12,345.5 rows at 95 %": ("12345.5", 95),
    "within 2.5": ("2.5", None),
}


@pytest.mark.parametrize("phrase", PHRASES)
def test_phrases_are_understood(phrase):
    within, level = PHRASES[phrase]
    found = phrases.read(phrase)
    assert found.within == Fraction(within)
    assert found.level == (None if level is None else Fraction(level) / 100)


@pytest.mark.parametrize("phrase", phrases.PHRASINGS)
def test_phrasings_of_the_error_message_are_understood(phrase):
    assert plan(phrase).within > 0


def test_words_give_the_budget_of_the_numbers():
    assert plan("+/- 3 patients with 95 % confidence").guarantee == plan(within=3).guarantee
    assert plan("within 3 at 99 %").guarantee == plan(within=3, level=0.99).guarantee
    assert plan("within 1,000 rows").guarantee == plan(within=1000).guarantee
    assert plan("within 3 at 99 %").guarantee.epsilon > plan("within 3").guarantee.epsilon


@pytest.mark.parametrize(
    "phrase",
    [
        "", "near", "3", "within", "within patients", "within 5 %", "within 5 % at 95 %", "counts within 5 percent",
        "within 2,5 patients", "within 1,00 patients", "within 3 at 95 % at 99 %", "within 3 bananas", "within -3",
        "within 3 patients at 95", "not within 3", "within 3 or 4", "within 3 at 9 5 %", "beyond 3", None, 3, "x" * 999,
        "within 3 patients in 95 of 7 publications",
    ],
)  # fmt: skip
def test_phrases_that_might_mean_something_else_are_refused(phrase):
    with pytest.raises(InvalidArgument):
        phrases.read(phrase)


def test_the_error_shows_what_is_understood():
    with pytest.raises(InvalidArgument, match=r"counts within 3 patients at 95 %.*99 % confidence"):
        plan("make it good")
    with pytest.raises(InvalidArgument, match="share of the count"):
        plan("within 5 % at 95 %")
    with pytest.raises(InvalidArgument, match="thousands separator"):
        plan("within 2,5 patients")


def test_the_word_for_what_is_counted_must_fit():
    """A count is of rows: within 3 families is another target where a family may have four rows."""
    family = pets.Domain(a=["x"], unit=pets.PrivacyUnit(id="family_id", max_rows=4))
    one = pets.Domain(a=["x"], unit=pets.PrivacyUnit(id="family_id"))
    query = pets.Count(by="a")
    with pytest.raises(InvalidArgument, match="of which one family may have 4"):
        plan("within 3 families", query, family)
    assert plan("within 3 families", query, one).guarantee == plan(within=3, query=query, domain=one).guarantee
    rows = plan("within 3 patients", query, family)
    assert rows.guarantee.epsilon > 3 * plan("within 3 patients", query, one).guarantee.epsilon
    assert str(rows).endswith("; protects one family (family_id, at most 4 rows) added or removed")
    with pytest.raises(InvalidArgument, match="protects one family"):
        plan("within 3 hospitals", query, one)
    with pytest.raises(InvalidArgument, match="counts rows"):
        plan("within 3 families", query, DOMAIN)


def test_a_level_is_printed_as_it_was_asked_for():
    assert "in 99.9999 of 100 publications" in str(plan("within 3 at 99.9999 %"))
    assert "in 99.9999 of 100 publications" in str(plan(within=3, level=0.999999))
    assert "in 95 of 100 publications" in str(plan(within=3))
    assert "within 3 patients of the truth" in str(plan("within 3 patients"))


@pytest.mark.parametrize("delta", [0.9, "0.01", 1])
def test_a_delta_that_promises_nothing_is_refused(delta):
    with pytest.raises(InvalidArgument, match="everything may be published"):
        plan("within 3", delta=delta)


@pytest.mark.parametrize(
    "arguments",
    [
        {}, {"target": "near"}, {"target": "within 3", "within": 3}, {"within": 0}, {"within": 3, "level": 1},
        {"target": "within 3 at 100 %"}, {"within": 3, "query": pets.Count(by="a")}, {"within": 3, "delta": 0},
    ],
)  # fmt: skip
def test_what_cannot_be_planned_is_refused(arguments):
    with pytest.raises(InvalidArgument):
        plan(**arguments)


def test_a_renyi_curve_is_refused():
    with pytest.raises(InvalidArgument):
        choose(MANY, DOMAIN, RenyiDP({2: 1}))


@pytest.mark.parametrize(
    "phrase", ["wrong by 3 in 5 of 100 releases", "within 3 at 5 %", "off by 3 with probability .05"]
)
def test_how_often_a_target_may_be_missed_is_not_taken_for_how_often_it_is_met(phrase):
    with pytest.raises(InvalidArgument, match=r"level 5 %.*how often it must be met.*'within 3 at 95 %'"):
        phrases.read(phrase)
    assert phrases.read("within 3 at 50 %").level == Fraction(1, 2)
