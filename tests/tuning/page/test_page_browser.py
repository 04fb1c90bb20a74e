"""The page in a real browser without a network: what a reader sees, sets, prints and saves."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from pets.tuning import curves
from pets.tuning.page import render

Show = Callable[..., Any]
NARROW = "\u202f"


def test_opens_without_a_network_and_without_a_complaint(opened: Any) -> None:
    assert opened.text("h1").startswith("At ε = 1, ")
    opened.quiet()


def test_an_injected_request_or_script_is_refused_by_the_policy(show: Show, demo: dict[str, Any]) -> None:
    """The policy is in force: what a broken escape would let in, would not run and would not load."""
    planted = '<img src="https://example.org/a.png"><script>window.broken = 1</script></body>'
    opened = show(render(demo).replace("</body>", planted))
    assert opened.page.evaluate("window.broken") is None
    assert len(opened.complaints) >= 2
    assert opened.page.evaluate("() => { try { document.body.innerHTML = '<p>'; } catch (e) { return e.name; } }") == (
        "TypeError"
    )


def test_the_first_screen_answers_the_five_questions(opened: Any) -> None:
    height = opened.page.viewport_size["height"]
    articles = opened.page.locator(".answers article")
    asked = [
        "What do we lose?", "What does an attacker gain?", "What may we still publish next year?",
        "Which cells are unusable?", "Who saw the true counts?",
    ]  # fmt: skip
    assert articles.locator("h2").all_inner_texts() == asked
    for i in range(5):
        assert len(articles.nth(i).locator(".figure").inner_text()) > 0
        assert len(articles.nth(i).locator(".said").inner_text()) > 20
        box = articles.nth(i).bounding_box()
        assert box["y"] + box["height"] <= height


def test_the_reference_numbers(show: Show, small: Callable[..., dict[str, Any]]) -> None:
    """One table, one cell a person: noise, chance of a false zero, the 16-case rule, widening, odds, belief."""
    opened = show(render(small(("one", "three", "five", "none"), (1.0, 3.0, 5.0, 0.0))))
    # half width; P(seen as 0) of 1, 3, 5 cases; P(phantom); what 16 becomes; widening of 5; 1 % belief can rise to
    reference = {
        "0.1": ("±30", (48, 39, 32), 48, 66, 6.4, "1.1"),
        "0.25": ("±12", (44, 27, 16), 44, 32, 2.7, "1.3"),
        "0.5": ("±6", (38, 14, 5), 38, 22, 1.6, "1.6"),
        "1": ("±3", (27, 3.6, 0.5), 27, 18, 1.17, "2.7"),
        "2": ("±1", (12, 0.2, 0), 12, 17, 1.04, "6.9"),
        "5": ("±0", (0.7, 0, 0), 0.7, 17, 1.00, "60"),
    }
    for epsilon, (half, zeros, empty, becomes, wider, belief) in reference.items():
        opened.set_epsilon(epsilon)
        assert opened.text("#lose-figure").startswith(half)
        shown = dict(zip(opened.column("label"), opened.column("zero"), strict=True))
        assert [percent(shown[name]) for name in ("one", "three", "five")] == pytest.approx(zeros, abs=0.51)
        assert percent(opened.column("phantom")[0]) == pytest.approx(empty, abs=0.51)
        rule = re.search(r"Where 16 cases were enough, (\d+) are needed", opened.text("h1"))
        assert rule
        assert int(rule[1]) == becomes
        seen = dict(zip(opened.column("label"), opened.column("wider"), strict=True))["five"]
        assert float(seen.removeprefix("×").strip()) == pytest.approx(wider, abs=0.051 if wider > 1.2 else 0.0051)
        assert f"rises to {belief}" in opened.text("#gain-said")
    opened.quiet()


def percent(text: str) -> float:
    return float(text.replace("<", "").replace(">", "").replace("%", "").replace(NARROW, "").strip())


def test_the_slider_by_keyboard(opened: Any) -> None:
    press = opened.page.keyboard.press
    opened.page.focus("#epsilon")
    for key, value in (
        ("PageDown", "0.5"), ("PageUp", "1"), ("ArrowRight", "1.1"), ("ArrowLeft", "1"), ("ArrowLeft", "0.99"),
        ("PageUp", "1"), ("End", "10"), ("Home", "0.05"), ("ArrowDown", "0.05"),
    ):  # fmt: skip
        press(key)
        opened.settle()
        assert opened.page.input_value("#epsilon-typed") == value
        assert opened.page.get_attribute("#epsilon", "aria-valuetext") == f"ε = {value}"
        assert opened.text("h1").startswith(f"At ε = {value}, ")
    opened.page.wait_for_timeout(700)  # a screen reader hears the headline once the slider rests
    assert opened.text("#spoken").startswith("At ε = 0.05, ")


def test_the_slider_by_mouse_meets_the_stops(opened: Any) -> None:
    box = opened.page.locator("#epsilon").bounding_box()
    seen = set()
    for share in (0.0, 0.1315, 0.262, 0.435, 0.5655, 0.6965, 0.868, 1.0):
        x = box["x"] + 8 + share * (box["width"] - 16)
        opened.page.mouse.click(x, box["y"] + box["height"] / 2)
        opened.settle()
        seen.add(opened.page.input_value("#epsilon-typed"))
    assert seen == {"0.05", "0.1", "0.2", "0.5", "1", "2", "5", "10"}


def test_epsilon_typed_and_its_steps(opened: Any) -> None:
    opened.set_epsilon("0,37")
    assert opened.text("h1").startswith("At ε = 0.37, ")
    opened.page.click("#epsilon-more")
    opened.settle()
    assert opened.page.input_value("#epsilon-typed") == "0.5"
    for value in ("0.2", "0.1"):
        opened.page.click("#epsilon-less")
        opened.settle()
        assert opened.text("h1").startswith(f"At ε = {value}, ")
    for wrong in ("0.01", "11", "", "five", "1e999", "-1", "<b>"):
        before = opened.text("h1")
        opened.set_epsilon(wrong)
        assert "must be a number from 0.05 to 10" in opened.text("#complaint")
        assert opened.page.get_attribute("#epsilon-typed", "aria-invalid") == "true"
        assert opened.text("h1") == before
    opened.set_epsilon("2")
    assert opened.text("#complaint") == ""
    opened.quiet()


def test_cells_per_person(opened: Any) -> None:
    assert opened.text("#contribution-cut") == "leaves out 1.0 % of the cases"
    assert opened.text("#unit") == "protects one patient, all rows, added or removed · no δ"
    before = opened.text("#lose-figure")
    opened.page.focus("#contribution")
    opened.page.keyboard.press("ArrowRight")
    opened.settle()
    assert opened.text("#contribution-shown") == "2"
    assert opened.text("#contribution-cut") == "leaves no case out"
    noise = curves.laplace(0.5, 2).in_shares(5, 3)
    assert opened.text("#lose-figure").startswith(f"±{noise.half_width()}")
    assert opened.text("#lose-figure") != before


def test_the_table_is_sorted_rarest_first_and_by_every_column(opened: Any) -> None:
    def counts_shown() -> list[float]:
        return [float(text.replace(",", "")) for text in opened.column("count")]

    counts = counts_shown()
    assert counts == sorted(counts)
    assert counts[0] == 0
    opened.page.click("#sort-count")
    counts = counts_shown()
    assert counts == sorted(counts, reverse=True)
    assert opened.page.get_attribute("th.c-count", "aria-sort") == "descending"
    opened.page.click("#sort-label")
    first = [text.split()[0] for text in opened.column("label")]
    assert first == sorted(first)
    assert first[0] == "Adrenal"
    for name in ("low", "zero", "phantom", "error", "rate", "wider", "from", "verdict"):
        opened.page.click(f"#sort-{name}")
        assert opened.page.get_attribute(f"th.c-{name}", "aria-sort") == "ascending"
        assert opened.page.evaluate("document.activeElement.id") == f"sort-{name}"


def test_find_and_filter(opened: Any, demo: dict[str, Any]) -> None:
    all_cells = [cell for table in demo["tables"] for cell in table["cells"]]
    opened.page.fill("#find", "iceland LIVER")
    opened.settle()
    wanted = [cell for cell in all_cells if "Iceland" in cell["label"] and "Liver" in cell["label"]]
    assert len(opened.column("label")) == len(wanted) > 0
    opened.page.fill("#find", "")
    opened.page.select_option("#show", "usable")
    opened.settle()
    usable = [cell for cell in all_cells if cell["verdict"] == "usable"]
    assert opened.text("#found") == f"{len(usable)} of {len(all_cells)} cells"
    assert set(opened.column("verdict")) == {"usable"}
    opened.page.fill("#find", "no such cell")
    opened.settle()
    assert opened.column("label") == []
    assert opened.text("#found") == f"0 of {len(all_cells)} cells"


def test_verdicts_agree_with_python_and_follow_the_thresholds(opened: Any, demo: dict[str, Any]) -> None:
    expected = [cell["verdict"] for table in demo["tables"] for cell in table["cells"]]
    words = {"usable": "usable", "noise": "too noisy", "few": "too few cases", "empty": "planned empty"}
    opened.page.select_option("#show", "unusable")
    opened.settle()
    assert opened.text("#found").startswith(str(len(expected) - expected.count("usable")))
    for value, text in words.items():
        opened.page.fill("#find", "")
        opened.page.select_option("#show", "all")
        assert expected.count(value) == opened.page.evaluate(count_words(text)), value
    opened.page.fill("#max_relative_error", "50")
    opened.page.press("#max_relative_error", "Enter")
    opened.settle()
    assert "Where 4 cases were enough" in opened.text("h1")
    assert opened.text("#rule-name") == "changed on this page"
    now = int(re.search(r"(\d+) of", opened.text("h1"))[1])  # type: ignore[index]
    assert now > expected.count("usable")
    for wrong in ("0", "1001", "many"):
        opened.page.fill("#max_relative_error", wrong)
        opened.page.press("#max_relative_error", "Enter")
        assert "threshold must be" in opened.text("#complaint")
    opened.page.click("#rule-reset")
    opened.settle()
    assert opened.text("#complaint") == ""
    assert opened.text("#rule-name").startswith("the 16-case rule")
    assert f"{expected.count('usable')} of" in opened.text("h1")


def count_words(word: str) -> str:
    """Return a script that scrolls through the whole table and counts the rows with a verdict."""
    return f"""async () => {{
      const scroller = document.getElementById("scroller");
      const found = new Set();
      for (let top = 0; top <= scroller.scrollHeight; top += 300) {{
        scroller.scrollTop = top;
        await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        for (const row of document.querySelectorAll("#cell-rows tr[data-id]")) {{
          if (row.querySelector(".verdict").textContent === {json.dumps(word)}) found.add(row.dataset.id);
        }}
      }}
      scroller.scrollTop = 0;
      return found.size;
    }}"""


def test_rows_are_reached_and_chosen_by_keyboard(opened: Any) -> None:
    opened.page.focus("#scroller")
    opened.page.keyboard.press("Tab")
    while opened.page.evaluate("document.activeElement.id").startswith("sort-"):
        opened.page.keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.closest('#cell-rows tr').getAttribute('aria-rowindex')") == "2"
    assert opened.page.locator("#cell-rows button[tabindex='0']").count() == 1
    labels = opened.page.evaluate("document.activeElement.textContent")
    for _ in range(40):
        opened.page.keyboard.press("ArrowDown")
    assert opened.page.evaluate("document.activeElement.closest('tr').getAttribute('aria-rowindex')") == "42"
    assert opened.page.evaluate("document.activeElement.textContent") != labels
    opened.page.keyboard.press("Enter")
    chosen = " ".join(opened.page.locator("#cell-rows tr.chosen .parts").text_content().split())
    assert opened.text("#one-name") == chosen
    assert opened.page.locator("#one-picture circle").count() == 20


def test_a_cell_is_drawn_again_and_marked_as_an_illustration(opened: Any) -> None:
    opened.set_epsilon("0.1")
    before = opened.page.inner_html("#one-picture")
    opened.page.click("#one-draw")
    assert opened.page.inner_html("#one-picture") != before
    assert opened.page.locator("#one-picture circle").count() == 20
    assert opened.page.locator(".illustration").inner_text() == "Illustration, not a release"


def test_the_skip_link_comes_first_and_focus_can_be_seen(opened: Any) -> None:
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.className") == "skip"
    assert opened.page.locator(".skip").bounding_box()["y"] >= 0
    opened.page.keyboard.press("Enter")
    assert opened.page.evaluate("document.activeElement.id") == "answers"
    visited = []
    opened.page.focus("#epsilon-less")
    for _ in range(4):
        visited.append(opened.page.evaluate("document.activeElement.id"))
        style = opened.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style == "solid", visited
        opened.page.keyboard.press("Tab")
    assert visited == ["epsilon-less", "epsilon-typed", "epsilon-more", "epsilon"]


def test_labels_cannot_break_out(show: Show, small: Callable[..., dict[str, Any]]) -> None:
    hostile = (
        "</script><script>window.broken=1</script>", "<img src=x onerror=window.broken=1>", "\u2028'\"`${1}\\",
        "\u202eright to left مرحبا", "<!--", "*bold* {epsilon}", "a" * 300,
    )  # fmt: skip
    plan = small(hostile, tuple(float(20 + i) for i in range(len(hostile))), title=hostile[0])
    opened = show(render(plan))
    assert opened.page.evaluate("window.broken") is None
    assert set(opened.page.locator("#cell-rows bdi").all_text_contents()) == set(hostile)
    assert opened.page.locator(".kicker bdi").text_content() == hostile[0]
    assert overflow(opened) == 0
    opened.quiet()


@pytest.mark.parametrize("counts", [(7.0,), (0.0,), (0.0, 0.0, 0.0), (2.4, 0.4), (1e6, 3.0)])
def test_few_cells_and_empty_ones(show: Show, small: Callable[..., dict[str, Any]], counts: tuple[float, ...]) -> None:
    opened = show(render(small(tuple(f"c{i}" for i in range(len(counts))), counts)))
    for epsilon in ("0.05", "10"):
        opened.set_epsilon(epsilon)
        text = opened.page.inner_text("body")
        assert not re.search(r"NaN|undefined|null|Infinity|\{\w+\}|\[object", text)
    assert len(opened.column("label")) == len(counts)
    opened.quiet()


def test_two_thousand_cells_draw_only_what_is_seen(show: Show, many: dict[str, Any]) -> None:
    opened = show(render(many))
    assert opened.page.locator("#cell-rows tr[data-id]").count() < 60
    assert opened.text("#found") == "2,000 of 2,000 cells"
    opened.page.evaluate("document.getElementById('scroller').scrollTop = 1e9")
    opened.settle()
    assert opened.page.locator("#cell-rows tr[data-id]").last.get_attribute("aria-rowindex") == "2001"
    opened.set_epsilon("0.5")
    opened.quiet()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_sideways_scrolling(show: Show, demo: dict[str, Any], scheme: str) -> None:
    opened = show(render(demo), 1920, 800, color_scheme=scheme, reduced_motion="reduce")
    for width in (1920, 1280, 768, 400, 320):
        opened.page.set_viewport_size({"width": width, "height": 800})
        opened.settle()
        assert overflow(opened) == 0, width
    assert opened.page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    ground = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(254, 254, 254)") == (scheme == "light")
    opened.quiet()


def overflow(opened: Any) -> int:
    found: int = opened.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found


def test_all_languages_are_complete_on_the_page(show: Show, demo: dict[str, Any]) -> None:
    opened = show(render({**demo, "language": "de"}))
    assert opened.page.get_attribute("html", "lang") == "de"
    assert "Bei ε = 1" in opened.text("h1")
    assert not re.search(r"undefined|NaN|\{\w+\}", opened.page.inner_text("body"))
    opened.set_epsilon("0,5")
    assert opened.page.input_value("#epsilon-typed") == "0,5"
    opened.quiet()


def test_the_page_claims_nothing_that_nobody_said(show: Show, demo: dict[str, Any], small: Callable[..., Any]) -> None:
    opened = show(render(small(("a", "b"), (0, 0))))
    assert "this budget is assumed" in opened.text("#next-said")
    assert opened.text("#advice") == "No case is planned in any cell, so no ε can be recommended."
    assert opened.text("#unusable-said") == "No cell is planned to hold a case."
    opened.quiet()
    stated = show(render(demo))
    assert "assumed" not in stated.text("#next-said")
    assert "declared published" in stated.text("#source")
    assert "put its ε into the plan file" in stated.text("section[aria-labelledby=decide]")
