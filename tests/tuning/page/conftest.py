"""A headless Chromium for the page, with the network blocked and everything that it complains about written down."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from pets.tuning.demo import demo_plan
from pets.tuning.numbers import numbers
from pets.tuning.page import render
from pets.tuning.plan import Axis, Source, Table, TuningPlan

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    # Not for the whole session: while it is open, no other test of the process can run an event loop.
    api = pytest.importorskip("playwright.sync_api")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no Chromium on this machine")
    with api.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=program)
        yield opened
        opened.close()


@dataclass
class Opened:
    """A page, what it asked the network for, and what it complained about."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def set_epsilon(self, text: str) -> None:
        self.page.fill("#epsilon-typed", text)
        self.page.press("#epsilon-typed", "Enter")
        self.settle()

    def quiet(self) -> None:
        """Assert that the page asked for its own file only, and complained about nothing."""
        assert self.complaints == []
        assert [url for url in self.requests if not url.startswith(("file:", "blob:"))] == []
        assert len([url for url in self.requests if url.startswith("file:")]) == 1

    def settle(self) -> None:
        """Wait until a change is drawn: the page draws in the next frame."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def text(self, selector: str) -> str:
        found: str = self.page.inner_text(selector)
        return " ".join(found.split())

    def column(self, name: str) -> list[str]:
        found: list[str] = self.page.locator(f"#cell-rows tr[data-id] .c-{name}").all_inner_texts()
        return [" ".join(text.split()) for text in found]


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    contexts = []

    def opened(html: str, width: int = 1280, height: int = 800, **settings: Any) -> Opened:
        path = tmp_path / f"tune-{len(contexts)}.html"
        path.write_text(html, encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": height}, locale="en-GB", **settings)
        contexts.append(context)
        context.set_offline(True)
        found = Opened(context.new_page())
        found.page.on("request", lambda request: found.requests.append(request.url))
        found.page.on("console", lambda message: found.complaints.append(message.text))
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.goto(path.as_uri())
        found.settle()
        return found

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def opened(show: Callable[..., Opened], demo: dict[str, Any]) -> Opened:
    return show(render(demo))


@pytest.fixture(scope="session")
def small() -> Callable[..., dict[str, Any]]:
    """Numbers of a plan of one table with one axis."""
    return small_numbers


def small_numbers(labels: tuple[str, ...], counts: tuple[float, ...], **settings: Any) -> dict[str, Any]:
    table = Table("one table", (Axis("diagnosis", labels),), Fraction(1), counts, tuple(1e6 for _ in counts))
    return numbers(TuningPlan(tables=(table,), source=Source("published", "made-up counts", len(counts)), **settings))


@pytest.fixture(scope="session")
def demo() -> dict[str, Any]:
    return numbers(demo_plan("2026-11-22"))


@pytest.fixture(scope="session")
def many() -> dict[str, Any]:
    """A plan of 2,000 cells in two tables: 20 diagnoses x 10 regions x 5 ages, counts from 0 to 90."""
    axes = tuple(
        Axis(name, tuple(f"{name} {i}" for i in range(1, size + 1)))
        for name, size in (("diagnosis of the international classification", 20), ("region", 10), ("age group", 5))
    )
    counts = [tuple(float((i * i + 7 * i + shift) % 91) for i in range(1000)) for shift in (0, 3)]
    years = tuple(50_000.0 + 37 * (i % 50) for i in range(1000))
    tables = tuple(
        Table(name, axes, Fraction(1, 2), column, years)
        for name, column in zip(("incidence", "deaths"), counts, strict=True)
    )
    return numbers(TuningPlan(tables=tables, source=Source("published", "made-up counts", 2000)))
