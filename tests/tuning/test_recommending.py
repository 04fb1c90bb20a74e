"""Recommendations: least, best, and honest where there is none."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import pytest

from pets.errors import InvalidArgument
from pets.tuning import Axis, Budget, Privacy, Rule, Source, Table, Targets, Total, TuningPlan, demo_plan, recommend
from pets.tuning.collapse import collapses, merged, without
from pets.tuning.recommending import meets

DEMO = demo_plan("2026-01-01")
SOURCE = Source("published", "report", 1)


def one(counts: tuple[float, ...], labels: tuple[str, ...] | None = None, **fields: object) -> TuningPlan:
    axis = Axis("age", labels or tuple(f"{5 * i}-{5 * i + 4}" for i in range(len(counts))))
    return TuningPlan((Table("t", (axis,), Fraction(1), counts),), SOURCE, **fields)  # type: ignore[arg-type]


def enough(plan: TuningPlan, targets: Targets, epsilon: Fraction) -> bool:
    noises = (plan.noise(i, float(epsilon)) for i in range(len(plan.tables)))
    return all(meets(plan, t, noise, targets) for t, noise in zip(plan.tables, noises, strict=True))


@pytest.mark.parametrize(
    "targets",
    [
        Targets(),
        Targets(cells=None, cell_within=3),
        Targets(cells=0.5, patients=0.95),
        Targets(cells=None, totals_within={"girls, all cancers": 30, "Iceland, all cancers": 20}),
    ],
)
@pytest.mark.parametrize("mechanism", ["discrete_laplace", "discrete_gaussian"])
def test_the_smallest_epsilon_is_the_smallest(targets: Targets, mechanism: str) -> None:
    plan = replace(DEMO, privacy=Privacy(Fraction(1), mechanism))  # type: ignore[arg-type]
    found = recommend(plan, targets)
    assert found.epsilon is not None
    assert enough(plan, targets, found.epsilon)
    step = Fraction(1, 1000) if found.epsilon <= Fraction(1, 10) else Fraction(1, 100)
    step = step if found.epsilon <= 1 else Fraction(1, 10)
    assert not enough(plan, targets, found.epsilon - step)


def test_counts_within_three_need_the_epsilon_that_the_planner_says() -> None:
    from pets.dp import plan as least

    found = recommend(one((5, 9)), Targets(cells=None, cell_within=3))
    exact = least("counts within 3 at 95 %").guarantee.epsilon  # type: ignore[union-attr]
    assert found.epsilon is not None
    assert exact <= found.epsilon < exact + Fraction(1, 100)


def test_the_split_beats_every_other_split_of_a_fine_grid() -> None:
    counts = ((17, 30, 200), (400, 500, 900))
    axis = Axis("age", ("0-4", "5-9", "10-14"))
    tables = tuple(Table(n, (axis,), Fraction(1, 2), c) for n, c in zip("ab", counts, strict=True))
    plan = TuningPlan(tables, SOURCE)
    targets = Targets(cells=1)
    found = recommend(plan, targets)
    assert found.epsilon is not None
    assert found.split_epsilon is not None
    assert found.split_epsilon < found.epsilon
    assert sum(found.split.values()) == 1
    for share in (Fraction(n, 40) for n in range(1, 40)):
        other = replace(plan, tables=(replace(tables[0], share=share), replace(tables[1], share=1 - share)))
        cheaper = found.split_epsilon - (Fraction(1, 10) if found.split_epsilon > 1 else Fraction(1, 50))
        assert not enough(other, targets, cheaper)
    split = replace(plan, tables=tuple(replace(t, share=found.split[t.name]) for t in tables))
    assert enough(split, targets, found.split_epsilon)


def test_no_epsilon_and_the_collapse_that_would() -> None:
    found = recommend(one((9, 9, 9, 9)), Targets(cells=0.9, of="all"))
    assert found.epsilon is None
    assert "No epsilon up to 10" in found.words
    (step,) = found.instead
    assert step["words"] == "merge 'age' to 0-9, 10-19"
    assert step["cells"] == 2
    coarse = one((18, 18), ("0-9", "10-19"))
    assert enough(coarse, Targets(cells=0.9, of="all"), Fraction(str(step["epsilon"])))


def test_the_rarest_categories_of_an_axis_without_order_are_merged() -> None:
    plan = one((300, 2, 250, 5, 10), ("leukaemia", "rare a", "brain", "rare b", "rare c"))
    (step,) = recommend(plan, Targets(cells=1, of="all")).instead
    assert step["axes"] == [{"name": "age", "labels": ["leukaemia", "brain", "other (3 of 5)"]}]
    assert "rare a, rare b, rare c" in step["words"]


def test_two_axes_where_one_is_not_enough() -> None:
    axes = (Axis("a", ("1", "2")), Axis("b", ("1", "2")))
    plan = TuningPlan((Table("t", axes, Fraction(1), (5, 5, 5, 5)),), SOURCE)
    (step,) = recommend(plan, Targets(cells=1, of="all")).instead
    assert step["cells"] == 1
    assert step["axis"] == "a, b"


def test_the_collapse_that_keeps_most_cells_is_taken() -> None:
    axes = (Axis("age", tuple(f"{i}-{i}" for i in range(8))), Axis("type", ("common", "rare a", "rare b")))
    plan = TuningPlan((Table("t", axes, Fraction(1), (100, 10, 10) * 8),), SOURCE)
    (step,) = recommend(plan, Targets(cells=1, of="all")).instead
    assert (step["axis"], step["cells"]) == ("type", 16)  # merging ages in pairs would do too, and keeps 12


def test_no_cell_that_the_rule_accepts_is_no_success() -> None:
    found = recommend(one((3, 4)))
    assert found.epsilon is None
    assert "No epsilon" in found.words


def test_nothing_helps_and_it_is_said() -> None:
    found = recommend(one((1, 2)), Targets(cells=1, of="all"))
    assert (found.epsilon, found.instead) == (None, ())
    assert "ask for more years" in found.words
    alone = recommend(DEMO, Targets(cells=None, totals_within={"all cancers": 1}, up_to=1))
    assert alone.epsilon is None
    assert "directly" in alone.words


def test_a_budget_is_split_over_years() -> None:
    plan = one((40, 60, 90), budget=Budget(Fraction(2)))
    once, often = recommend(plan, Targets(releases=1)), recommend(plan, Targets(releases=20))
    assert once.epsilon is not None
    assert once.years >= 1
    assert often.epsilon is None
    assert "No epsilon up to 0.1 " in often.words
    assert "paid for 20 times" in often.words
    many = once.years
    assert recommend(plan, Targets(releases=many)).epsilon == once.epsilon
    assert recommend(plan, Targets(releases=many + 1)).epsilon is None


def test_gaussian_releases_share_rho() -> None:
    from pets.tuning.curves import rho_for
    from pets.tuning.recommending import per_release

    plan = one((40,), privacy=Privacy(Fraction(1), "discrete_gaussian"), budget=Budget(Fraction(2)))
    each = float(per_release(plan, 10))
    assert 10 * rho_for(each, 1e-6) == pytest.approx(rho_for(2, 1e-6), rel=1e-6)
    assert each > 2 / 10


def test_an_empty_account_pays_for_nothing() -> None:
    from pets.tuning import Spent

    plan = one((40,), budget=Budget(Fraction(1), (Spent("", "", Fraction(1)),)))
    assert "pays for nothing" in recommend(plan, Targets(releases=1)).words


def test_a_spent_account_pays_for_no_release() -> None:
    found = recommend(one((40, 50), budget=Budget(Fraction(1, 10))))
    assert found.years == 0
    assert "does not pay" in found.words


def test_the_rule_decides() -> None:
    easy = recommend(one((8, 20), rule=Rule(max_relative_error=0.5)), Targets(cells=1, of="all"))
    hard = recommend(one((8, 20), rule=Rule(max_relative_error=0.36)), Targets(cells=1, of="all"))
    assert easy.epsilon is not None
    assert hard.epsilon is not None
    assert easy.epsilon < hard.epsilon


@pytest.mark.parametrize(
    "wrong",
    [{"cells": 0}, {"cells": 2}, {"of": "some"}, {"cells": None}, {"cell_within": -1}, {"up_to": 0}, {"releases": 0}],
)
def test_targets_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidArgument):
        Targets(**wrong)  # type: ignore[arg-type]


def test_a_target_for_a_total_that_is_not_there() -> None:
    with pytest.raises(InvalidArgument, match="Did you mean 'all cancers'"):
        recommend(DEMO, Targets(totals_within={"all cancer": 5}))


def test_merging_keeps_every_case() -> None:
    table = DEMO.tables[0]
    found = list(collapses(table))
    assert len(found) > 10
    for collapse in found:
        assert sum(collapse.table.counts) == sum(table.counts)
        assert collapse.table.cells < table.cells


def test_people_at_risk_follow_the_merge() -> None:
    axes = (Axis("diagnosis", ("a", "b")), Axis("sex", ("f", "m")))
    table = Table("t", axes, Fraction(1), (1, 2, 3, 4), (100, 110, 100, 110))
    assert without(table, 0).person_years == (100, 110)
    assert without(table, 1).person_years == (210, 210)
    assert merged(table, 0, [[0, 1]]).counts == (4, 6)
    assert merged(table, 1, [[0, 1]]).person_years == (210, 210)


def test_totals_survive_a_collapse_of_another_axis() -> None:
    axes = (Axis("a", ("0-4", "5-9")), Axis("b", ("x", "y")))
    plan = TuningPlan(
        (Table("t", axes, Fraction(1), (9, 8, 8, 9)),), SOURCE, totals=(Total("x", "margin", "t", {"b": ["x"]}),)
    )
    found = recommend(plan, Targets(cells=1, of="all", totals_within={"x": 40}))
    assert [step["axis"] for step in found.instead] == ["a"]
    assert list(itertools.chain.from_iterable(t.counts for t in plan.tables)) == [9, 8, 8, 9]


def test_where_no_case_is_planned_no_epsilon_is_recommended() -> None:
    found = recommend(one((0, 0, 0)))
    assert (found.epsilon, found.split_epsilon, found.years) == (None, None, 0)
    assert "No case is planned" in found.words
    assert recommend(one((0, 0)), Targets(cells=None, cell_within=3)).epsilon is not None  # that can be asked of zeros


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (("C22", "C64", "C71", "C81", "C91"), "merge the rarest categories of 'age' (C22, C64) into one"),
        (("1a", "1b", "2a", "2b", "3a"), "merge 'age' to 1a to 1b, 2a to 2b, 3a"),
        (("8970/3", "8970/6", "8970/9", "9500/3", "9500/6"), "merge 'age' to "),
        (("<1", "1-4", "5-9", "10-14", "15+"), "merge 'age' to <1 to 1-4, 5-14, 15+"),
        (("other (2 of 5)", "b", "c", "d", "e"), "merge the rarest categories of 'age' (other (2 of 5), b) into one"),
        (("0-4", "5-9", "10-14", "15-19", "unknown"), "merge the rarest categories of 'age' (0-4, 5-9) into one"),
    ],
)
def test_any_labels_can_be_merged(labels: tuple[str, ...], words: str) -> None:
    plan = one((1, 2, 3, 16, 16), labels)
    found = list(collapses(plan.tables[0]))
    assert found[0].words.startswith(words)
    assert all(len(set(step.table.axes[0].labels)) == step.table.cells for step in found if step.table.axes)
    assert recommend(plan).epsilon is None  # sixteen cases fail by any noise, so something coarser is looked for
