"""Measured attacks: near what theory says where it says it, never above the proven bound, the same at each build."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from pets.tuning import Privacy, demo_plan
from pets.tuning.attacks import RUNS, attacks_of, best_guess, bound_of, target, wilson
from pets.tuning.outputs import cell_key, noisy, ptable, rounding
from pets.tuning.totals import law_of

PLAN = demo_plan("2026-01-01")
CURATOR = replace(PLAN, noise_at="curator")
FOUND = {attack["name"]: attack for attack in attacks_of(PLAN)}
MARGIN = 5 * 0.5 / math.sqrt(RUNS)


@given(st.integers(1, 500), st.data())
def test_wilson_is_scipy_s(runs: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, runs))
    expected = binomtest(successes, runs).proportion_ci(method="wilson")
    assert wilson(successes, runs) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("epsilon", ["0.25", "1", "3"])
def test_one_noisy_cell_gives_the_best_guesser_what_is_proven(epsilon: str) -> None:
    plan = replace(CURATOR.at(epsilon), tables=(replace(PLAN.tables[0], share=Fraction(1)),), totals=())
    found = best_guess(plan, noisy(plan.noise(0)), "discrete_laplace", "")
    assert found["success"] == pytest.approx(bound_of(plan, float(epsilon)), abs=MARGIN)


@pytest.mark.parametrize("mechanism", ["discrete_laplace", "discrete_gaussian"])
def test_the_noise_of_shares_that_nobody_told_is_weighed_by_its_own_law(mechanism: str) -> None:
    """One table: the best guesser is right as often as the two laws, one case apart, differ."""
    privacy = Privacy(Fraction(2), mechanism)  # type: ignore[arg-type]
    plan = replace(PLAN, privacy=privacy, tables=(replace(PLAN.tables[0], share=Fraction(1)),), totals=())
    law = law_of(plan.noise(0))
    assert law.to_dict()["type"] in ("polya_difference", "skellam")
    distance = sum(abs(law.pmf(k) - law.pmf(k - 1)) for k in range(-300, 301)) / 2
    found = next(a for a in attacks_of(plan) if a["name"].startswith("is she in? all"))
    assert found["success"] == pytest.approx((1 + distance) / 2, abs=MARGIN)
    assert found["success"] < found["bound"]


@pytest.mark.parametrize("mechanism", ["discrete_laplace", "discrete_gaussian"])
@pytest.mark.parametrize("epsilon", ["0.5", "2"])
def test_no_attack_exceeds_its_bound(mechanism: str, epsilon: str) -> None:
    plan = replace(PLAN, privacy=Privacy(Fraction(epsilon), mechanism))  # type: ignore[arg-type]
    bounded = [attack for attack in attacks_of(plan) if attack["bound"] is not None]
    assert len(bounded) >= 2
    for attack in bounded:
        assert 0.5 - MARGIN <= attack["success"] <= attack["bound"] + MARGIN, attack["name"]


@pytest.mark.parametrize("tables", [1, 2, 3, 5])
def test_all_tables_are_weighed_as_the_majority_of_their_votes(tables: int) -> None:
    """With one case more or less, a table under discrete Laplace noise votes for or against, and no more."""
    one = replace(PLAN.tables[1], share=Fraction(1, tables))
    plan = replace(CURATOR.at(3), tables=tuple(replace(one, name=f"t{i}") for i in range(tables)), totals=())
    found = next(a for a in attacks_of(plan) if a["name"].startswith("is she in? all"))
    vote = 1 / (1 + math.exp(-3 / tables))
    ways = [(k, math.comb(tables, k) * vote**k * (1 - vote) ** (tables - k)) for k in range(tables + 1)]
    majority = sum(p * (1 if 2 * k > tables else 0.5 if 2 * k == tables else 0) for k, p in ways)
    assert found["success"] == pytest.approx(majority, abs=MARGIN)


def test_rounding_and_cell_keys_give_what_their_laws_differ_by() -> None:
    count = target(PLAN)
    expected = {"rounding": 0.5 + 0.5 / 5}
    one, other = ptable().law(count), ptable().law(count - 1)
    values = {count + v for v in one} | {count - 1 + v for v in other}
    distance = sum(abs(float(one.get(v - count, 0)) - float(other.get(v - count + 1, 0))) for v in values) / 2
    expected["cell_key"] = (1 + distance) / 2
    for kind, output in (("rounding", rounding()), ("cell_key", cell_key())):
        assert best_guess(PLAN, output, kind, "")["success"] == pytest.approx(expected[kind], abs=MARGIN)


def test_subtraction_before_and_after_complementary_cells() -> None:
    alone = FOUND["subtraction: suppression under 5 alone"]
    further = FOUND["subtraction: suppression under 5, with complementary cells"]
    assert alone["success"] == 1
    assert further["success"] == 0
    assert "audited" in further["what"]
    assert further["high"] > 0
    assert further["runs"] == alone["runs"] > 20


def test_each_attack_says_how_often_and_when() -> None:
    for attack in FOUND.values():
        assert attack["runs"] > 0
        assert attack["date"] == "2026-01-01"
        assert 0 <= attack["low"] <= attack["success"] <= attack["high"] <= 1
        assert 0 < attack["chance"] < 1


def test_the_same_plan_gives_the_same_attacks_and_another_one_others() -> None:
    assert attacks_of(demo_plan("2026-01-01")) == list(FOUND.values())
    other = attacks_of(PLAN.at("0.999"))
    assert other[0]["success"] != next(iter(FOUND.values()))["success"]
