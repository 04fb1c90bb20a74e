"""A pipeline taken apart: contract, what a site brings, and what the collector publishes."""

import numpy as np
import polars as pl
import pytest

import pets
from pets.errors import BudgetExceeded, InvalidArgument, RangeOverflow
from pets.session import InProcess, session_keys

DOMAIN = pets.Domain(diagnosis=["a", "b", "c"], sex=["f", "m"], unit=pets.PrivacyUnit("id"))
SITES = ("FR", "UK", "US")


def frame(seed):
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {"id": np.arange(100), "diagnosis": rng.choice(["a", "b", "c"], 100), "sex": rng.choice(["f", "m"], 100)}
    )


FRAMES = {name: frame(seed) for seed, name in enumerate(SITES)}


def plan(tmp_path=None, name="budget", *, limit=2, **settings):
    ledger = None if tmp_path is None else pets.Ledger(tmp_path / f"{name}.sqlite", limit=pets.PureDP(limit))
    options = {"aggregator": pets.mpc.MaskedSum(), "mechanism": pets.dp.DiscreteLaplace(epsilon=1), "site_bound": 1000}
    return pets.Pipeline(pets.Count(by=["diagnosis", "sex"]), DOMAIN, ledger=ledger, **(options | settings))


def outcome(pipeline, spec, values):
    return InProcess(pipeline.aggregator, spec, values, session_keys(pipeline.aggregator, spec)).run().outcome


class TestContract:
    def test_names_everything_that_must_be_agreed(self):
        spec = plan(noise_at="sites").spec(SITES, number=4, roster="ab", purpose="a study")
        assert (spec.sites, spec.number, spec.roster, spec.purpose) == (SITES, 4, "ab", "a study")
        assert spec.bound == 1000 and spec.lower == 0
        assert spec.noise["mechanism"]["type"] == "discrete_laplace"
        assert spec.noise_bound > 40
        assert spec.ring_bits == (3 * 1000 + 2 * spec.noise_bound).bit_length()

    def test_is_the_same_at_every_party_and_differs_with_every_setting(self):
        spec = plan().spec(SITES)
        assert spec.id == plan().spec(SITES).id
        others = [
            plan(site_bound=999), plan(noise_at="sites"), plan(aggregator=pets.mpc.MaskedSum(threshold=3)),
            plan(noise_at="sites", mechanism=pets.dp.DiscreteLaplace(epsilon=2)),
        ]  # fmt: skip
        ids = {other.spec(SITES).id for other in others} | {plan().spec(SITES, number=2).id, spec.id}
        assert len(ids) == len(others) + 2

    def test_signed_sums_have_a_lower_bound(self):
        domain = pets.Domain(x=pets.Integer(-5, 5), g=["u", "v"])
        pipeline = pets.Pipeline(
            pets.Sum("x", by=["g"]), domain, pets.mpc.MaskedSum(), pets.dp.DiscreteLaplace(epsilon=1), site_bound=50
        )
        assert pipeline.spec(SITES).lower == -50


class TestSiteAndCollector:
    def test_with_the_noise_at_the_curator(self, tmp_path):
        pipeline = plan(tmp_path)
        spec = pipeline.spec(SITES)
        values = {name: pipeline.at_site(rows, spec, name) for name, rows in FRAMES.items()}
        assert pipeline.ledger.remaining("default", str(DOMAIN.unit)) == pets.PureDP(2)
        release = pipeline.publish(outcome(pipeline, spec, values), spec)
        assert pipeline.ledger.remaining("default", str(DOMAIN.unit)) == pets.PureDP(1)
        assert release.provenance.sites == SITES
        assert abs(release.to_columns()["value"].sum() - 300) < 60

    def test_published_once_is_answered_from_the_ledger(self, tmp_path):
        pipeline = plan(tmp_path)
        spec = pipeline.spec(SITES)
        values = {name: pipeline.at_site(rows, spec, name) for name, rows in FRAMES.items()}
        total = outcome(pipeline, spec, values)
        assert pipeline.publish(total, spec).to_json() == pipeline.publish(total, spec).to_json()
        assert pipeline.ledger.remaining("default", str(DOMAIN.unit)) == pets.PureDP(1)

    def test_with_the_noise_at_the_sites_each_pays_from_its_own_ledger(self, tmp_path):
        pipelines = {name: plan(tmp_path, name, noise_at="sites") for name in SITES}
        spec = pipelines["FR"].spec(SITES)
        values = {name: pipelines[name].at_site(FRAMES[name], spec, name) for name in SITES}
        assert all(p.ledger.remaining("default", str(DOMAIN.unit)) == pets.PureDP(1) for p in pipelines.values())
        collector = plan(noise_at="sites")
        release = collector.publish(outcome(collector, spec, values), spec)
        assert release.parts[0].law == collector.preview(SITES).error.laws[0]
        assert release.guarantee.epsilon == 1

    def test_a_site_without_budget_refuses(self, tmp_path):
        pipeline = plan(tmp_path, limit=1, noise_at="sites")
        pipeline.at_site(FRAMES["FR"], pipeline.spec(SITES), "FR")
        with pytest.raises(BudgetExceeded):
            pipeline.at_site(FRAMES["FR"], pipeline.spec(SITES, number=2), "FR")

    def test_each_draw_of_noise_is_charged_even_in_a_session_of_the_same_contract(self, tmp_path):
        pipeline = plan(tmp_path, noise_at="sites")
        spec = pipeline.spec(SITES)
        for _ in range(2):
            pipeline.at_site(FRAMES["FR"], spec, "FR")
        assert pipeline.ledger.remaining("default", str(DOMAIN.unit)) == pets.PureDP(0)

    def test_survivors_set_the_stated_error(self):
        pipeline = plan(noise_at="sites")
        spec = pipeline.spec((*SITES, "DE"))
        with pytest.warns(pets.errors.UnrecordedReleaseWarning):
            values = {name: pipeline.at_site(rows, spec, name) for name, rows in (FRAMES | {"DE": frame(9)}).items()}
        keys = session_keys(pipeline.aggregator, spec)
        total = InProcess(pipeline.aggregator, spec, values, keys, drop={"DE": "input"}).run().outcome
        release = pipeline.publish(total, spec)
        assert release.provenance.sites == SITES
        mechanism = pipeline.mechanism
        assert release.parts[0].law == mechanism.distributed_error(pipeline.bound, 3, spec.noise["honest"]).laws[0]

    def test_another_plans_contract_is_refused(self):
        other = pets.Pipeline(pets.Count(by=["sex"]), DOMAIN, mechanism=pets.dp.DiscreteLaplace(epsilon=1))
        with pytest.raises(InvalidArgument, match="another question"):
            plan().at_site(FRAMES["FR"], other.spec(SITES), "FR")

    def test_a_table_over_the_bound_charges_nothing(self, tmp_path):
        pipeline = plan(tmp_path, noise_at="sites", site_bound=3)
        with pytest.raises(RangeOverflow):
            pipeline.at_site(FRAMES["FR"], pipeline.spec(SITES), "FR")
        assert pipeline.ledger.remaining("default", str(DOMAIN.unit)) == pets.PureDP(2)


@pytest.mark.parametrize(("name", "value"), [("site_bound", 0), ("site_bound", 1.5), ("colluding_sites", -1)])
def test_settings_out_of_range(name, value):
    with pytest.raises(InvalidArgument) as caught:
        plan(**{name: value})
    assert caught.value.argument == name
