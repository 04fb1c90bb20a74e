"""The page asks for nothing from outside, can be read by everybody, and says what was computed."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files as package_files
from itertools import combinations

import numpy as np
import pytest

from pets.demo import DemoFiles, words
from pets.demo.report import render
from pets.demo.svg import PALETTE
from tests.colours import SIGHT, contrast, seen_by

VOID = {"meta", "col", "br", "link", "img", "input"}
FETCHING = {"src", "srcset", "data", "action", "formaction", "poster", "background", "ping", "manifest"}


class Page(HTMLParser):
    """Every element with its attributes, and the text outside style sheets and pictures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open and "svg" not in self.open:
            self.words.append(data)

    @property
    def prose(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))


@pytest.fixture(scope="module")
def text(files: DemoFiles) -> str:
    return files.report.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def outside_requests(page: Page, text: str) -> list[str]:
    """Return whatever a browser would fetch: attributes with addresses, url() and @import in styles."""
    found = []
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            inside = name in {"href", "xlink:href"} and (value or "").startswith("#")
            if name in {*FETCHING, "href", "xlink:href"} and not inside:
                found.append(f"{tag} {name}={value}")
    found += [match for match in re.findall(r"url\(\s*['\"]?([^)'\"]+)", text) if not match.startswith("#")]
    found += re.findall(r"@import[^;]*", text)
    return found + [
        tag for tag, _ in page.elements if tag in {"script", "iframe", "object", "embed", "link", "img", "base"}
    ]


def test_the_page_is_self_contained(page: Page, text: str) -> None:
    assert outside_requests(page, text) == []
    addresses = re.findall(r"https?://[^\s<\"')]+", text)
    assert addresses == ["https://ci5.iarc.who.int"]  # in the citation, as text
    assert len(text.encode()) <= 300 * 1024


@pytest.mark.parametrize(
    "planted",
    ['<img src="https://example.org/a.png">', "<script>alert(1)</script>", "<style>@import 'x.css';</style>",
     '<svg><use href="other.svg#a"/></svg>', "<style>p { background: url(//example.org/a) }</style>"],
)  # fmt: skip
def test_the_search_for_outside_requests_finds_them(planted: str) -> None:
    assert outside_requests(Page(planted), planted)


def test_a_policy_forbids_what_the_page_does_not_need(page: Page) -> None:
    policies = [
        a["content"] for tag, a in page.elements if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_the_page_is_well_formed_and_accessible(page: Page) -> None:
    assert page.open == []
    assert ("html", {"lang": "en"}) in page.elements
    tags = Counter(tag for tag, _ in page.elements)
    assert tags["h1"] == tags["main"] == 1
    identifiers = Counter(a["id"] for _, a in page.elements if "id" in a)
    assert [name for name, times in identifiers.items() if times > 1] == []
    for tag, attributes in page.elements:
        if tag == "th":
            assert attributes.get("scope") in {"col", "row", "colgroup"}
        if tag == "svg":
            assert attributes["role"] == "img"
        for name in (attributes.get("aria-labelledby") or "").split():
            assert name in identifiers
        if "href" in attributes:
            assert (attributes["href"] or "")[1:] in identifiers


def test_pictures_say_their_numbers_and_take_the_page_s_colours(text: str) -> None:
    pictures = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(pictures) == 7
    for picture in pictures:
        assert re.search(r"<title id=\S+>[^<]{10,}</title><desc id=\S+>[^<]{40,}</desc>", picture)
        assert re.findall(r"#[0-9a-f]{6}\b", picture) == []
        assert "font-family" not in picture
    assert "30.6" in pictures[0]


def test_the_prose_holds_the_computed_numbers(files: DemoFiles, page: Page) -> None:
    study = files.study
    joint, own = study.at(1, "joint"), study.at(1, "registry")
    prose = page.prose.replace("\u00a0", " ").replace("\u202f", " ")
    assert (
        "Masking small cells loses 90 of 294 cases. Noise at ε = 1 loses none and moves the total by about ±3.3."
        in prose
    )
    for said in (
        "30.6 % of all cases",
        "standard error of 1.1 % of the total",
        "on its own, 5.2 %",
        "50 are hidden under 5",
    ):
        assert said in prose
    for release in (joint, own):
        for cell in (*release.cells, release.total):
            assert f"{words.count(cell.value)}{words.interval(cell.low, cell.high)}" in prose
    for rate in (study.exact.rate, study.masked[0].rate, joint.rate):
        assert words.rate(rate) in prose


def test_other_results_give_other_prose(files: DemoFiles) -> None:
    """A number that was typed into the template would stay."""
    study = files.study
    changed = replace(study, masked=(replace(study.masked[0], lost=77), *study.masked[1:]))
    page = Page(render(changed)).prose
    assert "loses 77 of 294" in page
    assert "loses 90" not in page


def test_names_are_escaped(files: DemoFiles) -> None:
    exact = files.study.exact
    tables = {"<script>alert('x')</script>": exact.tables["Austria"]} | {
        k: v for k, v in exact.tables.items() if k != "Austria"
    }
    page = Page(render(replace(files.study, exact=replace(exact, tables=tables))))
    assert "script" not in {tag for tag, _ in page.elements}
    assert "alert" in page.prose


def test_the_page_promises_no_more_than_it_can_keep(page: Page) -> None:
    assert re.findall(r"\b(anonym\w*|safe\w*|unsafe)\b", page.prose, re.IGNORECASE) == []
    assert "What this does not cover" in page.prose
    assert "exact table. With one noise in the joint total, somebody must be trusted" in page.prose
    assert "Lyon: International Agency for Research on Cancer" in page.prose


# Colours


def style_sheet_palettes() -> dict[str, dict[str, str]]:
    css = (package_files("pets.demo") / "report.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{([^}]*--ink[^}]*)\}", css)
    return {
        name: dict(re.findall(r"(--[\w-]+):\s*(#\w{6})", block)) for name, block in (("light", light), ("dark", dark))
    }


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read(theme: str) -> None:
    palette = style_sheet_palettes()[theme]
    for name in ("--ink", "--muted", "--mask", "--joint", "--site"):
        assert contrast(palette[name], palette["--paper"]) >= 4.5
    for wash in ("--mask-wash", "--mask-pale", "--track"):
        assert contrast(palette["--ink"], palette[wash]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("sight", SIGHT)
def test_techniques_can_be_told_apart(theme: str, sight: str) -> None:
    palette = style_sheet_palettes()[theme]
    seen = [seen_by(sight, palette[name]) for name in ("--mask", "--joint", "--site")]
    assert min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2)) >= 15


def test_figures_and_page_agree_on_the_light_colours() -> None:
    light = style_sheet_palettes()["light"]
    assert {variable: light[variable] for variable in PALETTE.values()} == {v: c for c, v in PALETTE.items()}
