"""Every aggregator gives the plain result for every query, and noise inside the sum has the law that is stated."""

import numpy as np
import polars as pl
import pytest

import pets
from pets.noise import NoNoise
from pets.plan_file import aggregators
from pets.session import run_in_process

SITES = ("FR", "UK", "US", "DE")
NOISY = [pets.dp.DiscreteLaplace(epsilon=1), pets.dp.DiscreteGaussian(rho=0.05)]


def opening_all(name):
    """The aggregator of this name, set so that it opens every cell."""
    return aggregators()[name](minimum=None) if name == "verify_before_open" else aggregators()[name]()


def sure(draws, law):
    """Return the chi-square statistic of integer draws against a law, and its limit at six standard deviations."""
    edge = next(k for k in range(1, 10_000) if (1 - law.cdf(k)) * len(draws) < 20)
    inside = np.arange(-edge + 1, edge)
    expected = np.array([law.cdf(-edge), *(law.pmf(int(k)) for k in inside), 1 - law.cdf(edge - 1)]) * len(draws)
    seen = np.array([np.sum(draws <= -edge), *(np.sum(draws == k) for k in inside), np.sum(draws >= edge)])
    freedom = len(expected) - 1
    return float(np.sum((seen - expected) ** 2 / expected)), freedom + 6 * (2 * freedom) ** 0.5


DOMAIN = pets.Domain(cell=[f"c{number}" for number in range(4000)])
QUERY = pets.Count(by=["cell"])


def frames():
    rng = np.random.default_rng(3)
    return {name: pl.DataFrame({"cell": [f"c{k}" for k in rng.integers(0, 4000, 3000)]}) for name in SITES}


@pytest.mark.parametrize("name", sorted(set(aggregators()) - {"plain"}))
class TestSecureSum:
    def test_total_is_the_plain_one(self, name):
        pipeline = pets.Pipeline(QUERY, DOMAIN, opening_all(name), NOISY[0], site_bound=100)
        tallies = {site: pipeline.bound.tally(frame) for site, frame in frames().items()}
        outcome = run_in_process(pipeline.aggregator, pipeline.spec(SITES), tallies).outcome
        assert np.array_equal(outcome.total, sum(tally.values for tally in tallies.values()))
        assert outcome.survivors == SITES

    @pytest.mark.filterwarnings("ignore::pets.errors.UnrecordedReleaseWarning")
    @pytest.mark.parametrize("mechanism", NOISY, ids=repr)
    def test_noise_inside_has_the_stated_law(self, name, mechanism):
        pipeline = pets.Pipeline(QUERY, DOMAIN, opening_all(name), mechanism, noise_at="sites", site_bound=100)
        rows = frames()
        release = pipeline.run(rows)
        truth = sum(pipeline.bound.tally(frame).values for frame in rows.values())
        part = release.parts[0]
        statistic, limit = sure(part.values - truth, part.law)
        assert statistic < limit
        assert part.law == pipeline.preview(SITES).error.laws[0]
        assert not isinstance(part.law, NoNoise)
        assert part.law.variance > mechanism.error(pipeline.bound).laws[0].variance

    def test_two_sites_only_with_noise_inside(self, name):
        if name == "verify_before_open":
            pytest.skip("three registries must check")
        two = dict(list(frames().items())[:2])
        exact = pets.Pipeline(QUERY, DOMAIN, opening_all(name), NOISY[0], site_bound=100)
        with pytest.raises(pets.errors.PairingRefused):
            exact.run(two)


class TestPlaces:
    def test_noise_at_the_sites_needs_a_secure_sum(self):
        with pytest.raises(pets.errors.PairingRefused, match="secure sum"):
            pets.Pipeline(QUERY, DOMAIN, pets.Plain(), NOISY[0], noise_at="sites")

    def test_noise_at_the_sites_needs_noise(self):
        with pytest.raises(pets.errors.PairingRefused, match="shares"):
            pets.Pipeline(QUERY, DOMAIN, pets.mpc.MaskedSum(), pets.disclosure.SuppressCells(5), noise_at="sites")

    def test_two_sites_with_noise_inside(self):
        two = dict(list(frames().items())[:2])
        pipeline = pets.Pipeline(
            QUERY, DOMAIN, pets.mpc.MaskedSum(min_sites=2), NOISY[0], noise_at="sites", site_bound=100
        )
        with pytest.warns(pets.errors.UnrecordedReleaseWarning):
            assert len(pipeline.run(two).to_columns()["value"]) == 4000

    def test_honest_sites_follow_from_the_threshold(self):
        pipeline = pets.Pipeline(QUERY, DOMAIN, pets.mpc.MaskedSum(), NOISY[0], noise_at="sites")
        ten = [f"s{number}" for number in range(10)]
        assert pipeline.spec(ten).noise["honest"] == 4
        assert pipeline.spec(SITES).noise["honest"] == 2

    @pytest.mark.parametrize("colluding", [7, 12])
    def test_more_colluding_sites_than_a_total_has(self, colluding):
        pipeline = pets.Pipeline(
            QUERY, DOMAIN, pets.mpc.MaskedSum(), NOISY[0], noise_at="sites", colluding_sites=colluding
        )
        with pytest.raises(pets.errors.InvalidArgument) as caught:
            pipeline.spec([f"s{number}" for number in range(10)])
        assert caught.value.argument == "colluding_sites"

    def test_a_site_over_its_bound_is_refused_before_anything_is_charged(self, tmp_path):
        ledger = pets.Ledger(tmp_path / "budget.sqlite", limit=pets.PureDP(1))
        pipeline = pets.Pipeline(QUERY, DOMAIN, pets.mpc.MaskedSum(), NOISY[0], ledger, noise_at="sites", site_bound=1)
        with pytest.raises(pets.errors.RangeOverflow):
            pipeline.run(frames())
        assert ledger.remaining("default", str(DOMAIN.unit)) == pets.PureDP(1)

    def test_noise_at_the_sites_is_charged_before_it_is_drawn(self, tmp_path, monkeypatch):
        ledger = pets.Ledger(tmp_path / "budget.sqlite", limit=pets.PureDP(1))
        pipeline = pets.Pipeline(QUERY, DOMAIN, pets.mpc.MaskedSum(), NOISY[0], ledger, noise_at="sites")
        seen = []

        def draw(self, *arguments):
            seen.append(ledger.remaining("default", str(DOMAIN.unit)))
            raise RuntimeError("the power fails")

        monkeypatch.setattr(pets.dp.DiscreteLaplace, "noise_share", draw)
        with pytest.raises(RuntimeError):
            pipeline.run(frames())
        assert seen == [pets.PureDP(0)]


class TestSmallCellsInside:
    RULE = pets.disclosure.SuppressCells(5, complementary="none")

    def test_release_is_that_of_the_exact_total(self):
        rows = frames()
        hidden = pets.Pipeline(QUERY, DOMAIN, pets.mpc.VerifyBeforeOpen(minimum=5), self.RULE).run(rows)
        plain = pets.Pipeline(QUERY, DOMAIN, pets.Plain(), self.RULE).run(rows)
        assert all(
            np.array_equal(hidden.to_columns()[column], plain.to_columns()[column], equal_nan=column != "status")
            for column in ("value", "ci_low", "ci_high")
        )
        assert list(hidden.to_columns()["status"]) == list(plain.to_columns()["status"])

    @pytest.mark.parametrize(
        "mechanism", [*NOISY, pets.disclosure.SuppressCells(6), pets.disclosure.SuppressCells(5, zeros="suppress")]
    )
    def test_only_the_same_rule_can_publish_it(self, mechanism):
        with pytest.raises(pets.errors.PairingRefused, match="same minimum"):
            pets.Pipeline(QUERY, DOMAIN, pets.mpc.VerifyBeforeOpen(minimum=5), mechanism)

    def test_hidden_cells_never_leave_the_sum(self):
        pipeline = pets.Pipeline(QUERY, DOMAIN, pets.mpc.VerifyBeforeOpen(minimum=5), self.RULE)
        tallies = {site: pipeline.bound.tally(frame) for site, frame in frames().items()}
        outcome = run_in_process(pipeline.aggregator, pipeline.spec(SITES), tallies).outcome
        total = sum(tally.values for tally in tallies.values())
        small = (total > 0) & (total < 5)
        assert small.any()
        assert np.array_equal(outcome.suppressed, small)
        assert not outcome.total[small].any()
