"""The document of numbers: complete, plain, and each section against the part of `pets` that it is about."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

import pets
from pets.errors import InvalidArgument
from pets.plan_file import AGGREGATORS
from pets.tuning import (
    Axis,
    Budget,
    Given,
    Privacy,
    Rule,
    Source,
    Spent,
    Table,
    TuningPlan,
    cell_figures,
    demo_plan,
    load,
    numbers_of,
    plan_from_dict,
)
from pets.tuning.account import budget_of, composed
from pets.tuning.comparison import placements_of
from pets.tuning.costs import costs_of, recorded
from pets.tuning.knowledge import noise_at, who_sees
from pets.tuning.plan_text import to_dict
from pets.tuning.staircase import headline, slider, usable_from, usable_shares
from pets.tuning.words import cut_share, plain_words

PLAN = demo_plan("2026-01-01")
DOCUMENT = numbers_of(PLAN)

# What the page is built from: the sections that its script reads.
SECTIONS = {
    "schema", "title", "language", "internal", "built", "version", "grid", "source", "privacy", "assumed", "sites",
    "rule", "headline", "plain", "tables", "usable", "years", "totals", "totals_warning", "mechanisms",
    "noise_placement", "attack", "who_sees", "cost", "budget", "recommendation", "plan_toml", "plan_lines", "decision",
}  # fmt: skip


def one(counts: tuple[float, ...], **fields: object) -> TuningPlan:
    axis = Axis("cell", tuple(f"c{i}" for i in range(len(counts))))
    return TuningPlan((Table("t", (axis,), Fraction(1), counts),), Source("published", "r", 1), **fields)  # type: ignore[arg-type]


def test_the_document_is_plain_json_and_complete() -> None:
    assert set(DOCUMENT) == SECTIONS
    text = json.dumps(DOCUMENT, allow_nan=False)
    assert json.loads(text) == DOCUMENT


@pytest.mark.parametrize(
    "counts",
    [(0,), (1,), (0, 0, 0), (0.3, 2.5), tuple(range(2000)), (10**7,)],
    ids=["0", "1", "none", "expected", "2000", "huge"],
)
@pytest.mark.parametrize("mechanism", ["discrete_laplace", "discrete_gaussian"])
def test_any_table_gives_a_document(counts: tuple[float, ...], mechanism: str) -> None:
    document = numbers_of(one(counts, privacy=Privacy(Fraction(1), mechanism)))  # type: ignore[arg-type]
    json.dumps(document, allow_nan=False)
    assert [cell["count"] for cell in document["tables"][0]["cells"]] == list(counts)


def test_the_headline_is_the_study_s() -> None:
    (line,) = headline(one((20,), rule=Rule(max_false_zero=1)))
    found = {point["epsilon"]: point["count"] for point in line["by_epsilon"]}
    assert line["without_noise"] == 16
    assert {e: found[e] for e in (0.1, 0.25, 0.5, 1)} == {0.1: 66, 0.25: 32, 0.5: 22, 1: 18}


def test_a_cell_s_row_at_any_epsilon() -> None:
    row = cell_figures(one((5,)), 0, 0, epsilon=1)
    assert (row["low"], row["high"], row["verdict"]) == (2, 8, "few")
    assert row["seen_as_zero"] == pytest.approx(0.0049, abs=5e-5)
    assert row["phantom"] is None
    empty = cell_figures(one((0,)), 0, 0, epsilon=1)
    assert (empty["low"], empty["high"], empty["relative_error"], empty["widening"]) == (0, 3, None, None)
    assert empty["phantom"] == pytest.approx(0.269, abs=5e-4)


def test_usable_from_is_where_the_verdict_turns() -> None:
    points = slider()
    for count in (16, 18, 22, 40, 300):
        plan = one((count,))
        start = usable_from(plan, 0, count)
        if start is None:
            assert plan.rule.verdict(plan.noise(0, 10), count) != "usable"
            continue
        place = points.index(start)
        assert plan.rule.verdict(plan.noise(0, start), count) == "usable"
        assert place == 0 or plan.rule.verdict(plan.noise(0, points[place - 1]), count) == "noise"


def test_shares_by_bucket_count_cells_and_patients() -> None:
    found = {bucket["bucket"]: bucket for bucket in usable_shares(one((0, 1, 4, 5, 15, 16, 17, 500)))}
    assert {name: (b["cells"], b["patients"]) for name, b in found.items()} == {
        "1-4": (2, 5), "5-15": (2, 20), "16+": (3, 533),
    }  # fmt: skip
    at_one = next(p for p in found["16+"]["by_epsilon"] if p["epsilon"] == 1)
    assert (at_one["cells"], at_one["patients"]) == (pytest.approx(1 / 3), pytest.approx(500 / 533))


def test_the_budget_adds_up() -> None:
    budget = Budget(Fraction(3), (Spent("2025", "x", Fraction(1, 2)), Spent("2026", "y", Fraction(1, 10))), 4)
    found = budget_of(one((5,), budget=budget, privacy=Privacy(Fraction(7, 10))))
    assert (found["used"], found["left"], found["over"], found["years_possible"]) == (0.6, 1.7, False, 3)
    assert [round(p["left"], 9) for p in found["projection"]] == [1.7, 1.0, 0.3, -0.4]


@pytest.mark.parametrize(("epsilon", "releases"), [("0.25", 20), ("0.5", 20), ("1", 10)])
def test_composition_is_that_of_dp_accounting_and_gains_little(epsilon: str, releases: int) -> None:
    accounting = pytest.importorskip("dp_accounting")
    pld = pytest.importorskip("dp_accounting.pld")
    accountant = pld.PLDAccountant(value_discretization_interval=1e-4)
    # randomised response is the worst pure mechanism: the loss is +epsilon or -epsilon
    event = accounting.LaplaceDpEvent(1 / float(epsilon))
    accountant.compose(event, releases)
    ours = composed("discrete_laplace", Fraction(epsilon), Fraction(1, 10**6), releases)
    plain = releases * float(epsilon)
    assert accountant.get_epsilon(1e-6) <= ours * 1.001 <= plain * 1.001
    assert ours >= 0.95 * plain


def test_twenty_seven_and_seventy_three() -> None:
    found = plain_words(PLAN)
    assert (found["wrong_of_100"], found["right_of_100"]) == (27, 73)
    beliefs = {b["before"]: (b["at_least"], b["at_most"]) for b in found["beliefs"]}
    assert beliefs[0.01] == (pytest.approx(0.0037, abs=5e-5), pytest.approx(0.0267, abs=5e-5))
    assert beliefs[0.5] == (pytest.approx(0.269, abs=5e-4), pytest.approx(0.731, abs=5e-4))
    assert "relatives" in found["does_not_cover"]
    text = json.dumps(DOCUMENT).lower()
    assert "anonym" not in text
    assert " safe" not in text


def test_cuts_by_the_contribution_bound() -> None:
    shares = (0.8, 0.15, 0.05)
    rows = 0.8 + 0.3 + 0.15
    assert cut_share(shares, 1) == pytest.approx((0.15 + 2 * 0.05) / rows)
    assert cut_share(shares, 2) == pytest.approx(0.05 / rows)
    assert cut_share(shares, 3) == 0


INSIDE = ("masked_sum", "additive_sharing", "shamir_sharing", "bfv", "threshold_bfv")


@pytest.mark.parametrize("name", sorted(set(AGGREGATORS) - {"verify_before_open"}))
def test_who_sees_what_agrees_with_the_pipeline(name: str) -> None:
    found = who_sees(replace(PLAN, aggregator=name, noise_at="sites" if name in INSIDE else "curator"))
    server = dict(zip(found["what"], found["cells"][1], strict=True))
    assert (server["the table of one site"] == "no") == (name != "plain")
    told = {line["who"]: line["words"] for line in found["details"]}
    inside = found["noise_at"] == "sites"
    assert server["the exact total"].startswith("never" if inside else ("YES", "no"))
    assert ("exact total" in told["server"].lower()) == (server["the exact total"] == "YES")


def test_unknown_aggregators_and_those_that_open_no_small_cells_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="Did you mean"):
        who_sees(replace(PLAN, aggregator="masked"))
    with pytest.raises(InvalidArgument, match="does not go with"):
        who_sees(replace(PLAN, aggregator="verify_before_open"))


def test_noise_is_where_the_plan_says() -> None:
    assert noise_at(PLAN) == "sites"
    assert noise_at(replace(PLAN, noise_at="curator")) == "curator"
    with pytest.raises(InvalidArgument, match="does not go with"):
        who_sees(replace(PLAN, aggregator="plain"))


def test_a_plan_that_says_nothing_adds_its_noise_at_the_curator_as_a_pipeline_does() -> None:
    silent = plan_from_dict({key: value for key, value in to_dict(PLAN).items() if key != "noise_at"})
    assert noise_at(silent) == "curator"
    assert who_sees(silent)["cells"][1][2] == "YES"


def test_who_sees_the_total_is_what_the_pipeline_says(tmp_path: Path) -> None:
    (tmp_path / "d.toml").write_text(
        'schema = 1\ndeclared_by = "me"\n[unit]\nid = "pid"\n'
        '[attributes.sex]\ntype = "categorical"\ncategories = ["f", "m"]\n',
        encoding="utf-8",
    )
    (tmp_path / "counts.csv").write_text("sex,count\nf,20\nm,30\n", encoding="utf-8")
    text = (
        'schema = 1\ndomain = "d.toml"\nnoise_at = "NOISE"\nsite_bound = 1000\n[query]\ntype = "count"\nby = ["sex"]\n'
        '[mechanism]\ntype = "discrete_laplace"\nepsilon = "1"\n[aggregator]\ntype = "masked_sum"\n'
        '[ledger]\npath = "b.sqlite"\nlimit = { type = "pure_dp", epsilon = "3" }\n'
    )
    totals = {"curator": "YES", "sites": "never: the noise is inside the sum"}
    for place, total in totals.items():
        (tmp_path / "plan.toml").write_text(text.replace("NOISE", place), encoding="utf-8")
        plan = replace(load(tmp_path / "plan.toml", tmp_path / "counts.csv", Given(source="x")), sites=5)
        assert (noise_at(plan), who_sees(plan)["cells"][1][2]) == (place, total)
        assert plan_from_dict(to_dict(plan)) == plan
    assert placements_of(replace(plan, sites=1)) == []


def test_costs_are_recorded_with_date_and_command() -> None:
    record = recorded()
    assert {"date", "command", "numpy", "pets"} <= set(record["stamp"])
    assert all(row["exact"] for row in record["rows"])
    found = {row["aggregator"]: row for row in costs_of(replace(PLAN, sites=19))}
    assert found["masked_sum"]["this_plan"] is True
    assert (found["masked_sum"]["sites"], found["masked_sum"]["cells"]) == (21, 100)
    assert found["masked_sum"]["bytes"] > 100


def test_sensitivities_are_those_of_the_library() -> None:
    for rows, relation, sites in (
        (1, "add_remove", 1),
        (3, "replace_one", 1),
        (2, "add_remove", 3),
        (2, "replace_one", 2),
    ):
        unit = pets.PrivacyUnit("patient_id", rows, relation, sites)  # type: ignore[arg-type]
        domain = pets.Domain(cell=["a", "b", "c"], unit=unit)
        exact = pets.Count(by=["cell"]).bind(domain).sensitivity
        privacy = Privacy(unit=unit)
        assert privacy.sensitivity == (exact.l1, exact.l2_squared)
        shown = numbers_of(one((5,), privacy=privacy))["privacy"]
        assert shown["per_row"]["l1"] * rows == exact.l1
        assert shown["per_row"]["l2_squared"] * rows**2 == exact.l2_squared
