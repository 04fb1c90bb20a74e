"""Three registries make one synthetic data set: the fit has the law of a fit to all rows in one place, and it runs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pets
from pets.noise import DiscreteGaussianLaw
from pets.synthetic import Model
from pets.synthetic.released import from_release

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "three-registries-synthetic"
CODES = list(range(20))
DOMAIN = pets.Domain(site=CODES, stage=CODES, centre=CODES)
QUESTION = pets.Marginals([["site", "stage"], ["stage", "centre"]])
RHO, SIGMA2 = "0.04", 25  # a row moves one cell of each of two tables by 1: sigma2 = 2 / (2 rho)
REPEATS, ROWS = 8, 40_000

SITES_ALONE = {"aggregator": pets.mpc.MaskedSum(), "noise_at": "sites", "colluding_sites": 0}
"""Noise inside the sum, and nobody tells anybody else the share that he added."""


def rows(number: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    site, stage = random.integers(0, 20, number), random.integers(0, 20, number)
    return pd.DataFrame({"site": site, "stage": stage, "centre": (site + random.integers(0, 12, number)) % 20})


FILES = {name: rows(ROWS // 4 * size, size) for name, size in (("north", 1), ("south", 2), ("west", 1))}
POOLED = {"all": pd.concat(FILES.values())}
EXACT = {
    axes: np.histogramdd(POOLED["all"].to_numpy()[:, axes], bins=20, range=[(0, 20)] * 2)[0]
    for axes in ((0, 1), (1, 2))
}


def releases(folder: Path, sites: dict[str, pd.DataFrame], repeats: int = 1, **settings: object) -> list[pets.Release]:
    mechanism = pets.dp.DiscreteGaussian(rho=RHO)
    with pets.Ledger(folder / f"{len(list(folder.iterdir()))}.sqlite", limit=pets.ZeroConcentratedDP(10)) as ledger:
        plan = pets.Pipeline(QUESTION, DOMAIN, mechanism=mechanism, ledger=ledger, **settings)  # type: ignore[arg-type]
        return [plan.run(sites, repeat=str(i)) for i in range(repeats)]


def laws(release: pets.Release) -> list[object]:
    return [part.law for part in release.parts]


def test_noise_drawn_for_the_total_has_the_very_law_of_the_pooled_rows(tmp_path: Path):
    """Whether the exact total came from one file or out of a masked sum, the mechanism sees the same numbers."""
    (pooled,) = releases(tmp_path, POOLED)
    (together,) = releases(tmp_path, FILES, aggregator=pets.mpc.MaskedSum())
    assert laws(together) == laws(pooled) == [DiscreteGaussianLaw(SIGMA2)] * 2
    assert together.guarantees[0] == pooled.guarantees[0]


def test_noise_inside_the_sum_has_the_law_of_the_pooled_rows_to_nine_digits(tmp_path: Path):
    (together,) = releases(tmp_path, FILES, **SITES_ALONE)
    law, one = together.parts[0].law, DiscreteGaussianLaw(SIGMA2)
    assert abs(law.variance / one.variance - 1) < 1e-9
    assert max(abs(law.cdf(k) - one.cdf(k)) for k in range(-60, 61)) < 1e-9
    (table, *_) = from_release(together).tables
    assert float(table.sigma2) == pytest.approx(SIGMA2)


def test_who_expects_a_registry_to_tell_its_share_pays_with_wider_noise_and_the_model_says_so(tmp_path: Path):
    (careful,) = releases(tmp_path, FILES, **SITES_ALONE | {"colluding_sites": 1})
    model = from_release(careful)
    assert [float(table.sigma2) for table in model.tables] == pytest.approx([1.5 * SIGMA2] * 2)
    (alone,) = releases(tmp_path, FILES, **SITES_ALONE)
    for wide, narrow in zip(model.error_bounds(), from_release(alone).error_bounds(), strict=True):
        assert wide.sigma == pytest.approx(narrow.sigma * 1.5**0.5)


@pytest.fixture(scope="module")
def fits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Model]]:
    folder = tmp_path_factory.mktemp("books")
    arrangements = {
        "pooled": releases(folder, POOLED, REPEATS),
        "together": releases(folder, FILES, REPEATS, **SITES_ALONE),
        "careful": releases(folder, FILES, REPEATS, **SITES_ALONE | {"colluding_sites": 1}),
    }
    return {name: [from_release(release) for release in done] for name, done in arrangements.items()}


def noise(models: list[Model]) -> np.ndarray:
    """Differences of released and exact cells, in all fits."""
    return np.array([[table.values - EXACT[table.axes] for table in model.tables] for model in models]).ravel()


def inside(models: list[Model]) -> bool:
    """Whether the noise has the variance of the pooled rows, at a level of one in a million on each side."""
    found = noise(models)
    low, high = stats.chi2.ppf([1e-6, 1 - 1e-6], len(found)) * SIGMA2
    return bool(low < (found**2).sum() < high)


def test_released_cells_have_the_pooled_mean_and_the_pooled_variance(fits: dict[str, list[Model]]):
    for name in ("pooled", "together"):
        assert abs(noise(fits[name]).mean()) < 5 * (SIGMA2 / (800 * REPEATS)) ** 0.5
        assert inside(fits[name])
    assert not inside(fits["careful"])  # so the test above would see noise that is half as wide again
    distance = stats.ks_2samp(noise(fits["pooled"]), noise(fits["together"]), method="asymp")
    assert distance.pvalue > 1e-6


def test_fitted_margins_have_the_pooled_mean_and_the_pooled_spread(fits: dict[str, list[Model]]):
    """What people use: the model's own tables, in all of which consistency has already averaged some noise away."""
    for axes, exact in EXACT.items():
        found = {name: np.array([model.table(axes) for model in models]) for name, models in fits.items()}
        gap = found["together"].mean(axis=0) - found["pooled"].mean(axis=0)
        spread = (found["together"].var(axis=0, ddof=1) + found["pooled"].var(axis=0, ddof=1)).mean() / REPEATS
        assert (gap**2).mean() == pytest.approx(spread, rel=0.35)  # 400 cells: one in 14 is a standard error
        away = {name: ((table - exact) ** 2).mean() for name, table in found.items()}
        assert away["together"] == pytest.approx(away["pooled"], rel=0.2)
        assert away["careful"] > 1.2 * away["pooled"]


def test_a_registry_that_is_left_out_is_found(fits: dict[str, list[Model]], tmp_path: Path):
    """The comparison has power: without one registry the margins are elsewhere."""
    (short,) = releases(tmp_path, {name: FILES[name] for name in ("north", "south")})
    gap = from_release(short).table((0, 1)) - np.mean([model.table((0, 1)) for model in fits["pooled"]], axis=0)
    assert (gap**2).mean() > 10 * SIGMA2


@pytest.mark.slow
def test_the_example_runs_in_a_fresh_folder(tmp_path: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"PYTHON": sys.executable, "PYTHONPATH": str(ROOT), "PORT": str(port)}
    folder = tmp_path / "run"
    command = ["sh", str(EXAMPLE / "run.sh"), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    assert "Every round is signed by north, south, west and the collector." in done.stdout
    assert "All tables of model.pets are totals of these rounds." in done.stdout
    out = folder / "server" / "rows"
    assert {path.name for path in out.iterdir()} == {"synthetic.csv", "model.pets", "report.html", "transcript.json"}
    model, drawn = Model.load(out / "model.pets"), pd.read_csv(out / "synthetic.csv")
    assert model.guarantee.epsilon == 1 and model.settings["type"] == "aim"
    assert model.rows == len(drawn) and abs(model.rows - 4028) < 600
    assert list(drawn.columns) == ["time", "status", "histology", "stage", "age_months"]
    real = pd.concat([pd.read_csv(folder / name / "rows.csv") for name in ("north", "south", "west")])
    assert len(real) == 4028
    for column in ("status", "histology", "stage"):
        gap = drawn[column].value_counts(normalize=True) - real[column].value_counts(normalize=True)
        assert gap.abs().max() < 0.1  # the noise of a cell is about one part in a hundred
    for name in ("north", "south", "west"):
        with pets.Ledger(folder / name / "budget.sqlite") as book:
            assert [entry.guarantee for entry in book.entries() if entry.kind == "charge"] == [model.guarantee]
    assert not list((folder / "server").glob("*.csv"))


def test_the_data_of_the_example_are_the_cohort_dealt_out(tmp_path: Path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, str(EXAMPLE / "make_data.py"), str(tmp_path)], check=True, env=environment)
    dealt = [pd.read_csv(tmp_path / f"{name}.csv") for name in ("north", "south", "west")]
    domain = pets.Domain.from_file(EXAMPLE / "registry.toml")
    assert sum(map(len, dealt)) == 4028 and pd.concat(dealt).patient_id.is_unique
    assert set(dealt[0].columns) == {*domain, domain.unit.id}
