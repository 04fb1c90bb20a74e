"""The registry simulator: published rates, sparsity and survival, and rows that the rest of the library can use."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import nbinom, poisson

import pets
from pets.datasets import ci5_children, simulate_registries
from pets.datasets.simulate_calibration import STAGES, cumulative_hazard, rates, tumours
from pets.datasets.simulate_rows import DAYS_OF_YEAR
from pets.epi import iccc3
from pets.epi.survival import EventCounts, kaplan_meier
from pets.errors import InvalidArgument

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "data" / "make_simulator.py"
KEYS = ["sex", "age_group"]

# Share of cells (17 sites x sex x 3 ages below 15) with 0, 1-4, 5-10, 11-15 and 16 or more cases in CI5 XII.
CELL_SIZES = {"usa": (44, [26, 36, 15, 6, 17]), "europe": (21, [31, 33, 15, 6, 15]), "world": (400, [59, 30, 6, 2, 3])}
EDGES = (0, 4, 10, 15)

# CI5 XII, USA 2013-17, per million: boys at 0-4, 5-9, 10-14, 15-19, then girls. "All" is the published total.
PUBLISHED = {
    "Lymphoid leukaemia": [67.7, 41.8, 29.1, 27.5, 60.9, 33.0, 21.5, 12.8],
    "Brain": [45.7, 38.0, 32.0, 24.6, 42.6, 33.5, 28.4, 21.5],
    "Kidney": [18.3, 5.3, 1.6, 2.1, 20.8, 7.7, 2.0, 2.4],
    "Liver": [9.4, 1.3, 1.1, 1.3, 6.4, 1.3, 1.0, 1.5],
    "Thyroid": [0.3, 0.9, 4.0, 10.5, 0.4, 2.1, 13.1, 51.5],
    "All": [246.6, 142.5, 156.2, 238.6, 224.1, 121.4, 146.5, 228.1],
}
SEER_SHARES = {
    "I": 24.53, "II": 15.5, "III": 17.54, "IV": 5.55, "V": 2.02, "VI": 4.34, "VII": 1.14, "VIII": 5.34, "IX": 7.16,
    "X": 6.68, "XI": 9.54,
}  # fmt: skip


@pytest.fixture(scope="module")
def large() -> pets.datasets.SimulatedRegistries:
    return simulate_registries(8, patients=600_000, insecure_seed=11)


@pytest.fixture(scope="module")
def rows(large: pets.datasets.SimulatedRegistries) -> pd.DataFrame:
    return pd.concat(dict(large), ignore_index=True)


# ------------------------------------------------------------------------------------------------- rates


def test_expected_rates_are_the_published_ones_exactly() -> None:
    registries = simulate_registries(44, insecure_seed=1)
    ours = registries.expected.groupby(["site", *KEYS], sort=False).cases.sum()
    rate = 1e6 * ours / registries.person_years.groupby(KEYS, sort=False).person_years.sum()
    usa = ci5_children().query("registry == 'USA'")
    direct = {
        "Lymphoid leukaemia": "Lymphoid leukaemia",
        "Liver": "Liver",
        "Bone": "Bone",
        "Hodgkin": "Hodgkin disease",
    }
    for site, label in direct.items():
        cells = usa[usa.site == label].set_index(KEYS)
        for key, cell in cells.iterrows():
            assert rate[(site, *key)] == pytest.approx(1e6 * cell.cases / cell.person_years, rel=1e-9)  # type: ignore[misc]
    # The 17 sites together are all 61 of CI5.
    everything = usa.groupby(KEYS).agg(cases=("cases", "sum"), years=("person_years", "first"))
    total = rate.groupby(KEYS).sum()
    for key, cell in everything.iterrows():
        assert total[key] == pytest.approx(1e6 * cell.cases / cell.years, rel=1e-9)  # type: ignore[index]


@pytest.mark.parametrize("site", PUBLISHED)
def test_the_printed_rates_of_the_report(site: str) -> None:
    pooled = rates("usa")
    rate = pooled.rate.sum(axis=0) if site == "All" else pooled.rate[pooled.sites.index(site)]
    assert 1e6 * rate.ravel() == pytest.approx(PUBLISHED[site], abs=0.06)


def test_simulated_rates_are_within_two_percent(large: Any, rows: pd.DataFrame) -> None:
    """Every site and sex with enough cases for that (standard error of 0.3 %), and each within five standard errors."""
    seen = rows.groupby(["site", "sex"], observed=False).size()
    expected = large.expected.groupby(["site", "sex"]).cases.sum()
    seen = seen.reindex(expected.index)
    large_cells = expected > 100_000 / 3
    assert large_cells.sum() >= 4
    assert (abs(seen / expected - 1)[large_cells] < 0.02).all()
    assert (abs(seen - expected) < 5 * np.sqrt(expected)).all()


def test_groups_have_the_shares_of_seer(rows: pd.DataFrame) -> None:
    """SEER-9 1975-2005 beside rates of 2013-17: thyroid and leukaemia have risen since, so 3.5 points are allowed."""
    share = 100 * rows.group.value_counts(normalize=True)
    for group, published in SEER_SHARES.items():
        assert share[group] == pytest.approx(published, abs=3.5), group


def test_the_very_rare(large: Any, rows: pd.DataFrame) -> None:
    million = large.person_years.person_years.sum() / 1e6
    rate = rows.diagnosis.value_counts() / million
    assert rate["Hepatoblastoma"] == pytest.approx(1.76, abs=0.1)
    assert 0.5 < rate["Hepatocellular carcinoma"] < 0.62
    young = rows[rows.diagnosis == "Choroid plexus carcinoma"]
    assert (young.age < 5).mean() > 0.7 and 0.55 < (young.sex == "male").mean() < 0.7
    assert 0.05 < rate["Pleuropulmonary blastoma"] < 0.15


# ---------------------------------------------------------------------------------------------- sparsity


@pytest.mark.parametrize("like", CELL_SIZES)
def test_cells_are_as_small_as_the_published_ones(like: Any) -> None:
    """Within 3 points in expectation, from the law itself: Poisson, or negative binomial where registries vary."""
    count, published = CELL_SIZES[like]
    cases = simulate_registries(count, like=like, insecure_seed=1).expected.query("age_group != '15-19'").cases
    shape = 0.7**-2

    def below(limit: int) -> float:
        if like == "world":
            return float(nbinom.cdf(limit, shape, shape / (shape + cases)).mean())
        return float(poisson.cdf(limit, cases).mean())

    shares = 100 * np.diff([0.0, *(below(limit) for limit in EDGES), 1.0])
    assert shares == pytest.approx(published, abs=3)


def test_drawn_cells_are_as_small() -> None:
    for like, (_, published) in list(CELL_SIZES.items())[:2]:
        count = CELL_SIZES[like][0]
        frame = pd.concat(dict(simulate_registries(count, like=like, insecure_seed=5)))  # type: ignore[arg-type]
        frame = frame[frame.age < 15]
        cells = frame.groupby(["registry", "site", *KEYS], observed=True).size()
        sizes = np.concatenate([cells, np.zeros(count * 17 * 6 - len(cells))])
        bands = np.searchsorted(EDGES, sizes)
        shares = 100 * np.bincount(bands, minlength=5) / len(sizes)
        assert shares == pytest.approx(published, abs=3), like


# ---------------------------------------------------------------------------------------------- survival


def test_every_tumour_has_its_survival_after_five_years(large: Any, rows: pd.DataFrame) -> None:
    """Kaplan-Meier of each tumour within 2 points, and within four standard errors."""
    known = tumours()
    question = pets.EventTable("time", "event", by=["diagnosis"]).bind(large.domain)
    counts = EventCounts.exact(question, question.tally(rows))
    checked, pull, weight = 0, 0.0, 0.0
    for curve in kaplan_meier(counts):
        at = np.searchsorted(curve.times, int(5 * DAYS_OF_YEAR))
        exact = known.survival[known.name.index(curve.labels[0])]  # type: ignore[arg-type]
        found, error = np.interp(5 * DAYS_OF_YEAR, curve.times, curve.value), curve.stderr_sampling[at]
        assert abs(found - exact) < 4.5 * error + 0.003, curve.labels
        if error < 0.004:
            checked += 1
            assert found == pytest.approx(exact, abs=0.02)
            pull, weight = pull + (found - exact) / error**2, weight + 1 / error**2
    assert checked > 15
    assert abs(pull) < 4 * weight**0.5  # all together: a shift of a tenth of a point would be seen


def test_stage_survival_adds_up_to_the_tumours_own() -> None:
    known = tumours()
    ratio = np.array([1.0, 1.6, 2.77, 1.0])
    alive = (known.stages * np.exp(-cumulative_hazard(known)[:, None] * ratio)).sum(axis=1)
    assert alive == pytest.approx(known.survival, abs=1e-12)
    liver = known.stages[known.name.index("Hepatocellular carcinoma")]
    assert dict(zip(STAGES, liver, strict=True)) == {
        "localised": 0.28, "regional": pytest.approx(0.39), "distant": pytest.approx(0.33), "not staged": 0,
    }  # fmt: skip


# -------------------------------------------------------------------------------------------------- rows


def test_codes_are_those_of_the_subgroup() -> None:
    known = tumours()
    found = iccc3().classify(list(known.topography), list(known.morphology))
    assert found.subgroup.tolist() == list(known.subgroup) and found.group.tolist() == list(known.group)
    assert len(set(known.group)) == 12


def test_shares_within_a_site_add_up() -> None:
    known, pooled = tumours(), rates("usa")
    total = np.zeros_like(pooled.rate)
    np.add.at(total, [pooled.sites.index(site) for site in known.site], known.share)
    assert total == pytest.approx(np.ones_like(total))
    assert set(known.site) == set(pooled.sites) and len(pooled.sites) == 17


def test_rows_lie_in_their_domain(large: Any, rows: pd.DataFrame) -> None:
    assert rows.patient_id.is_unique
    assert rows.age.between(0, 19).all() and rows.year.between(2013, 2017).all()
    assert (rows.age // 5 == rows.age_group.cat.codes).all()
    assert not ((rows.diagnosis == "Germ cell tumour of the testis") & (rows.sex == "female")).any()
    for name in ("site", "group", "stage", "region", "registry"):
        question = pets.Count(by=[name]).bind(large.domain)
        assert question.tally(rows).values.sum() == len(rows), name
    assert rows.time.between(0, large.domain["time"].upper).all()


def test_a_seed_gives_the_same_rows_and_each_registry_its_own() -> None:
    one, other = (simulate_registries(["A", "B"], patients=2000, insecure_seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(one["B"], other["B"])
    pd.testing.assert_frame_equal(one["B"], one["B"])
    assert one["A"].age.tolist()[:50] != one["B"].age.tolist()[:50]
    assert not simulate_registries(["A", "B"], patients=2000, insecure_seed=4)["A"].equals(one["A"])
    assert not simulate_registries(["A"], patients=2000)["A"].equals(simulate_registries(["A"], patients=2000)["A"])


def test_number_size_and_years_of_registries() -> None:
    registries = simulate_registries(65, patients=50_000, years=(2000, 2009), follow_up=2, insecure_seed=0)
    assert len(registries) == 65 and list(registries) == sorted(registries)
    assert registries.expected.cases.sum() == pytest.approx(50_000, rel=1e-3)
    sizes = registries.person_years.groupby("registry").person_years.sum()
    assert sizes.is_monotonic_increasing and sizes.max() > 20 * sizes.min()
    last = registries[registries.names[-1]]
    assert (last.year.min(), last.year.max()) == (2000, 2009)
    assert last[last.year == 2009].time.max() <= 3 * DAYS_OF_YEAR
    assert repr(registries) == "<65 simulated registries (usa), about 50,000 patients>"


def test_a_study_runs_over_them(tmp_path: Path) -> None:
    registries = simulate_registries(["FR", "NL", "UK"], like="europe", insecure_seed=1)
    ledger = pets.Ledger(tmp_path / "study.sqlite", limit=pets.PureDP(1))
    pipeline = pets.Pipeline(
        pets.Count(by=["group", "sex"]), registries.domain, mechanism=pets.dp.DiscreteLaplace(epsilon=1), ledger=ledger
    )
    frame = pipeline.run(registries).to_frame()
    assert frame.value.sum() == pytest.approx(sum(len(registries[name]) for name in registries), abs=60)


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("sites", {"sites": 0}),
        ("sites", {"sites": 1001}),
        ("sites", {"sites": "FR"}),
        ("sites", {"sites": []}),
        ("sites", {"sites": ["A", "A"]}),
        ("sites", {"sites": True}),
        ("like", {"like": "us"}),
        ("patients", {"patients": 0}),
        ("years", {"years": (2017, 2013)}),
        ("years", {"years": 2013}),
        ("follow_up", {"follow_up": 0}),
        ("insecure_seed", {"insecure_seed": -1}),
    ],
)
def test_bad_arguments(argument: str, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        simulate_registries(**({"sites": 2} | given))
    assert caught.value.argument == argument


def test_asking_for_a_name_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    registries = simulate_registries(["A", "B"], patients=100, insecure_seed=0)
    monkeypatch.setattr("pets.datasets.simulate.draw", lambda *_: pytest.fail("drawn"))
    assert "A" in registries and "C" not in registries and 1 not in registries


def test_an_unknown_registry_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="Registry 1"):
        simulate_registries(3, insecure_seed=0)["Registry 11"]


def test_the_script_writes_the_shipped_tumours() -> None:
    table = pd.DataFrame(runpy.run_path(str(SCRIPT))["diagnoses"]())
    assert tuple(table.diagnosis) == tumours().name and tuple(table.subgroup) == tumours().subgroup
