"""Public priors: they help where the budget is small, give way where they are wrong, and never read a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.errors import InvalidArgument
from pets.synthetic import AIM, MST, Adaptive, Independent, Model, Prior
from pets.synthetic.draws import Draws
from pets.synthetic.encoding import Encoding
from pets.synthetic.fitting import Fitting
from pets.synthetic.prior import Known, worth
from pets.synthetic.tables import count
from tests.synthetic.support import SURVIVAL, small_domain, small_rows
from tests.synthetic.test_privacy import run

DOMAIN = pets.Domain(a=["x", "y", "z"], b=["u", "v"], c=["p", "q", "r", "s"])


def public(n: int, seed: int = 0, turned: bool = False) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    a = random.choice(["x", "y", "z"], n, p=[0.6, 0.3, 0.1])
    b = np.where(random.random(n) < np.where(a == "x", 0.1, 0.8), "v", "u")
    c = np.where(random.random(n) < np.where(b == "v", 0.9, 0.2), "p", random.choice(["q", "r", "s"], n))
    if turned:
        a, b, c = np.where(a == "x", "z", "x"), np.where(b == "u", "v", "u"), np.where(c == "p", "s", "p")
    return pd.DataFrame({"a": a, "b": b, "c": c})


def distance(made: pd.DataFrame, real: pd.DataFrame) -> float:
    encoding = Encoding.of(DOMAIN)
    tables = [
        count(encoding.encode(one), encoding.sizes, axes) / len(one)
        for axes in ((0, 1), (1, 2), (0, 2))
        for one in (made, real)
    ]
    return float(np.mean([np.abs(x - y).sum() / 2 for x, y in zip(tables[::2], tables[1::2], strict=True)]))


def mean_distance(prior: Prior | None, kind: Any, epsilon: str) -> float:
    rows = public(800, seed=5)
    encoding = Encoding.of(DOMAIN)
    codes = encoding.encode(rows)
    made = kind(epsilon=epsilon, delta="1e-6", prior=prior, rows=800)
    return float(np.mean([
        distance(made._drawn(encoding, codes, Draws.insecure(seed)).sample(4000, seed=seed), rows) for seed in range(4)
    ]))  # fmt: skip


@pytest.mark.parametrize("kind", [Independent, MST, AIM])
def test_a_good_prior_helps_where_the_budget_is_small(kind: Any):
    prior = Prior.from_rows(public(5000, seed=1), DOMAIN, declared_by="a test")
    alone, helped = mean_distance(None, kind, "0.05"), mean_distance(prior, kind, "0.05")
    assert helped < 0.05 and helped < alone / 3


def test_a_prior_that_the_noisy_columns_contradict_is_given_up():
    wrong = Prior.from_rows(public(5000, seed=1, turned=True), DOMAIN, declared_by="a test")
    assert mean_distance(wrong, MST, "2") == pytest.approx(mean_distance(None, MST, "2"), abs=0.03)


def test_the_worth_of_a_prior_is_that_of_a_sample():
    """Noisy counts of a sample of n rows against a prior of N rows: the harmonic mean of the two, on average."""
    random = np.random.default_rng(0)
    true = random.dirichlet(np.ones(40))
    for rows, sigma in ((300, 1.0), (3000, 5.0)):
        found = []
        for _ in range(60):
            prior = [Known((0,), random.multinomial(rows, true) / rows, 10.0 * rows)]
            noisy = random.multinomial(10**6, true) / 1000 + random.normal(0, sigma, 40)
            found.append(worth(prior, [((0,), noisy, sigma**2)], 1000.0))
        assert np.median(found) > 0.5 * rows, "it is believed until it is contradicted"
        if sigma == 1.0:
            assert np.median(found) < 2 * rows
    far = [Known((0,), true[::-1].copy(), 1000.0)]
    assert worth(far, [((0,), true * 1000, 1.0)], 1000.0) < 30
    assert worth(far, [((1,), true, 1.0)], 1000.0) == 1000.0, "nothing is known about these columns"


def test_published_tables_are_read_in_any_order_of_columns():
    rows = public(4000)
    table = pd.crosstab(rows.b, rows.a)[["x", "y", "z"]]
    prior = Prior(
        {("b", "a"): table.to_numpy(), "c": rows.c.value_counts()[["p", "q", "r", "s"]].to_numpy()}, declared_by="R"
    )
    known = prior.known(Encoding.of(DOMAIN))
    assert known[0].axes == (0, 1) and known[0].shares.shape == (3, 2)
    np.testing.assert_allclose(known[0].shares, table.to_numpy().T / 4000)
    assert prior.rows == 4000 and "public by R" in repr(prior)


def test_an_earlier_release_is_a_prior_and_models_with_one_can_be_saved(tmp_path):
    encoding = Encoding.of(DOMAIN)
    first = MST(epsilon=3, rows=3000)._drawn(encoding, encoding.encode(public(3000)), Draws.insecure(1))
    prior = Prior.from_model(first, declared_by="the registry, 2023")
    second = MST(epsilon="0.1", rows=500, prior=prior)
    model = second._drawn(encoding, encoding.encode(public(500, seed=3)), Draws.insecure(2))
    assert distance(model.sample(5000, seed=1), public(20_000, seed=9)) < 0.06
    model.save(tmp_path / "model.pets")
    again = Model.load(tmp_path / "model.pets")
    assert again.sample(200, seed=1).equals(model.sample(200, seed=1))
    assert again.settings["prior"]["declared_by"] == "the registry, 2023"


def test_a_model_without_a_guarantee_is_no_prior():
    from pets.synthetic.cart import CART

    pytest.importorskip("sklearn", reason="needs scikit-learn")
    exact = CART().fit(public(200), DOMAIN, allow_exact=True)
    with pytest.raises(InvalidArgument, match="not public"):
        Prior.from_model(exact, declared_by="nobody")  # type: ignore[arg-type]


def test_a_prior_keeps_rules_and_clocks():
    domain = small_domain()
    prior = Prior.from_rows(small_rows(2000, seed=2), domain, survival=SURVIVAL, declared_by="a test")
    encoding = Encoding.of(domain, SURVIVAL)
    model = MST(epsilon="0.1", survival=SURVIVAL, prior=prior)._drawn(
        encoding, encoding.encode(small_rows(300)), Draws.insecure(1)
    )
    made = model.sample(2000, seed=1)
    assert not ((made.site == "brain") & (made.stage != "I")).any() and (made.death_time >= made.relapse_time).all()


def test_nothing_of_a_prior_comes_from_the_rows():
    """With the same answers to all questions, two data sets give the same model to the last byte."""
    encoding = Encoding.of(small_domain(), SURVIVAL)
    prior = Prior.from_rows(small_rows(500, seed=2), small_domain(), survival=SURVIVAL, declared_by="a test")
    made = Adaptive(epsilon=4, survival=SURVIVAL, prior=prior, rows=120)
    first, base = run(made, encoding, encoding.encode(small_rows(120)), 3)
    second, other = run(made, encoding, encoding.encode(small_rows(120, seed=8)), 3)
    assert first == second and [s.parameter for s in base.steps] == [s.parameter for s in other.steps]
    plain, without = run(
        Adaptive(epsilon=4, survival=SURVIVAL, rows=120), encoding, encoding.encode(small_rows(120)), 3
    )
    assert [s.parameter for s in base.steps] == [s.parameter for s in without.steps], "a prior changes no price"
    assert plain != first


def test_planted_a_prior_made_of_the_rows_is_seen(monkeypatch: pytest.MonkeyPatch):
    honest = Fitting.__post_init__

    def leaking(self: Fitting) -> None:
        honest(self)
        table = count(self.codes, self.encoding.sizes, (1,)).astype(float)
        self.known = (Known((1,), table / table.sum(), 100.0),)

    encoding = Encoding.of(small_domain(), SURVIVAL)
    made = Independent(epsilon=4, survival=SURVIVAL, rows=120)
    monkeypatch.setattr(Fitting, "__post_init__", leaking)
    monkeypatch.setattr("pets.synthetic.synthesizer.Synthesizer._drawn", _drawn_without_known)
    first, _ = run(made, encoding, encoding.encode(small_rows(120)), 3)
    second, _ = run(made, encoding, encoding.encode(small_rows(120, seed=8)), 3)
    assert first != second


def _drawn_without_known(self: Any, encoding: Encoding, codes: np.ndarray, draws: Any) -> Model:
    from pets.synthetic.synthesizer import released

    plan = self.plan(encoding, self._left(encoding), 120)
    fitting = Fitting(encoding, plan.spending, draws, codes, self.rows)
    self.run(fitting, plan)
    return released(self, fitting, draws)


@pytest.mark.parametrize(
    ("tables", "more", "argument"),
    [
        ({("a", "b"): np.ones((3, 2))}, {"declared_by": ""}, "declared_by"),
        ({}, {}, "tables"),
        ({("a", "a"): np.ones((3, 3))}, {}, "tables"),
        ({("a", "b"): np.ones(6)}, {}, "tables.a x b"),
        ({("a",): [1, -1, 2]}, {}, "tables.a"),
        ({("a",): [0, 0, 0]}, {}, "tables.a"),
        ({("a",): ["many", 1, 2]}, {}, "tables.a"),
        ({("a",): [0.5, 0.25, 0.25]}, {}, "rows"),
        ({("a",): [5, 2, 2]}, {"rows": -1}, "rows"),
    ],
)
def test_what_is_no_public_table_is_refused(tables: Any, more: Any, argument: str):
    with pytest.raises(InvalidArgument) as caught:
        Prior(tables, **({"declared_by": "a test"} | more))
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("tables", "argument"),
    [({("a", "d"): np.ones((3, 2))}, "name"), ({("a", "b"): np.ones((2, 2))}, "prior.a x b")],
)
def test_a_prior_of_another_domain_is_refused_before_a_row_is_read(tables: Any, argument: str):
    prior = Prior(tables, declared_by="a test", rows=10)
    with pytest.raises(InvalidArgument) as caught:
        MST(epsilon=1, prior=prior).fit(None, DOMAIN)
    assert caught.value.argument == argument
    with pytest.raises(InvalidArgument):
        MST(epsilon=1, prior={"a": [1, 2, 3]})  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore::pets.errors.UnrecordedReleaseWarning")
def test_without_a_declared_number_of_rows_the_model_says_do_not_release():
    rows = public(60)
    with pytest.raises(InvalidArgument, match="Nothing was charged"):
        Adaptive(epsilon="0.01", rows=60).fit(rows, DOMAIN)
    model = Adaptive(epsilon="0.01").fit(rows, DOMAIN)
    assert model.rows > 600 or model.notes[0].startswith("Do not release: epsilon")
    enough = Adaptive(epsilon=8).fit(public(2000), DOMAIN)
    assert not any("Do not release" in note for note in enough.notes)
