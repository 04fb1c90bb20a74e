"""Identities are made once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pets.identity import Identity, Roster, StudySetup

VECTORS = Path(__file__).with_name("vectors")


@pytest.fixture(scope="session")
def vectors() -> Path:
    return VECTORS


@pytest.fixture(scope="session")
def identities() -> dict[str, Identity]:
    return {name: Identity.new(name) for name in ("FR", "UK", "US", "server")}


@pytest.fixture(scope="session")
def roster(identities: Mapping[str, Identity]) -> Roster:
    return Roster(identity.public for identity in identities.values())


@pytest.fixture
def setups(identities: Mapping[str, Identity], roster: Roster) -> Callable[..., dict[str, StudySetup]]:
    def make(**settings: object) -> dict[str, StudySetup]:
        given = {"purpose": "tests"} | settings
        return {name: StudySetup(identity, roster, **given) for name, identity in identities.items()}

    return make
