"""What leaves the page: the saved plan, the decision record, and paper."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pets.tuning import numbers_of as numbers
from pets.tuning import plan_from_dict
from pets.tuning.page import render

Show = Callable[..., Any]


def saved(opened: Any, button: str, folder: Path) -> str:
    with opened.page.expect_download() as waiting:
        opened.page.click(button)
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path.read_text(encoding="utf-8")


def test_the_plan_as_saved_says_what_was_set(opened: Any, tmp_path: Path) -> None:
    opened.set_epsilon("0.25")
    opened.page.fill("#max_false_zero", "10")
    opened.page.press("#max_false_zero", "Enter")
    opened.page.fill("#who", 'Dr "A" \\ B\n')
    opened.page.fill("#comment", "line 1\nline 2 \u2028 ]]] = \x7f")
    plan = tomllib.loads(saved(opened, "#save-plan", tmp_path))
    assert plan["privacy"]["epsilon"] == "0.25"
    assert plan["rule"]["max_false_zero"] == 0.1
    assert plan["rule"]["max_relative_error"] == 0.25
    assert plan["decision"]["who"] == 'Dr "A" \\ B'
    assert plan["decision"]["comment"] == "line 1\nline 2 \u2028 ]]] = \x7f"
    opened.quiet()


def test_an_untouched_plan_is_saved_as_it_came(opened: Any, tmp_path: Path, demo: dict[str, Any]) -> None:
    assert saved(opened, "#save-plan", tmp_path) == demo["plan_toml"]


def test_a_saved_plan_builds_a_page_that_starts_where_this_one_was(show: Show, opened: Any, tmp_path: Path) -> None:
    opened.set_epsilon("0.7")
    opened.page.focus("#contribution")
    opened.page.keyboard.press("ArrowRight")
    opened.page.fill("#minimum_count", "3")
    opened.page.press("#minimum_count", "Enter")
    opened.page.fill("#comment", "as agreed")
    opened.settle()
    headline, cell = opened.text("h1"), opened.column("low")
    text = saved(opened, "#save-plan", tmp_path)
    again = show(render(numbers(plan_from_dict(tomllib.loads(text)))))
    assert again.text("h1") == headline
    assert again.column("low") == cell
    assert again.page.input_value("#comment") == "as agreed"
    assert saved(again, "#save-plan", tmp_path) == text


def test_a_decision_record_needs_who_and_when(opened: Any, tmp_path: Path) -> None:
    opened.page.click("#save-record")
    assert "who decides and when" in opened.text("#export-note")
    assert opened.page.evaluate("document.activeElement.id") == "who"
    opened.page.fill("#who", "The board")
    opened.page.fill("#when", "2026-11-30")
    opened.page.fill("#comment", "Accepted.")
    record = json.loads(saved(opened, "#save-record", tmp_path))
    assert (record["who"], record["when"], record["comment"]) == ("The board", "2026-11-30", "Accepted.")
    assert record["thresholds"] == {
        "name": "the 16-case rule (relative standard error at most 25 %)",
        "measure": "total",
        "max_relative_error": 0.25,
        "max_false_zero": 0.05,
        "minimum_count": 0,
    }
    assert record["epsilon"] == 1
    assert tomllib.loads(record["plan"])["decision"]["who"] == "The board"


def test_over_budget_nothing_can_be_exported(opened: Any) -> None:
    opened.set_epsilon("10")
    assert opened.page.is_disabled("#save-plan")
    assert opened.page.is_disabled("#save-record")
    assert "nothing can be exported" in opened.text("#export-note")
    assert opened.text("#next-figure").startswith("None")
    opened.set_epsilon("1")
    assert opened.page.is_enabled("#save-plan")


# Paper


def test_prints_on_a4(opened: Any) -> None:
    paper = opened.page.pdf(prefer_css_page_size=True, print_background=False)
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", paper)
    assert set(boxes) == {(b"594.95996", b"841.91998")}
    assert 5 <= len(re.findall(rb"/Type /Page\b", paper)) <= 12
    assert opened.page.locator("#cell-rows tr[data-id]").count() < 60


def test_each_printed_page_of_an_internal_plan_says_so(show: Show, demo: dict[str, Any], tmp_path: Path) -> None:
    opened = show(render({**demo, "internal": True}))
    assert opened.page.locator(".watermark").is_visible()
    opened.page.pdf(path=tmp_path / "tune.pdf", prefer_css_page_size=True)
    opened.page.emulate_media(media="print")
    style = opened.page.evaluate(
        "(() => { const s = getComputedStyle(document.querySelector('.watermark'));"
        " return [s.position, s.display, s.visibility]; })()"
    )
    assert style == ["fixed", "block", "visible"]  # what is fixed is printed on every page
    reader = shutil.which("pdftotext")
    if reader is not None:
        text = subprocess.run(
            [reader, "-layout", tmp_path / "tune.pdf", "-"], capture_output=True, text=True, check=True
        )
        pages = text.stdout.removesuffix("\f").split("\f")
        assert len(pages) >= 5
        assert ["INTERNAL - NOT FOR RELEASE" in page for page in pages] == [True] * len(pages)
