"""Rounding by name in a plan file, through a release file, and under the public suite."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import pets
import pets.testing
from pets.disclosure.rounding import ControlledRounding, RandomRounding
from pets.errors import ConfigError, IncompatibleGuarantees
from pets.noise import law_from_dict
from pets.noise_rounding import RoundingLaw, RoundingSumLaw
from pets.plan_file import pipeline_from_dict
from pets.tally import Tally

pytestmark = pytest.mark.filterwarnings("ignore::pets.errors.UnrecordedReleaseWarning")


@pytest.mark.parametrize(
    "mechanism",
    [RandomRounding(3), RandomRounding(5), RandomRounding(10), ControlledRounding(5), ControlledRounding(4, "nearest")],
    ids=repr,
)
def test_it_keeps_what_it_says(mechanism):
    assert pets.testing.check_mechanism(mechanism) == []


class DownTooOften(RandomRounding):
    """A planted bug: what is rounded at random is one less than the count."""

    def release(self, total, query):
        values = np.maximum(total.values - 1, 0)
        return super().release(replace(total, values=values), query)


class Exact(ControlledRounding):
    """A planted bug: a cell is far from its count, although the error model says that none is."""

    def release(self, total, query):
        release = super().release(total, query)
        return replace(release, parts=tuple(replace(p, values=p.values + 3 * self.base) for p in release.parts))


@pytest.mark.parametrize("broken", [DownTooOften(5), Exact(5)])
def test_a_broken_one_is_found(broken):
    assert pets.testing.check_mechanism(broken)


@pytest.mark.parametrize(
    "section", [{"type": "random_rounding", "base": 3}, {"type": "controlled_rounding", "steps": 2}]
)
def test_a_plan_names_it_and_its_release_survives_a_file(section, tmp_path):
    data = {"schema": 1, "domain": {"attributes": {"sex": {"type": "categorical", "categories": ["f", "m"]}}}}
    plan = pipeline_from_dict(
        {**data, "query": {"type": "count", "by": ["sex"]}, "mechanism": section}, folder=tmp_path
    )
    release = plan.run({"A": pd.DataFrame({"sex": ["f"] * 7 + ["m"] * 4})})
    again = pets.Release.from_json(release.to_json())
    assert again == release and isinstance(again.parts[0].law, RoundingLaw)
    with pytest.raises(ConfigError):
        pipeline_from_dict({**data, "query": {"type": "count"}, "mechanism": {**section, "base": 1}}, folder=tmp_path)


@pytest.mark.parametrize("mechanism", [RandomRounding(5), ControlledRounding(5)], ids=repr)
def test_margins_of_a_release_cover_the_truth(mechanism):
    domain = pets.Domain(site=[f"s{i}" for i in range(30)], sex=["f", "m"])
    query = pets.Count(by=["site", "sex"]).bind(domain)
    counts = np.random.default_rng(0).integers(0, 9, (30, 2))
    total = Tally(np.append(counts.reshape(-1), 0), query.signature)
    covered = []
    for _ in range(40):
        release = mechanism.release(total, query)
        for by, truth in ((["site"], counts.sum(axis=1)), (["sex"], counts.sum(axis=0)), ([], [counts.sum()])):
            margin = release.margin(by)
            covered += ((margin["ci_low"] <= truth) & (truth <= margin["ci_high"])).tolist()
    assert np.mean(covered) >= 0.95
    wide = release.margin()
    assert wide["ci_high"][0] - wide["ci_low"][0] < 2 * 60 * 5
    with pytest.raises(IncompatibleGuarantees):  # nothing is promised that could be pooled
        pets.pool([replace(release, provenance=pets.Provenance(sites=(site,))) for site in "AB"])


@pytest.mark.parametrize("wrong", [{"base": 1}, {"largest": "x"}, {"unbiased": 1}, {"largest": None}])
def test_a_law_that_is_none_is_refused(wrong):
    law = RoundingSumLaw(50, 8)
    assert law_from_dict(law.to_dict()) == law
    good = RoundingLaw(5, 4).to_dict()
    assert law_from_dict(good) == RoundingLaw(5, 4)
    with pytest.raises(ConfigError):
        law_from_dict(good | wrong)
