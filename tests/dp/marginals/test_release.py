"""What is published: unbiased, covered, written and read back, and refused where it would be wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pets
import pets.testing
from pets.dp.marginals import ResidualPlanner, fit_nonnegative, total_of
from pets.query import Estimated
from pets.release import pool
from tests.dp.marginals.support import all_tables, domain_of, tally_of

SIZES, NAMES = (4, 3, 3), ["a0", "a1", "a2"]
HIERARCHY = {"group": {"I": ["a", "d", "f"], "II": ["b"], "III": ["c", "e"]}}
TREED = pets.Domain(
    site=pets.Categorical(list("abcdef"), hierarchy=HIERARCHY, invalid="error"),
    year=pets.Categorical([str(y) for y in range(9)], invalid="error"),
    sex=pets.Categorical(["f", "m"], invalid="error"),
)


def marginals(**settings):
    return pets.Marginals(all_tables(NAMES, 3)).bind(domain_of(SIZES, "error", **settings))


def example(query, seed=1, dropped=0):
    return tally_of(query, np.random.default_rng(seed).poisson(3, SIZES), NAMES, dropped)


@pytest.mark.parametrize("mechanism", [ResidualPlanner(rho=0.5), ResidualPlanner(rho="1/8", objective="max")], ids=str)
def test_it_keeps_what_it_says(mechanism):
    assert pets.testing.check_mechanism(mechanism) == []


def widths_of(part):
    """Half-widths and standard errors of all numbers of a part, the dropped rows last."""
    columns = part.columns(0.95)
    width, stderr = columns["ci_high"] - columns["value"], columns["stderr"]
    if part.block.counts_dropped:
        number, low, _ = part.dropped(0.95)
        width, stderr = np.append(width, number - low), np.append(stderr, part.dropped_law.variance**0.5)
    return width, stderr


@pytest.mark.parametrize("rho", ["0.5", "0.02"])
def test_releases_are_unbiased_and_intervals_cover_95_percent(rho):
    """The joint table's errors lie on a fine lattice: its intervals cover just as stated; coarse ones a little more."""
    query = marginals()
    mechanism, tally, times = ResidualPlanner(rho=rho), example(marginals()), 2_500
    truth = tally.values.astype(float)
    widths, inside, total = None, np.zeros(len(truth)), np.zeros(len(truth))
    for _ in range(times):
        values = np.concatenate([part.values for part in mechanism.release(tally, query).parts])
        total += values - truth
        if widths is None:
            parts = mechanism.release(tally, query).parts
            widths, stderr = zip(*map(widths_of, parts), strict=True)
            widths, stderr = np.concatenate(widths), np.concatenate(stderr)
        inside += np.abs(values - truth) <= widths + 1e-9
    assert np.abs(total / times / stderr).max() < 5 / times**0.5
    covered = inside / times
    joint = slice(len(truth) - 36, len(truth))
    assert 0.945 < covered[joint].mean() < 0.955
    assert covered.min() > 0.95 - 5 * (0.05 * 0.95 / times) ** 0.5


def test_intervals_with_hierarchies_and_ranges_cover():
    query = pets.Count(by=["site", "year"]).bind(TREED)
    mechanism = ResidualPlanner(rho="0.5", hierarchies={"site": ["group"]}, ranges=["year"])
    joint = np.random.default_rng(5).poisson(2, (6, 9))
    tally, times = tally_of(query, joint, ["site", "year"]), 1_500
    cells = run = 0.0
    for _ in range(times):
        release = mechanism.release(tally, query)
        columns = release.to_columns()
        cells += np.mean((columns["ci_low"] <= joint.reshape(-1)) & (joint.reshape(-1) <= columns["ci_high"]))
        found = total_of(release, {"site": ["c", "e"], "year": ["3", "4", "5", "6"]})
        run += found.ci_low <= joint[np.ix_([2, 4], [3, 4, 5, 6])].sum() <= found.ci_high
    assert 0.945 < cells / times < 0.955
    assert abs(run / times - 0.95) < 5 * (0.05 * 0.95 / times) ** 0.5


def test_a_release_survives_its_document():
    query = pets.Marginals([["site", "year"], ["sex", "site"], []]).bind(TREED)
    mechanism = ResidualPlanner(rho="0.5", hierarchies={"site": ["group"]}, ranges=["year"])
    total = np.ones((6, 9, 2), dtype=np.int64)
    release = mechanism.release(tally_of(query, total, ["site", "year", "sex"]), query)
    again = pets.Release.from_json(release.to_json())
    assert again.digest == release.digest
    pd.testing.assert_frame_equal(again.to_frame(), release.to_frame())
    assert again.dropped() == release.dropped()
    assert "Release" in again._repr_html_()


@pytest.mark.parametrize(
    "break_it",
    [
        lambda part: part.update(design={}),
        lambda part: part["design"]["axes"].pop(),
        lambda part: part["design"].update(noise=[]),
        lambda part: part["design"]["noise"][0].__setitem__(1, "0"),
        lambda part: part["design"]["noise"].pop(),
        lambda part: part["design"]["noise"].pop(0),
        lambda part: part["design"]["axes"][0].update(labels=5),
        lambda part: part["values"].pop(),
        lambda part: part["values"].__setitem__(0, "x"),
    ],
)
def test_a_broken_document_is_refused(break_it):
    import json

    query = marginals()
    document = json.loads(ResidualPlanner(rho=1).release(example(query), query).to_json())
    break_it(document["parts"][-1])
    with pytest.raises(pets.errors.ConfigError):
        pets.Release.from_json(json.dumps(document))


def test_a_document_without_the_error_of_its_dropped_rows_is_refused():
    import json

    query = pets.Count(by=NAMES).bind(domain_of(SIZES))
    document = json.loads(ResidualPlanner(rho=1).release(example(query), query).to_json())
    document["parts"][0].pop("dropped_law")
    with pytest.raises(pets.errors.ConfigError):
        pets.Release.from_json(json.dumps(document))


def test_margins_of_a_release_are_its_sums_with_their_own_error():
    query = pets.Count(by=NAMES).bind(domain_of(SIZES))
    release = ResidualPlanner(rho=1, margins="all").release(example(query), query)
    part = release.parts[0]
    found = release.margin(["a2", "a0"])
    np.testing.assert_allclose(found["value"], part.counts().sum(axis=1).T.reshape(-1))
    np.testing.assert_allclose(found["stderr"] ** 2, part.design.table_variance(["a2", "a0"]).reshape(-1))
    assert found["a2"][1] == "2.0" and found["a0"][1] == "0.1"
    assert np.isclose(release.margin()["value"][0], part.counts().sum())


def test_structural_zeros_are_zero_and_margins_of_them_are_refused():
    domain = pets.Domain(sex=["f", "m"], site=["liver", "ovary"], impossible=[{"sex": "m", "site": "ovary"}])
    query = pets.Count(by=["sex", "site"]).bind(domain)
    release = ResidualPlanner(rho=1).release(pets.Tally(np.array([5, 4, 3, 0, 1]), query.signature), query)
    frame = release.to_frame()
    assert frame.loc[3, ["value", "stderr", "ci_low", "ci_high"]].tolist() == [0, 0, 0, 0]
    assert frame.loc[3, "status"] == "structural zero"
    for refused in (lambda: release.margin(["sex"]), lambda: total_of(release, {"sex": ["f"]})):
        with pytest.raises(pets.errors.PairingRefused):
            refused()


def test_it_runs_in_a_pipeline_with_a_ledger(tmp_path):
    site, sex = (pets.Categorical(labels, invalid="category") for labels in (["liver", "kidney"], ["f", "m"]))
    domain = pets.Domain(site=site, sex=sex)
    ledger = pets.Ledger(tmp_path / "b.sqlite", limit=pets.ZeroConcentratedDP(1))
    rows = pd.DataFrame({"site": ["liver", "kidney", "liver", "x"], "sex": ["f", "m", "m", "f"]})
    pipeline = pets.Pipeline(
        pets.Marginals([["site", "sex"], ["site"], []]), domain, mechanism=ResidualPlanner(rho="0.5"), ledger=ledger
    )
    assert "half" not in str(pipeline.preview()) and "0.5" in str(pipeline.preview())
    release = pipeline.run({"FR": rows})
    assert pipeline.run({"FR": rows}).digest == release.digest
    assert all(isinstance(part, Estimated) for part in release.parts)
    with pytest.raises(pets.errors.PairingRefused):
        pets.Pipeline(pets.Count(by="site"), domain, mechanism=ResidualPlanner(rho=1), noise_at="sites")
    with pytest.raises(pets.errors.PairingRefused):
        pool([release, release])


def test_settings_are_written_and_read():
    settings = {
        "objective": "max",
        "margins": [["a"], []],
        "weights": ["1", "2", "3"],
        "hierarchies": {"a": ["g"]},
        "ranges": ["b"],
    }
    mechanism = ResidualPlanner(rho="1/3", **settings)
    assert mechanism.to_dict() == {"type": "residual_planner", "rho": "1/3"} | settings
    assert ResidualPlanner(**{k: v for k, v in mechanism.to_dict().items() if k != "type"}) == mechanism
    assert ResidualPlanner(rho=1).to_dict() == {"type": "residual_planner", "rho": "1"}


@pytest.mark.parametrize(
    "settings",
    [
        {"rho": 0}, {"objective": "least"}, {"margins": "some"}, {"margins": [[3]]}, {"weights": "x"},
        {"weights": [-1]}, {"hierarchies": ["a"]}, {"ranges": "a"}, {"engine": "numpy"},
        {"ranges": ["a"], "hierarchies": {"a": ["g"]}},
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(settings):
    with pytest.raises(pets.errors.InvalidArgument):
        ResidualPlanner(**{"rho": 1} | settings)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"weights": [1, 2]}, "weights"), ({"ranges": ["x"]}, "ranges"), ({"hierarchies": {"x": ["g"]}}, "hierarchies"),
        ({"margins": [["x"]]}, "margins"), ({"hierarchies": {"a0": ["g"]}}, "a0"), ({"rho": "1e-30"}, "rho"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_the_query_are_refused_before_any_row(settings, error):
    query = pets.Count(by=["a0"]).bind(domain_of((3, 2)))
    with pytest.raises(pets.errors.InvalidArgument, match=error):
        ResidualPlanner(**{"rho": 1} | settings).guarantee(query)


def test_other_queries_are_refused():
    domain = pets.Domain(age=pets.Integer(0, 9))
    with pytest.raises(pets.errors.PairingRefused):
        ResidualPlanner(rho=1).guarantee(pets.Mean("age").bind(domain))


def test_fitted_counts_keep_the_total_where_clamping_invents_patients():
    """5,000 empty cells at epsilon 1: naive clamping adds 0.425 each; the joint fit adds none in all."""
    domain = pets.Domain(cell=[f"c{i}" for i in range(5_010)])
    query = pets.Count(by="cell").bind(domain)
    truth = np.append(np.where(np.arange(5_010) < 10, 40, 0), 0)
    release = pets.dp.DiscreteLaplace(epsilon=1).release(pets.Tally(truth, query.signature), query)
    values = release.to_columns()["value"]
    a = np.exp(-1)
    phantom = np.maximum(values[10:], 0).mean()
    assert phantom == pytest.approx(a / (1 - a**2), abs=5 * 0.9 / 5_000**0.5)  # 0.425
    fit = fit_nonnegative(release)
    columns = fit.to_columns()
    assert columns["fitted"].min() >= 0
    assert columns["fitted"].sum() == pytest.approx(values.sum(), abs=1e-6)
    assert columns["fitted"][10:].mean() < phantom / 2
    assert set(columns["fitted_status"]) == {"fitted, biased"}
    np.testing.assert_array_equal(columns["value"], values)  # the unbiased ones stay


def test_fit_of_several_tables_is_consistent_and_nearest():
    query = marginals()
    release = ResidualPlanner(rho="0.05").release(example(query), query)
    fit = fit_nonnegative(release)
    joint = fit.tables[-1]
    for part, table in zip(release.parts, fit.tables, strict=True):
        others = tuple(i for i, name in enumerate(NAMES) if name not in part.names)
        np.testing.assert_allclose(joint.sum(axis=others), table, atol=1e-6)
    rng = np.random.default_rng(3)

    def distance(table):
        errors = 0.0
        for part in release.parts:
            others = tuple(i for i, name in enumerate(NAMES) if name not in part.names)
            errors += ((table.sum(axis=others) - part.counts()) ** 2).sum() / part.law.variance
        return errors

    for _ in range(200):
        other = np.maximum(joint + rng.normal(scale=0.05, size=SIZES), 0)
        other *= joint.sum() / other.sum()
        assert distance(other) >= distance(joint) - 1e-6


def test_fit_refuses_what_is_no_table_of_counts():
    query = pets.Count(by=["a0"]).bind(domain_of((3,)))
    from pets.disclosure import SuppressCells

    hidden = SuppressCells(minimum=5).release(pets.Tally(np.array([1, 9, 9, 0]), query.signature), query)
    with pytest.raises(pets.errors.PairingRefused):
        fit_nonnegative(hidden)
