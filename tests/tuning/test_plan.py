"""Tuning plans: what is refused, what is exported, and that a page can be built again byte for byte."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

import pets
from pets.errors import BudgetExceeded, ConfigError, InvalidArgument, PetsError
from pets.tuning import (
    Axis,
    Budget,
    Given,
    Life,
    Privacy,
    Source,
    Spent,
    Table,
    Total,
    TuningPlan,
    demo_plan,
    export,
    load,
    numbers_of,
    page_of,
    plan_from_dict,
    to_toml,
)
from pets.tuning.building import UNNAMED
from pets.tuning.plan_text import plan_lines, to_dict

HALF = Fraction(1, 2)
SOURCE = Source("published", "annual report", 4)


def table(name: str = "t", share: Fraction = Fraction(1), counts: tuple[float, ...] = (3, 0, 7, 20)) -> Table:
    return Table(name, (Axis("site", ("a", "b")), Axis("sex", ("f", "m"))), share, counts)


def plan(**fields: object) -> TuningPlan:
    return TuningPlan(**({"tables": (table(),), "source": SOURCE, "built": "2026-01-01"} | fields))  # type: ignore[arg-type]


def write(folder: Path, text: str, name: str = "plan.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"tables": (table("one", HALF), table("two", Fraction(1, 3), (0.5, 2.25, 0, 1)))},
        {"tables": (Table("one cell", (), Fraction(1), (4,)),)},
        {"privacy": Privacy(Fraction(1, 3), "discrete_gaussian", Fraction(1, 10**7))},
        {"privacy": Privacy(unit=pets.PrivacyUnit("child", 3, "replace_one", 2), rows_per_person=(0.9, 0.1))},
        {"budget": Budget(Fraction(7, 3), (Spent("2025-01-01", "a \"quoted\" line", Fraction(1, 7)),), 3)},
        {"totals": (Total("x", "survival", "t", life=Life((1.0, 2), (3, 1.0), (0, 2.5), 9.0)),)},
        {"title": "Ligne <b>1</b>\n\ttab", "internal": True, "sites": 4, "aggregator": "masked_sum"},
    ],
)  # fmt: skip
def test_text_and_back(tmp_path: Path, fields: dict[str, object]) -> None:
    made = plan(**fields)
    again = load(write(tmp_path, to_toml(made)))
    assert again == made
    assert to_toml(again) == to_toml(made)


@pytest.mark.parametrize("epsilon", ["1", "0.37", "1/3"])
def test_the_exported_plan_gives_the_same_page_byte_for_byte(tmp_path: Path, epsilon: str) -> None:
    made = demo_plan("2026-02-03").at(epsilon)
    text = export(made)
    again = load(write(tmp_path, text))
    assert page_of(again).encode() == page_of(made).encode()
    assert export(again) == text


def test_the_page_differs_when_anything_differs() -> None:
    made = plan()
    assert page_of(made) != page_of(plan(title="other"))
    assert page_of(made) != page_of(plan(tables=(table(counts=(3, 0, 7, 21)),)))


def test_an_exported_plan_holds_no_path_and_only_plain_types() -> None:
    text = to_toml(demo_plan("2026-01-01"))
    assert "/work" not in text
    assert "/tmp" not in text  # noqa: S108

    def plain(value: object) -> bool:
        if isinstance(value, dict):
            return all(map(plain, value.values()))
        return all(map(plain, value)) if isinstance(value, list) else isinstance(value, str | int | float | bool)

    assert plain(tomllib.loads(text))


def test_lines_that_the_page_replaces_are_in_the_text_in_order() -> None:
    made = plan(tables=(table("one", HALF), table("two", Fraction(1, 4))))
    lines = to_toml(made).splitlines()
    found = plan_lines(made)
    for key, line in found.items():
        assert line in lines, key
    assert [line for line in lines if line.startswith("share = ")] == [found["share_0"], found["share_1"]]


def test_a_setting_changed_in_the_text_is_changed_in_the_plan(tmp_path: Path) -> None:
    made = plan()
    text = to_toml(made).replace(plan_lines(made)["epsilon"], 'epsilon = "0.25"')
    text = text.replace(plan_lines(made)["max_false_zero"], "max_false_zero = 0.2")
    again = load(write(tmp_path, text))
    assert again.privacy.epsilon == Fraction(1, 4)
    assert again.rule.max_false_zero == 0.2


def test_over_budget_is_no_export() -> None:
    over = plan(budget=Budget(Fraction(1), (Spent("", "", HALF),)))
    assert numbers_of(over)["budget"]["over"] is True
    with pytest.raises(BudgetExceeded, match=r"0\.5"):
        export(over)
    exactly = over.at(HALF)
    assert numbers_of(exactly)["budget"]["over"] is False
    assert export(exactly)


def test_confidential_counts_need_the_mark_and_never_leave(tmp_path: Path) -> None:
    secret = Source("confidential", "this year's rows", 4)
    with pytest.raises(InvalidArgument, match=r"--internal.*pets\.dp\.PrivateTuning"):
        plan(source=secret)
    marked = plan(source=secret, internal=True)
    text = export(marked)
    assert "counts = [" not in text
    assert numbers_of(marked)["internal"] is True
    assert numbers_of(marked)["source"]["digest"] == ""
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match="--planning"):
        load(path)
    counts = write(tmp_path, "site,sex,count\na,f,3\na,m,0\nb,f,7\nb,m,20\n", "c.csv")
    with pytest.raises(InvalidArgument, match="--internal"):
        load(path, counts, Given(confidential=True))
    again = load(path, counts, Given(confidential=True, internal=True))
    assert page_of(again) == page_of(marked)


@pytest.mark.parametrize(
    ("changed", "argument"),
    [
        ({"schema": 2}, "kind"),
        ({"kind": "other"}, "kind"),
        ({"colour": 1}, "colour"),
        ({"tables": []}, "tables"),
        ({"privacy": {"epsilon": "0"}}, "privacy.epsilon"),
        ({"privacy": {"epsilon": "11"}}, "privacy.epsilon"),
        ({"privacy": {"delta": "0.1"}}, "privacy.delta"),
        ({"privacy": {"mechanism": "laplace"}}, "privacy.mechanism"),
        ({"privacy": {"contribution": 0}}, "privacy.max_rows"),
        ({"privacy": {"rows_per_person": [0.5]}}, "privacy.rows_per_person"),
        ({"rule": {"max_error": 1}}, "rule.max_error"),
        ({"rule": {"max_relative_error": "x"}}, "rule.max_relative_error"),
        ({"budget": {"total": "-1"}}, "budget.total"),
        ({"budget": {"spent": [{"loss": "x"}]}}, "budget.spent.0.loss"),
        ({"source": {"kind": "published", "text": "", "rows": 1}}, "source.source"),
        ({"source": None}, "source"),
        ({"totals": [{"label": "x", "kind": "sum", "table": "none"}]}, "totals.table"),
        ({"totals": [{"label": "x", "kind": "rate", "table": "t"}]}, "totals.age"),
        ({"totals": [{"label": "x", "kind": "sum", "table": "t", "where": {"site": ["c"]}}]}, "totals.where.site"),
        ({"sites": 0}, "sites"),
        ({"internal": "yes"}, "internal"),
    ],
)
def test_what_is_wrong_in_a_plan_is_named(changed: dict[str, object], argument: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_from_dict(to_dict(plan()) | changed)
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    "wrong",
    [
        {"counts": [1, 2, 3]},
        {"counts": [1, 2, 3, -1]},
        {"counts": [1, 2, 3, "x"]},
        {"counts": [1, 2, 3, True]},
        {"counts": [1, 2, 3, float("inf")]},
        {"counts": [1, 2, 3, 10**8]},
        {"share": "0"},
        {"share": "1.5"},
        {"name": ""},
        {"axes": [{"name": "a", "labels": []}]},
        {"axes": [{"name": "a", "labels": ["x", "x", "y", "z"]}]},
    ],
)
def test_wrong_tables_are_refused(wrong: dict[str, object]) -> None:
    data = to_dict(plan())
    data["tables"][0] |= wrong
    with pytest.raises(PetsError):
        plan_from_dict(data)


def test_shares_of_all_tables_fit_one_budget() -> None:
    with pytest.raises(InvalidArgument, match="share"):
        plan(tables=(table("one", HALF), table("two", Fraction(2, 3))))


REGISTRY = """
schema = 1
name = "childhood cancers"
[unit]
id = "patient_id"
max_rows = 2
[attributes.site]
type = "categorical"
categories = ["liver", "kidney"]
[attributes.sex]
type = "categorical"
categories = ["f", "m"]
"""
PIPELINE = """
schema = 1
domain = "registry.toml"
dataset = "registry-2017"
[query]
type = "marginals"
tables = [["site", "sex"], ["site"]]
[mechanism]
type = "{mechanism}"
{budget}
[ledger]
path = "budget.sqlite"
limit = {{ type = "pure_dp", epsilon = "2" }}
"""
COUNTS = "site,sex,count\nliver,f,3\nliver,m,1\nkidney,f,7\nkidney,m,9\n"


def pipeline_file(folder: Path, mechanism: str = "discrete_laplace", budget: str = 'epsilon = "0.5"') -> Path:
    write(folder, REGISTRY, "registry.toml")
    write(folder, COUNTS, "counts.csv")
    return write(folder, PIPELINE.format(mechanism=mechanism, budget=budget))


def test_a_pipeline_s_plan_gives_its_tables_budget_and_unit(tmp_path: Path) -> None:
    found = load(pipeline_file(tmp_path), tmp_path / "counts.csv", Given(source="report"))
    assert [t.counts for t in found.tables] == [(3, 1, 7, 9), (4, 16)]
    assert [t.share for t in found.tables] == [HALF, HALF]
    assert (found.privacy.epsilon, found.privacy.sensitivity, found.budget.total) == (HALF, (2, 4), 2)
    assert not (tmp_path / "budget.sqlite").exists()
    bound = pets.Pipeline.from_file(tmp_path / "plan.toml").bound
    for index, law in enumerate(pets.dp.DiscreteLaplace("0.5").error(bound).laws):
        assert found.noise(index).variance == pytest.approx(law.variance)


def test_the_ledger_s_charges_are_the_budget_s_lines(tmp_path: Path) -> None:
    import pandas as pd

    path = pipeline_file(tmp_path)
    frame = pd.DataFrame({"patient_id": [1, 2], "site": ["liver", "kidney"], "sex": ["f", "m"]})
    pipeline = pets.Pipeline.from_file(path)
    pipeline.run({"FR": frame})
    found = load(path, tmp_path / "counts.csv", Given(source="report"))
    assert [line.epsilon for line in found.budget.spent] == [HALF]
    assert found.budget.left == Fraction(3, 2)


def test_a_gaussian_plan_keeps_its_law(tmp_path: Path) -> None:
    found = load(pipeline_file(tmp_path, "discrete_gaussian", 'rho = "0.02"'), tmp_path / "counts.csv", Given("report"))
    bound = pets.Pipeline.from_file(tmp_path / "plan.toml").bound
    assert found.privacy.mechanism == "discrete_gaussian"
    for index, law in enumerate(pets.dp.DiscreteGaussian("0.02").error(bound).laws):
        assert found.noise(index).variance == pytest.approx(law.variance, rel=0.01)  # epsilon has three digits


def test_a_plan_without_epsilon_cannot_be_tuned(tmp_path: Path) -> None:
    path = pipeline_file(tmp_path, "suppress_cells", "minimum = 5")
    with pytest.raises(PetsError, match="no epsilon"):
        load(path, tmp_path / "counts.csv", Given(source="report"))


def test_planning_counts_are_needed_and_have_a_source_or_the_lack_of_one(tmp_path: Path) -> None:
    path = pipeline_file(tmp_path)
    with pytest.raises(InvalidArgument, match="--planning"):
        load(path)
    assert load(path, tmp_path / "counts.csv").source.text == f"counts.csv ({UNNAMED})"


def test_the_plan_of_the_page_about_tuning_can_be_read(tmp_path: Path) -> None:
    page = (Path(pets.__file__).parents[1] / "docs" / "tuning.md").read_text(encoding="utf-8")
    text = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[0]
    counts = write(tmp_path, "sex,count\nfemale,12\nmale,19\n", "c.csv")
    found = load(write(tmp_path, text), counts, Given(source="report"))
    assert found.tables[0].counts == (12, 19)
    assert found.budget.left == Fraction(5, 2)
    assert found.totals[0].label == "all"


def test_other_counts_do_not_inherit_a_source(tmp_path: Path) -> None:
    path = write(tmp_path, to_toml(load(None, write(tmp_path, "sex,count\nf,1\nm,2\n", "a.csv"), Given("old report"))))
    assert load(path, tmp_path / "a.csv").source.text == "old report"
    other = write(tmp_path, "sex,count\nf,1\nm,3\n", "b.csv")
    with pytest.raises(InvalidArgument, match="--source"):
        load(path, other)
    assert load(path, other, Given("new report")).source.text == "new report"


def test_said_beside_the_file() -> None:
    made = demo_plan("2026-01-01")
    assert made.at("0.5").privacy.epsilon == HALF
    with pytest.raises(InvalidArgument, match="epsilon"):
        made.at(20)
    assert replace(made, title="x").title == "x"
