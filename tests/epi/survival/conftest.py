"""Tables of events for the survival tests, exact and with seeded noise of a known law."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import pets
from pets.epi.survival import EventCounts

if TYPE_CHECKING:
    import pandas as pd

Noisy = Callable[[EventCounts, float, np.random.Generator], EventCounts]


@pytest.fixture(scope="session")
def lung() -> pd.DataFrame:
    return pets.datasets.lung()


@pytest.fixture(scope="session")
def wilms() -> pd.DataFrame:
    table = pets.datasets.wilms()
    return table.assign(time=table.time // 30)  # months: many ties


@pytest.fixture(scope="session")
def ask() -> Callable[..., pets.query.BoundQuery]:
    """Return an event table over days 0 to `upper`; without bins each day is one."""

    def bound(
        upper: int,
        events: Sequence[Any] = ("dead",),
        by: dict[str, list[Any]] | None = None,
        bins: Any = None,
        **time: Any,
    ) -> pets.query.BoundQuery:
        groups = by or {}
        domain = pets.Domain(time=pets.Integer(0, upper, **time), status=["censored", *events], **groups)
        return pets.EventTable("time", "status", by=list(groups), bins=bins).bind(domain)

    return bound


@pytest.fixture(scope="session")
def exact() -> Callable[[pets.query.BoundQuery, Any], EventCounts]:
    return lambda question, frame: EventCounts.exact(question, question.tally(frame))


def laplace_variance(epsilon: float) -> float:
    return float(0.5 / np.sinh(epsilon / 2) ** 2)


@pytest.fixture(scope="session")
def noisy() -> Noisy:
    """Return a function that adds seeded discrete Laplace noise: test data, never a release."""

    def add(counts: EventCounts, epsilon: float, rng: np.random.Generator) -> EventCounts:
        changes: dict[str, Any] = {}
        for name in ("events", "censored", "beyond"):
            values, p = getattr(counts, name), 1 - np.exp(-epsilon)
            changes[name] = values + rng.geometric(p, values.shape) - rng.geometric(p, values.shape)
            changes[f"{name}_variance"] = np.full(values.shape, laplace_variance(epsilon))
        return replace(counts, **changes)

    return add
