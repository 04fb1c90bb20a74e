"""Every mechanism x every query kind x every aggregator keeps what it says, and a broken one is found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import pets
import pets.testing
from pets.noise import DiscreteLaplaceLaw
from pets.plan_file import aggregators, mechanisms
from pets.query import QUERIES
from pets.testing.mechanism import empirical_epsilon

MECHANISMS = [
    pets.dp.DiscreteLaplace(epsilon=1),
    pets.dp.DiscreteLaplace(epsilon="0.1"),
    pets.dp.DiscreteGaussian(rho="0.5"),
    pets.dp.ResidualPlanner(rho="0.5"),
    pets.dp.LaplacePlanner(epsilon=1),
    pets.disclosure.RandomRounding(base=5),
    pets.disclosure.RandomRounding(base=3),
    pets.disclosure.ControlledRounding(base=5),
    pets.disclosure.ControlledRounding(base=3, objective="nearest"),
    pets.disclosure.SuppressCells(minimum=5),
    pets.disclosure.SuppressCells(minimum=11, zeros="suppress"),
    pets.disclosure.SuppressCells(minimum=5, complementary="none"),
]
CHOOSY = (
    pets.disclosure.SuppressCells,
    pets.disclosure.RandomRounding,
    pets.disclosure.ControlledRounding,
    pets.dp.ResidualPlanner,
    pets.dp.LaplacePlanner,
)
DOMAIN = pets.Domain(
    site=["liver", "kidney", "ovary"],
    sex=["female", "male"],
    age=pets.Integer(0, 19, bins=[0, 5, 10, 15, 19]),
    months=pets.Integer(0, 60, bins=[0, 12, 24, 60], invalid="clamp"),
    status=["alive", "died"],
    impossible=[{"site": "ovary", "sex": "male"}],
    unit=pets.PrivacyUnit(id="patient", max_rows=2),
)
ASKED = [
    pets.Count(by=["site", "sex"]),
    pets.Marginals([["site"], ["sex", "age"], []]),
    pets.Sum("age", by=["sex"]),
    pets.SumTables(["age", "months"], [["sex"], []]),
    pets.Mean("age", by=["site"]),
    pets.Variance("age"),
    pets.Histogram("age"),
    pets.Quantiles("age", [0.25, 0.5], by=["sex"]),
    pets.EventTable("months", "status", by=["sex"]),
]
ROWS = pd.DataFrame(
    {
        "patient": [1, 1, 1, 2, 3, 4],
        "site": ["liver", "kidney", "liver", "ovary", "liver", None],
        "sex": ["male", "male", "male", "female", "female", "male"],
        "age": [3, 4, 5, 19, 0, 7],
        "months": [1, 30, 70, 12, 24, 0],
        "status": ["alive", "died", "alive", "died", "alive", "died"],
    }
)


def test_every_query_and_mechanism_is_covered():
    assert {query.kind for query in ASKED} == set(QUERIES)
    assert {mechanism.kind for mechanism in MECHANISMS} == set(mechanisms())


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=repr)
def test_mechanism_conforms(mechanism):
    assert pets.testing.check_mechanism(mechanism) == []


@pytest.mark.parametrize("name", sorted(aggregators()))
def test_aggregator_conforms(name):
    assert pets.testing.check_aggregator(aggregators()[name]()) == []


@pytest.mark.filterwarnings("ignore::pets.errors.UnrecordedReleaseWarning")
@pytest.mark.parametrize("name", sorted(aggregators()))
@pytest.mark.parametrize("mechanism", MECHANISMS, ids=repr)
@pytest.mark.parametrize("query", ASKED, ids=lambda query: query.kind)
def test_every_combination_runs_or_is_refused_when_built(query, mechanism, name):
    aggregator = aggregators()[name]()
    try:
        pipeline = pets.Pipeline(query, DOMAIN, aggregator, mechanism)
    except pets.errors.PairingRefused:
        assert isinstance(mechanism, CHOOSY) or aggregator.hidden_range is not None
        return
    preview = pipeline.preview()
    assert str(preview) and preview._repr_html_()
    release = pipeline.run({"A": ROWS, "B": ROWS, "C": ROWS})
    columns = release.to_columns()
    assert {"value", "stderr", "ci_low", "ci_high", "status"} <= set(columns)
    assert len({len(column) for column in columns.values()}) == 1
    assert pets.Release.from_json(release.to_json()).to_json() == release.to_json()
    assert release._repr_html_() and repr(release) and release.plot()


class HalfTheNoise(pets.dp.DiscreteLaplace):
    """A planted bug: the scale is off by two, the claim and the error model are not."""

    def draw(self, source, law, size):
        return source.discrete_laplace(law.scale / 2, size)


class NoiseForOneBlockOnly(pets.dp.DiscreteLaplace):
    def draw(self, source, law, size):
        return np.repeat(source.discrete_laplace(law.scale, 1), size)


class HonestErrorWrongClaim(pets.dp.DiscreteLaplace):
    """Half the noise, stated in the error model, so that only the empirical epsilon can tell."""

    def law(self, sensitivity, share):
        return DiscreteLaplaceLaw(super().law(sensitivity, share).scale / 2)


class LeavesTheCount(pets.disclosure.SuppressCells):
    """A planted bug: the hidden counts stay in the release behind the mask."""

    def release(self, total, query):
        release = super().release(total, query)
        return replace(release, parts=tuple(replace(part, values=total.values) for part in release.parts))


class ChangesItsInput(pets.dp.DiscreteLaplace):
    def release(self, total, query):
        values = total.values.copy()
        values[0] += 1
        object.__setattr__(total, "values", values)
        return super().release(total, query)


@pytest.mark.parametrize(
    ("broken", "word"),
    [
        (HalfTheNoise(epsilon=1), "leaks at least epsilon"),
        (HalfTheNoise(epsilon=1), "standard error stated"),
        (HalfTheNoise(epsilon=1), "P(false zero | 1)"),
        (HonestErrorWrongClaim(epsilon=1), "leaks at least epsilon"),
        (NoiseForOneBlockOnly(epsilon=1), "standard error stated"),
        (LeavesTheCount(minimum=5), "hidden count is still"),
        (ChangesItsInput(epsilon=1), "changed the tally"),
    ],
)
def test_a_planted_bug_is_found(broken, word):
    assert any(word in finding for finding in pets.testing.check_mechanism(broken))


def test_empirical_epsilon_is_near_and_below_the_truth():
    from pets.dp.samplers import discrete_laplace

    low, high = discrete_laplace(1, 400_000), discrete_laplace(1, 400_000) + 1
    bound = empirical_epsilon(low, high)
    assert 0.95 < bound <= 1.0


class Altered:
    """A party whose last turn is changed."""

    def __init__(self, inner, change):
        self.inner, self.change = inner, change

    def start(self):
        return self.inner.start()

    def advance(self, bodies):
        return self.change(self.inner.advance(bodies), bodies)


class Doubles(pets.Plain):
    """A planted bug: the server adds a site twice."""

    def party(self, context, values):
        def twice(turn, bodies):
            total = turn.result.total + np.frombuffer(bodies["A"], dtype="<i8")
            return replace(turn, result=replace(turn.result, total=total))

        inner = super().party(context, values)
        return inner if values is not None else Altered(inner, twice)


class Forgets(pets.Plain):
    """A planted bug: the first site is left out."""

    def party(self, context, values):
        inner = super().party(context, values)
        if values is not None:
            return inner
        return Altered(inner, lambda turn, bodies: inner.advance(bodies | {"A": bytes(len(bodies["A"]))}))


class SaysItHides(pets.Plain):
    """A planted bug: input privacy is claimed and the tally travels in the clear."""

    def guarantee(self, query):
        return pets.InputPrivacy("none at all", ("server",), "nothing")


@pytest.mark.parametrize(
    ("broken", "word"),
    [(Doubles(), "not the sum"), (Forgets(), "not the sum"), (SaysItHides(), "depend visibly")],
)
def test_a_broken_aggregator_is_found(broken, word):
    assert any(word in finding for finding in pets.testing.check_aggregator(broken))


def test_an_object_that_is_no_mechanism_is_named():
    assert "lacks a method" in pets.testing.check_mechanism(object())[0]  # type: ignore[arg-type]
