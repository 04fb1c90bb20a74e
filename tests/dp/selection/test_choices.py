"""Choices through the public interface: laws of the draws, sensitivities by brute force, ledger, files, refusals."""

from __future__ import annotations

import itertools
import math
import warnings
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

import pets
from pets.csprng import InsecureRandom
from pets.dp.selection import (
    SELECTORS,
    AboveThreshold,
    Candidates,
    ExponentialMechanism,
    ExponentialQuantiles,
    PermuteAndFlip,
    ReportNoisyMax,
    Selected,
    TopK,
    select,
)
from pets.errors import BudgetExceeded, ConfigError, IncompatibleTallies, InvalidArgument, PairingRefused
from tests.dp.selection.support import RELATIONS, count_query

SCORES = np.array([3, 7, 5, 8, 8, 0])
ALL = [
    ExponentialMechanism(1), ExponentialMechanism(rho="0.125"), PermuteAndFlip("0.5"), ReportNoisyMax(1), TopK(2, 1),
    TopK(2, rho=1, method="peeling"), TopK(2, rho=1, method="table"), AboveThreshold(4, 1, 2),
]  # fmt: skip


def tally(query, values):
    full = np.zeros(query.size, dtype=np.int64)
    full[: len(values)] = values
    return pets.Tally(full, query.signature)


def draws(mechanism, query, n=5_000):
    source = InsecureRandom(insecure_seed=42)
    return [mechanism.choose(SCORES, query, source) for _ in range(n)]


def weights(rate: float) -> np.ndarray:
    return np.exp(rate * (SCORES - SCORES.max()))


def flipped(rate: float) -> np.ndarray:
    w, law = weights(rate), np.zeros(len(SCORES))
    for mask in itertools.product([0, 1], repeat=len(SCORES)):
        chance = float(np.prod([w[i] if m else 1 - w[i] for i, m in enumerate(mask)]))
        law += chance * np.array(mask) / max(sum(mask), 1)
    return law


def matches(observed, law) -> bool:
    return stats.chisquare(np.bincount(observed, minlength=len(law)), law * len(observed)).pvalue > 1e-6


def test_draws_follow_the_closed_forms_and_a_wrong_rate_is_seen():
    query = count_query(6, 1, "add_remove")
    weighed = ExponentialMechanism("0.5"), lambda rate: weights(rate) / weights(rate).sum()
    for mechanism, law in (weighed, (PermuteAndFlip("0.5"), flipped)):
        drawn = [chosen[0] for chosen, _ in draws(mechanism, query)]
        assert matches(drawn, law(0.5))
        assert not matches(drawn, law(0.6))


def test_draws_of_peeling_follow_gumbel_top_k():
    query = count_query(6, 1, "add_remove")
    drawn = [chosen for chosen, _ in draws(TopK(2, 1, method="peeling"), query)]
    w = weights(0.5)
    first = w / w.sum()
    law = {(i, j): first[i] * w[j] / (w.sum() - w[i]) for i in range(6) for j in range(6) if i != j}
    keys = [k for k in law if law[k] * len(drawn) > 10]
    observed = [sum(d == k for d in drawn) for k in keys]
    expected = np.array([law[k] for k in keys])
    assert stats.chisquare(observed, expected / expected.sum() * sum(observed)).pvalue > 1e-6


def test_noisy_max_and_table_follow_the_law_of_their_noise():
    query = count_query(6, 1, "add_remove")
    a, support = math.exp(-1), np.arange(-60, 90)
    pmf = (1 - a) / (1 + a) * a ** np.abs(support[:, None] - SCORES)
    upto = np.cumsum(pmf, axis=0)
    # the winner is strictly above, or tied and first in a random order: average over how many tie
    law = np.zeros(6)
    for i in range(6):
        for others in itertools.product([0, 1], repeat=5):
            rest = [j for j in range(6) if j != i]
            ties = [pmf[:, j] if tie else upto[:, j] - pmf[:, j] for j, tie in zip(rest, others, strict=True)]
            law[i] += float((pmf[:, i] * np.prod(ties, axis=0)).sum()) / (1 + sum(others))
    assert law.sum() == pytest.approx(1)
    assert matches([chosen[0] for chosen, _ in draws(ReportNoisyMax(1), query)], law)
    assert matches([chosen[0] for chosen, _ in draws(TopK(1, 1, method="table"), query)], law)


def test_a_wrong_winner_has_a_long_lead_no_more_often_than_stated():
    query, mechanism = count_query(6, 1, "add_remove"), ReportNoisyMax(1)
    found = draws(mechanism, query)
    for ahead in (0, 2, 4):
        seen = np.mean([chosen[0] not in (3, 4) and notes["lead"] >= ahead for chosen, notes in found])
        assert seen <= mechanism.doubt(query, ahead) + 5 * math.sqrt(0.25 / len(found))


@pytest.mark.parametrize("mechanism", ALL, ids=lambda m: f"{m.kind}-{'-'.join(m.to_dict())}")
def test_stated_shortfall_covers(mechanism):
    query = count_query(6, 1, "replace_one")
    stated, best = mechanism.shortfall(query, 0.9), sorted(SCORES)[::-1]
    wide = SCORES * 5
    source = InsecureRandom(insecure_seed=9)
    good = 0
    for _ in range(2000):
        chosen, _ = mechanism.choose(wide, query, source)
        if isinstance(mechanism, AboveThreshold):
            good += all(wide[i] > mechanism.threshold - stated for i in chosen)
        else:
            good += min(wide[list(chosen)]) >= 5 * best[getattr(mechanism, "k", 1) - 1] - stated
    assert good >= 0.87 * 2000


# How far a unit can move scores, by brute force over data sets


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("rows", [1, 2])
def test_spread_of_several_tables_is_that_of_brute_force(relation, rows):
    unit = pets.PrivacyUnit(id="who", max_rows=rows, neighbours=relation)
    domain = pets.Domain(a=["x", "y"], b=["u", "v"], unit=unit)
    query = pets.Marginals(tables=[["a"], ["b"]]).bind(domain)
    rows_of = [np.array([a == "x", a == "y", b == "u", b == "v"], dtype=int) for a in "xy" for b in "uv"]
    owned = [sum(c, np.zeros(4, dtype=int)) for n in range(rows + 1) for c in itertools.product(rows_of, repeat=n)]
    changes = owned if relation == "add_remove" else [u - v for u in owned for v in owned]
    among = Candidates(query)
    assert among.spread == max(int(c.max() - c.min()) for c in changes)
    assert among.linf == max(int(np.abs(c).max()) for c in changes)
    assert among.monotone == (relation == "add_remove")


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize(("low", "high"), [(0, 5), (-3, 2), (-4, -1), (1, 6)])
@pytest.mark.parametrize("rows", [1, 2])
def test_spread_of_sums_is_that_of_brute_force(relation, low, high, rows):
    unit = pets.PrivacyUnit(id="who", max_rows=rows, neighbours=relation)
    domain = pets.Domain({"cell": ["a", "b", "c"], "dose": pets.Integer(low, high)}, unit=unit)
    query = pets.Sum("dose", by=["cell"]).bind(domain)
    one = [np.eye(3, dtype=int)[i] * v for i in range(3) for v in {low, high, min(max(0, low), high)}]
    owned = [sum(c, np.zeros(3, dtype=int)) for n in range(rows + 1) for c in itertools.product(one, repeat=n)]
    changes = owned if relation == "add_remove" else [u - v for u in owned for v in owned]
    among = Candidates(query)
    seen = max(int(c.max() - c.min()) for c in changes)
    assert seen <= among.spread
    assert among.linf == max(int(np.abs(c).max()) for c in changes)
    if relation == "add_remove":
        assert seen == among.spread


def test_spread_of_two_signed_tables_would_double():
    query = count_query(3, 2, "replace_one")
    assert (Candidates(query).linf, Candidates(query).spread) == (2, 4)
    assert Candidates(count_query(3, 2, "add_remove")).spread == 2


# Interface


@pytest.mark.parametrize("mechanism", ALL, ids=lambda m: f"{m.kind}-{'-'.join(m.to_dict())}")
def test_choice_round_trips_and_explains_itself(mechanism):
    query = count_query(6, 1, "add_remove")
    chosen = mechanism.release(tally(query, SCORES), query)
    again = Selected.from_json(chosen.to_json())
    assert again == chosen
    assert again.to_json() == chosen.to_json()
    assert chosen.guarantee.unit == query.domain.unit
    assert all(label["cell"] in {f"c{i}" for i in range(6)} for label in chosen.labels)
    assert "95 of 100" in " ".join(chosen.explain())
    assert chosen.shortfall() >= 0
    assert SELECTORS[mechanism.kind](**{k: v for k, v in mechanism.to_dict().items() if k != "type"}) == mechanism
    assert "8" not in repr(pets.Tally(SCORES, query.signature)).split(";")[1]


def test_charge_comes_first_and_answers_are_kept(tmp_path, monkeypatch):
    query = count_query(6, 1, "add_remove")
    total, mechanism = tally(query, SCORES), PermuteAndFlip(1)
    with pets.Ledger(tmp_path / "book.sqlite", limit=pets.PureDP("1.5")) as ledger:
        first = select(mechanism, total, query, ledger=ledger)
        assert select(mechanism, total, query, ledger=ledger) == first
        account = {"unit": str(query.domain.unit)}
        assert ledger.spent(**account).epsilon == 1

        def never(*_):
            raise AssertionError("drawn before it was charged")

        monkeypatch.setattr(PermuteAndFlip, "release", never)
        with pytest.raises(BudgetExceeded):
            select(mechanism, total, query, ledger=ledger, repeat="again")
        with pytest.raises(AssertionError, match="drawn"):
            select(PermuteAndFlip("0.25"), total, query, ledger=ledger)
        assert ledger.spent(**account).epsilon == Fraction(5, 4)  # a crash wastes a charge, and never forgets it


def test_concentrated_choices_add_up_in_the_ledger(tmp_path):
    query = count_query(6, 1, "add_remove")
    with pets.Ledger(tmp_path / "book.sqlite", limit=pets.ZeroConcentratedDP(1)) as ledger:
        select(TopK(3, rho="0.5"), tally(query, SCORES), query, ledger=ledger)
        assert ledger.remaining(unit=str(query.domain.unit)).rho == Fraction(1, 2)


def test_without_a_ledger_there_is_a_warning():
    query = count_query(6, 1, "add_remove")
    with pytest.warns(pets.errors.UnrecordedReleaseWarning):
        select(PermuteAndFlip(1), tally(query, SCORES), query)


def test_groups_pay_k_times():
    query = count_query(6, 1, "add_remove")
    assert PermuteAndFlip(1).guarantee(query).group(3).epsilon == 3
    assert ExponentialMechanism(rho="0.1").guarantee(query).group(2).rho == Fraction(4, 10)


def test_structural_zeros_are_no_candidates():
    domain = pets.Domain(sex=["f", "m"], site=["liver", "ovary"], impossible=[{"sex": "m", "site": "ovary"}])
    query = pets.Count(by=["sex", "site"]).bind(domain)
    among = Candidates(query)
    assert [among.label(i) for i in range(len(among))] == [
        {"sex": "f", "site": "liver"}, {"sex": "f", "site": "ovary"}, {"sex": "m", "site": "liver"},
    ]  # fmt: skip
    with pytest.raises(InvalidArgument):
        among.label(3)


def test_top_k_takes_the_better_method_by_public_numbers():
    one_table = count_query(40, 1, "add_remove")
    assert TopK(5, 1).chosen_method(one_table) == "table"
    domain = pets.Domain({f"a{i}": ["x", "y", "z"] for i in range(30)})
    many = pets.Marginals(tables=[[f"a{i}"] for i in range(30)]).bind(domain)
    assert TopK(2, 1).chosen_method(many) == "peeling"
    for query in (one_table, many):
        auto = TopK(3, 1).shortfall(query)
        assert auto == min(TopK(3, 1, method=m).shortfall(query) for m in ("peeling", "table"))


def test_bounded_range_of_rho_is_rounded_down():
    for times in (1, 3, 7):
        epsilon = ExponentialMechanism(rho="0.1").cost.bounded_range(times)
        assert times * epsilon**2 / 8 <= Fraction(1, 10) < times * (epsilon * (1 + Fraction(1, 10**15))) ** 2 / 8


def test_huge_scores_are_clamped_and_drawn():
    query = count_query(3, 1, "add_remove")
    total = tally(query, [2**61, 5, 2**61])
    assert {PermuteAndFlip(1).release(total, query).chosen[0] for _ in range(50)} == {0, 2}


def test_what_does_not_fit_is_refused():
    domain = pets.Domain(sex=["f", "m"], age=pets.Integer(0, 20, bins=[0, 10, 20]))
    with pytest.raises(PairingRefused):
        PermuteAndFlip(1).guarantee(pets.Mean("age").bind(domain))
    with pytest.raises(InvalidArgument):
        PermuteAndFlip(1).guarantee(pets.Count().bind(domain))
    with pytest.raises(InvalidArgument):
        TopK(2, 1).guarantee(pets.Count(by=["sex"]).bind(domain))
    with pytest.raises(PairingRefused):
        ExponentialQuantiles(epsilon=1).guarantee(pets.Count(by=["age"]).bind(domain))
    with pytest.raises(PairingRefused):
        ExponentialQuantiles(epsilon=1).guarantee(pets.Histogram("age", by=["sex"]).bind(domain))
    for bad in ({}, {"epsilon": 1, "rho": 1}, {"epsilon": 0}, {"rho": -1}):
        with pytest.raises(InvalidArgument):
            ExponentialMechanism(**bad)
    with pytest.raises(InvalidArgument):
        TopK(0, 1)
    with pytest.raises(InvalidArgument):
        TopK(1, 1, method="gumbel")
    query, other = count_query(3, 1, "add_remove"), count_query(4, 1, "add_remove")
    with pytest.raises(IncompatibleTallies):
        PermuteAndFlip(1).release(tally(other, [1]), query)
    with pytest.raises(InvalidArgument):
        select("permute_and_flip", tally(query, [1]), query)
    for level in (0, 1, "x", True):
        with pytest.raises(InvalidArgument):
            PermuteAndFlip(1).shortfall(query, level)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": "pets-release"}', "null"])
def test_foreign_documents_are_refused(text):
    with pytest.raises(ConfigError):
        Selected.from_json(text)


def test_quantiles_of_ages_come_out_near_the_truth():
    domain = pets.Domain(age=pets.Integer(0, 99, bins=[*range(0, 99, 10), 99]))
    query = pets.Histogram("age").bind(domain)
    counts = np.zeros(query.size, dtype=np.int64)
    counts[:9] = 100
    mechanism = ExponentialQuantiles(["0.25", "0.5", "0.75"], epsilon=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = select(mechanism, pets.Tally(counts, query.signature), query)
    columns = mechanism.columns(found)
    assert columns["probability"].tolist() == [0.25, 0.5, 0.75]
    assert np.all(np.abs(columns["value"] - [22.5, 45, 67.5]) <= 12)
    assert found.labels[1]["age"] == "40-49"
    assert Selected.from_json(found.to_json()) == found
