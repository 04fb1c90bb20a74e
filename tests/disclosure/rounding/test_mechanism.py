"""Rounding in a pipeline: what is published, what is stated, what is refused."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare

import pets
from pets.disclosure.rounding import ControlledRounding, RandomRounding
from pets.errors import InvalidArgument, PairingRefused
from pets.noise import DiscreteLaplaceLaw, half_width
from pets.noise_rounding import RoundingLaw, RoundingSumLaw, rounding_sum
from pets.tally import Tally

pytestmark = pytest.mark.filterwarnings("ignore::pets.errors.UnrecordedReleaseWarning")

SITES = {"main": {"I": ["Ia", "Ib"], "II": ["IIa", "IIb", "IIc"]}}
DOMAIN = pets.Domain(
    site=pets.Categorical(["Ia", "Ib", "IIa", "IIb", "IIc"], hierarchy=SITES),
    sex=["female", "male"],
    age=["0-4", "5-9", "10-14"],
    impossible=[{"site": "IIc", "sex": "male"}],
)


def rows(n=240, seed=0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    found = pd.DataFrame(
        {
            "site": generator.choice(["Ia", "Ib", "IIa", "IIb", "IIc"], n),
            "sex": generator.choice(["female", "male"], n),
            "age": generator.choice(["0-4", "5-9", "10-14"], n),
        }
    )
    return found[(found["site"] != "IIc") | (found["sex"] == "female")]


def sums(values: np.ndarray) -> list[np.ndarray]:
    """All margins of an array, and the groups I and II of its first axis."""
    margins = [values.sum(axis=tuple(i for i in range(values.ndim) if k >> i & 1)) for k in range(2**values.ndim)]
    return [*margins, values[:2].sum(axis=0), values[2:].sum(axis=0)]


@pytest.mark.parametrize("objective", ["random", "nearest"])
@pytest.mark.parametrize("base", [3, 5])
def test_controlled_rounding_keeps_margins_and_groups_within_a_base(base, objective):
    query = pets.Count(by=["site", "sex"]).bind(DOMAIN)
    truth = query.tally(rows())
    part = ControlledRounding(base, objective).release(truth, query).parts[0]
    values, exact = part.counts(), truth.values[:10].reshape(5, 2)
    assert (values % base == 0).all() and (values[4, 1] == 0).all()
    for rounded, true in zip(sums(values), sums(exact), strict=True):
        assert (np.abs(rounded - true) < base).all()


def test_tables_of_one_query_agree_in_the_margins_they_share():
    query = pets.Marginals([["site", "sex"], ["age", "site"], ["age"], []]).bind(DOMAIN)
    first, second, third, total = ControlledRounding(5).release(query.tally(rows()), query).parts
    site = first.counts().sum(axis=1)
    assert np.array_equal(site, second.counts().sum(axis=0))
    assert np.array_equal(third.counts(), second.counts().sum(axis=1))
    assert total.counts() == site.sum()


def test_a_margin_of_two_attributes_is_shared_whatever_their_order():
    query = pets.Marginals([["site", "age", "sex"], ["age", "site"]]).bind(DOMAIN)
    for seed in range(5):
        whole, part = ControlledRounding(5, steps=2).release(query.tally(rows(seed=seed)), query).parts
        assert np.array_equal(whole.counts().sum(axis=2).T, part.counts())


def test_tables_whose_margins_differ_by_dropped_rows_are_rounded_apart():
    frame = rows()
    frame.loc[frame.index[:7], "age"] = "unknown"
    query = pets.Marginals([["site"], ["age", "site"]]).bind(DOMAIN)
    truth = query.tally(frame)
    first, second = ControlledRounding(5).release(truth, query).parts
    assert (np.abs(first.values - truth.values[: len(first.values)]) < 5).all()
    assert (np.abs(second.values - truth.values[len(first.values) :]) < 5).all()
    assert second.dropped(0.95)[0] in (5, 10)


def test_every_kind_of_table_of_counts_is_rounded():
    domain = pets.Domain(age=pets.Integer(0, 19, bins=[0, 5, 10, 19]), dead=["yes", "no"])
    frame = pd.DataFrame({"age": [1, 2, 3, 7, 8, 18] * 5, "dead": ["yes", "no"] * 15})
    for query in (pets.Histogram("age"), pets.EventTable("age", "dead"), pets.Count()):
        bound = query.bind(domain)
        for mechanism in (RandomRounding(3), ControlledRounding(3)):
            for part in mechanism.release(bound.tally(frame), bound).parts:
                assert (part.values % 3 == 0).all()


@pytest.mark.parametrize("mechanism", [RandomRounding(5), ControlledRounding(5)])
def test_sums_and_means_are_refused(mechanism):
    domain = pets.Domain(age=pets.Integer(0, 19), sex=["f", "m"])
    for query in (pets.Sum("age"), pets.Mean("age", by=["sex"]), pets.Quantiles("age", [0.5])):
        with pytest.raises(PairingRefused):
            pets.Pipeline(query, domain, mechanism=mechanism)


@pytest.mark.parametrize("mechanism", [RandomRounding(5), ControlledRounding(5)])
def test_a_pipeline_says_what_it_promises_and_publishes(mechanism):
    plan = pets.Pipeline(pets.Count(by=["site", "sex"]), DOMAIN, mechanism=mechanism)
    preview = plan.preview()
    assert " of 5 " in preview.guarantee.explain() and "Nothing is proven" in preview.guarantee.explain()
    assert "at most 4 away" in " ".join(preview.error.explain())
    frame = plan.run({"A": rows()}).to_frame()
    truth = rows().groupby(["site", "sex"]).size()
    exact = [truth.get((site, sex), 0) for site, sex in zip(frame["site"], frame["sex"], strict=True)]
    assert (frame["value"] % 5 == 0).all()
    assert ((frame["ci_low"] <= exact) & (exact <= frame["ci_high"])).all()


def test_controlled_rounding_refuses_what_it_cannot_keep():
    domain = pets.Domain(a=["x", "y"], b=["x", "y"], c=["x", "y"])
    query = pets.Count(by=["a", "b", "c"]).bind(domain)
    total = Tally(np.array([1, 1, 1, 0, 1, 0, 0, 0, 0]), query.signature)
    with pytest.raises(InvalidArgument) as caught:
        ControlledRounding(2).release(total, query)
    assert caught.value.argument == "steps"
    wider = ControlledRounding(2, steps=2)
    part = wider.release(total, query).parts[0]
    assert (part.values % 2 == 0).all() and np.abs(part.values - total.values).max() <= 3
    assert wider.error(query).half_width() == (3.0,)
    assert (RandomRounding(2).release(total, query).parts[0].values % 2 == 0).all()


def test_the_law_of_random_rounding_is_the_stated_one_for_every_count():
    query = pets.Count(by=["cell"]).bind(pets.Domain(cell=[f"c{i}" for i in range(20_000)]))
    mechanism = RandomRounding(5)
    model = mechanism.error(query)
    for count in range(1, 8):
        truth = np.full(query.size, count)
        values = mechanism.release(Tally(truth, query.signature), query).parts[0].values
        low = 5 * (count // 5)
        assert set(np.unique(values)) <= {low, low + 5}
        ups = (values == low + 5).sum()
        if count % 5:
            share = (count % 5) / 5
            assert chisquare([ups, query.size - ups], [share * query.size, (1 - share) * query.size]).pvalue > 1e-5
        assert (values - count).std() == pytest.approx(model.stderr(count)[0], rel=0.05, abs=1e-9)
        assert (values == 0).mean() == pytest.approx(model.probability_false_zero(count)[0], abs=0.02)
        assert model.stderr(count)[0] <= model.stderr()[0]


@pytest.mark.parametrize("base", [2, 3, 4, 5, 7, 10, 21])
def test_the_law_for_an_unknown_count_is_that_of_the_worst_count(base):
    law = RoundingLaw(base, base - 1)
    laws = [{-r: (base - r) / base, base - r: r / base} if r else {0: 1.0} for r in range(base)]
    assert law.variance == pytest.approx(max(sum(e * e * p for e, p in each.items()) for each in laws))
    for k in range(base + 2):
        worst = min(sum(p for e, p in each.items() if abs(e) <= k) for each in laws)
        assert law.within(k) == pytest.approx(worst)
        assert law.cdf(k) == pytest.approx(1 - (1 - worst) / 2)
        assert law.cdf(-k - 1) == pytest.approx((1 - worst) / 2)
    assert sum(law.pmf(k) for k in range(-base, base + 1)) == pytest.approx(1)
    assert half_width(law, 0.999999) == base - 1
    assert half_width(RoundingLaw(base, 2 * base - 1, unbiased=False), 0.5) == 2 * base - 1


@pytest.mark.parametrize("base", [2, 3, 4, 5, 10])
@pytest.mark.parametrize("copies", [1, 2, 3, 8, 30])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_intervals_of_sums_cover_whatever_the_counts(base, copies, level):
    """Against the exact law of a sum of errors of one remainder, by convolution."""
    law = rounding_sum([(RoundingLaw(base, base - 1), 1, copies)])
    width = half_width(law, level)
    for rest in range(1, base):
        mass = np.array([1.0])
        for _ in range(copies):
            mass = np.convolve(mass, [(base - rest) / base, *[0] * (base - 1), rest / base])
        errors = np.arange(len(mass)) - copies * rest
        assert mass[np.abs(errors) <= width].sum() >= level - 1e-12
        assert mass @ errors**2 <= copies * law.variance + 1e-9
    assert sum(law.pmf(k) for k in range(-copies * base, copies * base + 1)) == pytest.approx(1)


def test_sums_of_sums_and_of_bounds():
    one, bound = RoundingLaw(5, 4), RoundingLaw(5, 9, unbiased=False)
    assert rounding_sum([(one, 1, 1)]) == one
    assert rounding_sum([(one, -2, 3)]) == RoundingSumLaw(300, 24)
    assert rounding_sum([(RoundingSumLaw(300, 24), 1, 2), (one, 0, 9)]) == RoundingSumLaw(600, 48)
    assert rounding_sum([(one, 1, 1), (bound, 1, 2)]) == RoundingSumLaw(0, 22)
    assert half_width(RoundingSumLaw(0, 22), 0.1) == 22
    with pytest.raises(PairingRefused):
        rounding_sum([(one, 1, 1), (DiscreteLaplaceLaw(Fraction(1)), 1, 1)])
    for wrong in ((-1, 4), (1.0, 4), (True, 4), (1, None)):
        with pytest.raises(InvalidArgument):
            RoundingSumLaw(*wrong)


@pytest.mark.parametrize("wrong", [(1, 0), (5, 4.0), (5, 9), ("5", 4), (5, 4, 1), (True, 4)])
def test_laws_of_the_wrong_form(wrong):
    with pytest.raises(InvalidArgument):
        RoundingLaw(*wrong)


@pytest.mark.parametrize(
    "wrong", [{"base": 1}, {"base": "x"}, {"objective": "best"}, {"steps": 0}, {"time_limit": 0}, {"time_limit": "x"}]
)
def test_mechanisms_of_the_wrong_form(wrong):
    with pytest.raises(InvalidArgument) as caught:
        ControlledRounding(**wrong)
    assert caught.value.argument == next(iter(wrong))
    with pytest.raises(InvalidArgument):
        RandomRounding(base=1)
