"""Registries that make one synthetic data set together: no rows leave, and the fit is that of the pooled rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pets
from pets.errors import InvalidArgument, PairingRefused
from pets.synthetic import Survival
from pets.synthetic.released import from_release

DOMAIN = pets.Domain(
    site=["brain", "kidney", "liver"],
    stage=["I", "II"],
    age=pets.Integer(0, 19, bins=[0, 5, 10, 19]),
    impossible=[{"site": "brain", "stage": "II"}],
)
QUESTION = pets.Marginals([["site", "stage"], ["stage", "age"]])


def rows(number: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    site = random.choice(["brain", "kidney", "liver"], number, p=[0.2, 0.5, 0.3])
    stage = np.where((site == "brain") | (random.random(number) < 0.6), "I", "II")
    return pd.DataFrame({"site": site, "stage": stage, "age": random.integers(0, 20, number)})


SITES = {name: rows(700, seed) for seed, name in enumerate(("FR", "UK", "US"))}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[pets.Ledger]:
    with pets.Ledger(tmp_path / "budget.sqlite", limit=pets.ZeroConcentratedDP(10**9)) as book:
        yield book


def plan(ledger: pets.Ledger, rho: object, **settings: object) -> pets.Pipeline:
    mechanism = pets.dp.DiscreteGaussian(rho=rho)  # type: ignore[arg-type]
    return pets.Pipeline(QUESTION, DOMAIN, mechanism=mechanism, ledger=ledger, **settings)  # type: ignore[arg-type]


def test_three_sites_with_noise_inside_the_sum_make_one_model(ledger: pets.Ledger):
    release = plan(ledger, "0.5", aggregator=pets.mpc.MaskedSum(), noise_at="sites").run(SITES)
    model = from_release(release)
    assert model.guarantee == pets.ZeroConcentratedDP("0.5", unit=DOMAIN.unit)
    assert abs(model.rows - 2100) < 60
    synthetic, real = model.sample(2100, seed=1), pd.concat(SITES.values())
    assert not ((synthetic.site == "brain") & (synthetic.stage == "II")).any()
    for by in (["site", "stage"], ["stage"]):
        gap = synthetic.groupby(by).size().sub(real.groupby(by).size(), fill_value=0)
        assert gap.abs().max() < 60
    assert all(0 < bound.share < 0.1 for bound in model.error_bounds())


def test_sites_and_pooled_rows_give_the_same_model_but_for_the_noise(ledger: pets.Ledger):
    """With next to no noise the two are equal; the law of noise in a release has its own tests."""
    together = from_release(plan(ledger, 10**6, aggregator=pets.mpc.MaskedSum(), noise_at="sites").run(SITES))
    pooled = from_release(plan(ledger, 10**6, dataset="pooled").run({"all": pd.concat(SITES.values())}))
    for axes in [(0, 1), (1, 2), (0, 2)]:
        np.testing.assert_allclose(together.table(axes), pooled.table(axes), atol=4)


def test_other_releases_are_refused(ledger: pets.Ledger, tmp_path: Path):
    with pets.Ledger(tmp_path / "pure.sqlite", limit=pets.PureDP(5)) as pure:
        laplace = pets.Pipeline(QUESTION, DOMAIN, mechanism=pets.dp.DiscreteLaplace(epsilon=1), ledger=pure).run(SITES)
    with pytest.raises(PairingRefused, match="Gaussian"):
        from_release(laplace)
    with pytest.raises(PairingRefused):
        from_release("tables")  # type: ignore[arg-type]
    release = plan(ledger, 1).run(SITES)
    with pytest.raises(InvalidArgument):
        from_release(release, survival=[Survival("age", "site", after="stage")])
    for rows in (0, -3, True, 2.5, "many"):
        with pytest.raises(InvalidArgument, match="rows"):
            from_release(release, rows=rows)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="survival"):
        from_release(release, survival=Survival("age", "nothing"))
