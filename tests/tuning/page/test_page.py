"""The file itself: nothing in it can end where it should not, and all its languages say everything."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.errors import InvalidArgument
from pets.tuning.page import render
from pets.tuning.page.page import LANGUAGES, SCRIPTS, catalogue
from tests.colours import SIGHT, contrast, seen_by

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x=\'',
    "\u2028\u2029\\u003c/script>",
    "\u202eylno rebmun a ton\u202c مرحبا",
    "{{ 7 * 7 }} {% raw %} {epsilon} *bold*",
    "]]>&lt;&amp;'\"`${1}",
    "\x00\x07\x7f\ufeff\ud800 torn",
    "=cmd|' /C calc'!A0",
)


class Page(HTMLParser):
    """Elements with their attributes, and the contents of script and style elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, str]] = []
        self.inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in {"script", "style"}:
            self.inside = tag
            self.raw.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        self.inside = "" if tag == self.inside else self.inside

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.raw[-1] = (self.inside, self.raw[-1][1] + data)

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.raw[1][1])
        return found

    @property
    def policy(self) -> str:
        return next(a["content"] or "" for t, a in self.elements if a.get("http-equiv") == "Content-Security-Policy")


def digest(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def test_the_policy_allows_this_style_and_this_script_and_nothing_else(demo: dict[str, Any]) -> None:
    page = Page(render(demo))
    (_, style), (_, _), (_, script) = page.raw
    rules = dict(rule.split(" ", 1) for rule in page.policy.split("; "))
    assert rules == {
        "default-src": "'none'",
        "style-src": digest(style),
        "script-src": digest(script),
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
    }
    assert [tag for tag, _ in page.raw] == ["style", "script", "script"]


def test_the_file_names_no_address_to_fetch(demo: dict[str, Any]) -> None:
    page = Page(render(demo))
    fetching = {"src", "srcset", "action", "formaction", "poster", "ping", "style"}
    for tag, attributes in page.elements:
        assert not fetching & set(attributes), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")
        assert tag not in {"link", "img", "iframe", "object", "embed", "base"}
    _, script = page.raw[2]
    for dangerous in ("innerHTML", "insertAdjacent", "document.write", "eval(", "Function(", "fetch(", "XMLHttpRequest",
                      "WebSocket", "sendBeacon", "localStorage", "Math.random"):  # fmt: skip
        assert dangerous not in script


def test_identifiers_are_unique_and_every_reference_has_its_target(demo: dict[str, Any]) -> None:
    elements = Page(render(demo)).elements
    names = [a["id"] for _, a in elements if "id" in a]
    assert len(names) == len(set(names))
    for tag, attributes in elements:
        for reference in ("aria-labelledby", "aria-describedby", "for"):
            assert set((attributes.get(reference) or "").split()) <= set(names), (tag, attributes)
        if (attributes.get("href") or "").startswith("#"):
            assert (attributes["href"] or "")[1:] in names


def test_size_with_two_thousand_cells(many: dict[str, Any], demo: dict[str, Any]) -> None:
    assert sum(len(table["cells"]) for table in many["tables"]) == 2000
    assert len(render(many).encode()) <= 300 * 1024
    assert len(render(demo).encode()) <= 300 * 1024


def test_the_same_numbers_give_the_same_page(demo: dict[str, Any]) -> None:
    assert render(demo) == render(json.loads(json.dumps(demo)))


def test_hostile_labels_stay_labels(small: Callable[..., dict[str, Any]]) -> None:
    title = HOSTILE[0] + HOSTILE[3]
    plan = small(HOSTILE[:8] + HOSTILE[9:], tuple(float(i) for i in range(9)), title=title)
    page = Page(render(plan))
    assert [tag for tag, _ in page.raw] == ["style", "script", "script"]
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    (axis,) = page.data["numbers"]["tables"][0]["axes"]
    assert axis["labels"] == list(HOSTILE[:8] + HOSTILE[9:])


@settings(max_examples=25)
@given(st.text(alphabet=st.characters(codec=None), max_size=30))
def test_any_text_comes_through_as_it_is(template: dict[str, Any], text: str) -> None:
    html = render({**template, "title": text, "note": text})
    html.encode()
    found = Page(html)
    assert found.data["numbers"]["note"] == text
    assert len(found.raw) == 3


@pytest.fixture(scope="module")
def template(small: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return small(("a",), (3.0,))


def test_internal_pages_say_so(template: dict[str, Any]) -> None:
    assert "INTERNAL - NOT FOR RELEASE" in render({**template, "internal": True})
    assert 'class="watermark"' not in render(template)


# Languages


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogues_have_the_same_keys_and_the_same_places(language: str) -> None:
    assert shape(catalogue(language)) == shape(catalogue("en"))


def shape(texts: Any) -> Any:
    """Return the keys of a catalogue, with the names in braces that each text fills in."""
    if isinstance(texts, dict):
        return {key: shape(value) for key, value in texts.items()}
    if isinstance(texts, list):
        return len(texts)
    return sorted(set(re.findall(r"\{\w+\}", texts)))


def test_every_text_is_used_and_every_used_text_exists(demo: dict[str, Any]) -> None:
    folder = files("pets.tuning.page")
    sources = [folder.joinpath("tune.html.j2")] + [folder.joinpath(f"scripts/{name}.js") for name in SCRIPTS]
    sources += [folder.joinpath("page.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    keys = set(catalogue("en")) - {"terms"}
    said = set(re.findall(r"\b(?:say|sayMany)\(\s*\"(\w+)\"|\bwrite\(\"[\w-]+\", \"(\w+)\"", text))
    said = {one or other for one, other in said}
    said |= set(re.findall(r"texts\.(\w+)", text)) - {"terms"}
    assert said <= keys, said - keys
    built = ("ask_", "rule_", "column_", "verdict_", "source_", "choose_", "assumed_")
    unused = {key for key in keys if not re.search(rf"\b{key}\b", text) and not key.startswith(built)}
    assert {key for key in unused if not key.endswith(("_title", "_lead"))} == set()


def test_an_unknown_language_is_refused(template: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match="language"):
        render({**template, "language": "xx"})


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_promises_more_than_can_be_kept(language: str, template: dict[str, Any]) -> None:
    text = render({**template, "language": language})
    assert re.findall(r"\b(anonym\w*|safe\w*|sicher\w*)\b", text, re.IGNORECASE) == []


# Colours


def palettes() -> dict[str, dict[str, str]]:
    css = (files("pets.tuning.page") / "tune.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{([^}]*--ink[^}]*)\}", css)
    return {name: dict(re.findall(r"(--[\w-]+):\s*(#\w{6})", block)) for name, block in (("l", light), ("d", dark))}


@pytest.mark.parametrize("theme", ["l", "d"])
def test_text_can_be_read(theme: str) -> None:
    palette = palettes()[theme]
    for name in ("--ink", "--muted", "--yes", "--no", "--third"):
        assert contrast(palette[name], palette["--paper"]) >= 4.5
    for wash in ("--yes-wash", "--no-wash", "--track"):
        assert contrast(palette["--ink"], palette[wash]) >= 4.5


@pytest.mark.parametrize("theme", ["l", "d"])
@pytest.mark.parametrize("sight", SIGHT)
def test_usable_and_unusable_are_told_apart_by_every_eye(theme: str, sight: str) -> None:
    palette = palettes()[theme]
    yes, no, third = (seen_by(sight, palette[name]) for name in ("--yes", "--no", "--third"))
    assert float(np.linalg.norm(yes - no)) >= 40
    assert float(np.linalg.norm(yes - third)) >= 15
