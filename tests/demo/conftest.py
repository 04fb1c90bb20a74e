"""One run of the whole demo for all tests that only look at what it made."""

from __future__ import annotations

from pathlib import Path

import pytest

from pets.demo import DemoFiles, run_demo


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> DemoFiles:
    return run_demo(tmp_path_factory.mktemp("demo") / "made" / "on the way")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "report"
