"""Identities made once, and studies whose processes are gone when the test is over."""

from __future__ import annotations

import pytest

from pets.identity import Identity
from tests.session.tcp.harness import SITES, Study


@pytest.fixture(scope="session")
def identities() -> dict[str, Identity]:
    return {name: Identity.new(name) for name in ("server", *SITES, "DE", "helper-1", "helper-2", "stranger")}


@pytest.fixture
def study(tmp_path, identities):
    made = []

    def make(*names, **options):
        folder = tmp_path / f"study-{len(made)}"
        folder.mkdir()
        made.append(Study(folder, identities, ("server", *(names or SITES)), **options))
        return made[-1]

    yield make
    for each in made:
        each.end()
