"""What the page assumes, recommends and lets its reader take, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from pets.privacy_unit import PrivacyUnit
from pets.tuning import Axis, Given, Privacy, Source, Table, TuningPlan, demo_plan, load
from pets.tuning import numbers_of as numbers
from pets.tuning.page import render

Show = Callable[..., Any]
NARROW = "\u202f"


def test_what_nobody_has_said_is_marked_as_assumed(show: Show, demo: dict[str, Any], tmp_path: Path) -> None:
    table = tmp_path / "last_year.csv"
    table.write_text("diagnosis,sex,count\na,f,5\na,m,60\nb,f,7\nb,m,80\n", encoding="utf-8")
    opened = show(render(numbers(load(planning=table))))
    said = opened.text("#assumed")
    for part in ("ε = 1 to start with", "at most 1 row of one patient", "1 registry", "Sent in the open",
                 "one trusted party", "the rule of 25 %", "a budget of 3"):  # fmt: skip
        assert part in said.replace(NARROW, " "), part
    assert "this is assumed" in opened.text("#saw-said")
    assert opened.text("#rule-name").endswith("(assumed)")
    assert opened.text("#contribution-cut") == "cases left out: not known"
    assert opened.text("#source").startswith("Planned from the counts in last_year.csv")
    assert "Nobody has said where they were published" in opened.text("#source")
    opened.page.fill("#max_relative_error", "30")
    opened.page.press("#max_relative_error", "Enter")
    opened.settle()
    assert opened.text("#rule-name") == "changed on this page"
    stated = show(render(demo))
    assert not stated.page.locator("#assumed").is_visible()
    assert "assumed" not in stated.page.inner_text("body")
    named = show(render(numbers(load(planning=table, given=Given(source="Report 2024", sites=4, epsilon="1")))))
    assert "1 registry" not in named.text("#assumed")
    assert "to start with" not in named.text("#assumed")
    assert "Report 2024" in named.text("#source")


def test_better_shares_are_taken_with_one_click_and_given_back(opened: Any, demo: dict[str, Any]) -> None:
    found = demo["recommendation"]
    assert found["split_better"]
    assert opened.text("#split-table tbody tr:first-child td:nth-child(2)").startswith("50")
    before = opened.column("low")
    totals = opened.text("#totals-table")
    opened.page.click("#take-split")
    opened.settle()
    assert opened.page.input_value("#epsilon-typed") == f"{found['split_epsilon']:g}"
    assert opened.text("#split-table tbody tr:first-child td:nth-child(2)").startswith("53")
    assert opened.text("#split-note").startswith("The page shows the better shares")
    assert opened.column("low") != before
    assert opened.text("#totals-table") != totals
    plan = load_demo_with(found)
    usable = sum(cell["verdict"] == "usable" for table in numbers(plan)["tables"] for cell in table["cells"])
    assert opened.text("h1").split(",")[1].startswith(f" {usable} of")  # as Python says of the plan with these shares
    opened.page.click("#swap-shares")
    opened.settle()
    assert opened.page.input_value("#epsilon-typed") == "1"
    assert opened.column("low") == before
    assert opened.text("#totals-table") == totals
    assert opened.page.evaluate("document.activeElement.id") == "swap-shares"
    opened.quiet()


def half_width(text: str) -> float:
    return float(text.split("±")[1].replace(NARROW, ""))


def load_demo_with(found: dict[str, Any]) -> TuningPlan:
    shares = {part["table"]: Fraction(part["share_text"]) for part in found["split"]}
    plan = demo_plan("2026-11-22").at(str(found["split_epsilon"]))
    return replace(plan, tables=tuple(replace(table, share=shares[table.name]) for table in plan.tables))


def test_the_figures_after_a_change_of_shares_are_those_of_python(
    show: Show, opened: Any, demo: dict[str, Any]
) -> None:
    opened.page.click("#take-split")
    opened.settle()
    again = numbers(load_demo_with(demo["recommendation"]))
    built = show(render(again))
    for page in (opened, built):
        page.page.click("#sort-count")
        page.page.click("#sort-count")
        page.page.evaluate("document.getElementById('scroller').scrollTop = 4000")
        page.settle()
    assert opened.column("from") == built.column("from")
    assert len(set(opened.column("from"))) > 3
    added, wanted = (
        half_width(page.text("#totals-table tbody tr:first-child td:nth-child(4)")) for page in (opened, built)
    )
    assert added == pytest.approx(wanted, rel=0.03)  # the share is 6 % larger; between settings both are read off
    opened.page.select_option("#show", "usable")
    opened.settle()
    usable = [cell for table in again["tables"] for cell in table["cells"] if cell["verdict"] == "usable"]
    assert opened.text("#found").startswith(f"{len(usable)} of")
    rows = {row["kind"]: row for row in again["mechanisms"]["rows"]}
    error = next(p["error"] for p in rows["discrete_laplace"]["error_by_epsilon"] if p["epsilon"] == 1)
    opened.set_epsilon("1")
    shown = opened.text("#mechanisms-table tbody tr:first-child td:nth-child(2)")
    assert float(shown.removeprefix("±").strip()) == pytest.approx(error, abs=0.051)


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_recommendation_is_in_the_page_s_language(show: Show, small: Callable[..., Any], language: str) -> None:
    plan = TuningPlan(
        (Table("t", (Axis("age", ("0-4", "5-9", "10-14", "15-19")),), Fraction(1), (17, 17, 17, 17)),),
        Source("published", "r", 4), language=language, privacy=Privacy(unit=PrivacyUnit(id="p", max_rows=40)),
    )  # fmt: skip
    document = numbers(plan)
    assert document["recommendation"]["epsilon"] is None
    assert document["recommendation"]["instead"]
    opened = show(render(document))
    said = opened.text("#choose-words")
    assert ("zusammenlegen zu 0-9, 10-19" if language == "de" else "merge “age” to 0-9, 10-19") in said
    assert not opened.page.locator("#choose-words [lang], #choose-words[lang]").count()
    helpless = show(render({**small(("a",), (7.0,)), "language": language}))
    said = helpless.text("#choose-words")
    assert ("hilft nicht" if language == "de" else "does not help either") in said
    assert not helpless.page.locator("#advice a").count()  # nothing to go and see


def test_no_sentence_of_the_german_page_is_english(show: Show, demo: dict[str, Any]) -> None:
    opened = show(render({**demo, "language": "de"}))
    assert opened.page.locator("[lang=en]").count() == 0
    text = opened.page.inner_text("main")
    for word in (" the ", " of ", " and ", "Wanted", "which", " is enough"):
        found = [line for line in text.splitlines() if word in line]
        assert [line for line in found if not is_data(line)] == [], word


def is_data(line: str) -> bool:
    """Return whether a line of the demo is a name or a source, which stay as they were given."""
    return any(part in line for part in ("Cancer Incidence", "Childhood cancers", "16-case rule", "soft tissue",
                                         "diagnosis by", "survival without", "of skin", "observed over"))  # fmt: skip


def test_long_names_of_two_cells_stay_apart(show: Show) -> None:
    axes = (Axis("diagnosis", ("a long name " * 17,)), Axis("sex", ("girls", "boys")))
    plan = TuningPlan((Table("t", axes, Fraction(1), (20, 30)),), Source("published", "r", 2))
    opened = show(render(numbers(plan)))
    for row, sex in enumerate(("girls", "boys")):
        part = opened.page.locator("#cell-rows tr[data-id]").nth(row).locator("bdi").last
        assert part.inner_text() == sex
        inside = opened.page.locator("#cell-rows tr[data-id] th").nth(row).bounding_box()
        box = part.bounding_box()
        assert box["x"] + box["width"] <= inside["x"] + inside["width"] + 1
    names = opened.page.locator("#map-picture svg text").all_text_contents()
    assert any("girls" in name for name in names)
    assert any("boys" in name for name in names)
    opened.quiet()


def test_the_saved_plan_holds_the_shares_that_were_taken(show: Show, opened: Any, tmp_path: Path) -> None:
    opened.page.click("#take-split")
    opened.settle()
    headline, cell = opened.text("h1"), opened.column("low")
    with opened.page.expect_download() as waiting:
        opened.page.click("#save-plan")
    saved = tmp_path / "plan.toml"
    waiting.value.save_as(saved)
    plan = load(saved)
    assert [str(float(table.share)) for table in plan.tables] == ["0.531", "0.469"]
    again = show(render(numbers(plan)))
    assert again.text("h1") == headline
    assert again.column("low") == cell


def test_what_was_set_on_the_page_is_no_longer_assumed_in_what_it_saves(show: Show, tmp_path: Path) -> None:
    table = tmp_path / "counts.csv"
    table.write_text("diagnosis,count\na,50\nb,60\n", encoding="utf-8")
    opened = show(render(numbers(load(planning=table))))
    opened.set_epsilon("0.7")
    opened.page.fill("#minimum_count", "3")
    opened.page.press("#minimum_count", "Enter")
    opened.settle()
    with opened.page.expect_download() as waiting:
        opened.page.click("#save-plan")
    saved = tmp_path / "plan.toml"
    waiting.value.save_as(saved)
    plan = load(saved)
    assert plan.assumed == ("unit", "sites", "aggregator", "noise_at")
    assert plan.budget.assumed
    opened.page.fill("#who", "A")
    opened.page.fill("#when", "2026-11-30")
    with opened.page.expect_download() as waiting:
        opened.page.click("#save-record")
    record = tmp_path / "decision.json"
    waiting.value.save_as(record)
    assert json.loads(record.read_text("utf-8"))["assumed"] == ["unit", "sites", "aggregator", "noise_at"]
