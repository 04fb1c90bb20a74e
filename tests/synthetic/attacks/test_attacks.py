"""Attacks find what is there, and nothing where there is nothing."""

from __future__ import annotations

import json
import math
from itertools import product

import numpy as np
import pandas as pd
import pytest

import pets
from pets.errors import DataError, InvalidArgument
from pets.synthetic.attacks import advantage_bound, attack, guessing, true_positive_bound
from pets.synthetic.attacks.membership import rare_rows, scores
from pets.synthetic.attacks.rates import excess, over_repeats, wilson
from pets.synthetic.attacks.report import SIMILARITY
from tests.synthetic.cohorts import DOMAIN, cohort

ROWS = cohort(600, 5)


class Model:
    def __init__(self, frame, guarantee):
        self.frame, self.guarantee = frame, guarantee

    def sample(self, n):
        return self.frame


class Copy:
    """Publishes the rows."""

    def __init__(self, guarantee=None):
        self.guarantee = guarantee or pets.NoFormalGuarantee("it copies")

    def fit(self, frame, domain):
        return Model(frame, self.guarantee)


class Blind:
    """Never looks at the rows."""

    def __init__(self):
        self.fits = 0

    def fit(self, frame, domain):
        self.fits += 1
        return Model(cohort(300, 1000 + self.fits), pets.PureDP(0))


class KeepsTheRare:
    """Publishes made-up rows, and every real one of a planted group."""

    def fit(self, frame, domain):
        fresh = cohort(len(frame), np.random.default_rng().integers(10**6))
        planted = frame[frame.site == "bone"]
        return Model(pd.concat([fresh[fresh.site != "bone"], planted]), pets.NoFormalGuarantee("a test"))


@pytest.fixture(scope="module")
def copied():
    return attack(Copy(), ROWS, DOMAIN, fits=8, tries=80, seed=1)


@pytest.fixture(scope="module")
def blind():
    return attack(Blind(), ROWS, DOMAIN, fits=16, tries=80, seed=1)


def value(report, name, rows="all rows", measure=""):
    return next(f for f in report[name] if f.rows == rows and measure in f.measure)


def test_every_attack_finds_a_copy(copied):
    assert value(copied, "membership", "rare rows", "advantage").value > 0.9
    assert value(copied, "membership", "rare rows", "TPR").value > 0.8
    assert value(copied, "exact copies of unique rows").value > 0.99
    assert all(f.works for f in copied.findings if "all rows" in f.rows and not f.attack.startswith("inference"))
    assert sum(f.works for f in copied["inference"]) > 10
    assert not copied.broken


def test_no_attack_finds_anything_where_nothing_was_read(blind):
    membership = value(blind, "membership", measure="advantage")
    assert abs(membership.value) < 0.04 and membership.high - membership.low < 0.06
    # 28 intervals at 95 %: more than five that miss chance would happen once in 400 times.
    assert sum(f.works for f in blind.findings) <= 5
    assert value(blind, "distance").low < 0.5 < value(blind, "distance").high


def test_planted_rare_patients_are_found_apart_from_the_others():
    report = attack(KeepsTheRare(), ROWS, DOMAIN, fits=8, tries=60, seed=2)
    rare, everyone = (value(report, "exact copies of unique rows", rows) for rows in ("rare rows", "all rows"))
    assert rare.value > everyone.value + 0.05 and rare.works  # some 0.2 more, with a standard error of 0.07
    rare, everyone = (value(report, "membership", rows, "advantage") for rows in ("rare rows", "all rows"))
    assert rare.value > everyone.value + 0.15 and rare.works


def test_a_false_claim_is_named():
    report = attack(Copy(pets.ApproxDP(1, "1e-5")), ROWS, DOMAIN, fits=4, tries=40, seed=1)
    assert report.broken and "the claim is wrong" in report.explain()
    assert "ABOVE THE PROVEN BOUND" in report._repr_html_()


def test_distance_is_called_similarity_and_never_counts(copied):
    (found,) = copied["distance"]
    assert SIMILARITY in found.attack and found.reading == SIMILARITY and found not in copied.working


def test_the_report_is_internal_data_and_a_picture(copied):
    assert copied.to_frame().attrs["internal"] and "Internal" in copied._repr_html_()
    data = json.loads(json.dumps(copied.to_dict(), allow_nan=False))
    assert data["internal"] and len(data["findings"]) == len(copied.findings)
    assert len(copied.plot().get_yticks()) == len(copied.findings)


@pytest.mark.parametrize("arguments", [{"fits": 5}, {"fits": 2}, {"tries": 0}, {"secrets": ["x"]}, {"seed": -1}])
def test_wrong_arguments(arguments):
    with pytest.raises(InvalidArgument):
        attack(Copy(), ROWS, DOMAIN, **arguments)


def test_too_few_rows_and_strange_frames():
    with pytest.raises(DataError):
        attack(Copy(), ROWS.head(10), DOMAIN)
    for frame in ("rows", ROWS.assign(more=1)):
        with pytest.raises(InvalidArgument):
            attack(Copy(), frame, DOMAIN)


# The parts


def test_scores_do_not_see_the_other_half_of_a_pair():
    """Samples that differ by who is in them, but not by the target: the pair would tell, so it is left out."""
    rng = np.random.default_rng(0)
    inside = np.zeros((16, 400), dtype=bool)
    found = np.empty((16, 400, 2))
    for k in range(0, 16, 2):
        inside[k] = rng.random(400) < 0.5
        inside[k + 1] = ~inside[k]
        drift = rng.normal(size=(400, 2))
        found[k], found[k + 1] = drift, -drift  # opposite for the two of a pair, whoever is in
    score = scores(found, inside)
    gap = (score > 0)[inside].mean() - (score > 0)[~inside].mean()
    assert abs(gap) < 0.04


def test_scores_find_a_shift():
    rng = np.random.default_rng(0)
    inside = np.zeros((16, 400), dtype=bool)
    inside[::2] = rng.random((8, 400)) < 0.5
    inside[1::2] = ~inside[::2]
    found = rng.normal(size=(16, 400, 2)) + 2.0 * inside[:, :, None]
    score = scores(found, inside)
    gap = (score > 0)[inside].mean() - (score > 0)[~inside].mean()
    assert gap > 0.75  # the best possible: 2 Phi(sqrt 2) - 1 = 0.84


def test_rare_rows_are_those_of_the_planted_kind():
    codes = np.zeros((4, 200), dtype=np.int64)
    codes[:, :7] = 1
    chosen = rare_rows(codes, (2, 2, 2, 2))
    assert chosen[:7].all() and chosen.sum() == 10


def test_copies_by_hand():
    sample = np.array([[0, 1, 2]])
    whole, unique = guessing.copies(sample, np.array([[0, 0, 5]]), np.array([[2, 7, 8]]))
    assert (whole.member_hits, whole.member_tries, whole.other_hits) == (2, 3, 1)
    assert (unique.member_hits, unique.member_tries, unique.other_hits) == (0, 1, 1)


def test_distances_by_hand():
    found = guessing.distances(np.array([[0, 1], [0, 4]]), np.array([[0], [2]]), np.array([0.0, 4.0]))
    assert found.ravel() == pytest.approx([0.5, 1.5])


def test_singling_out_needs_exactly_one():
    from pets.csprng import random_source

    sample = np.array([[0, 1], [0, 1]])
    alone, twice = np.array([[0, 1, 5], [0, 1, 5]]), np.array([[0, 0, 1, 1], [0, 0, 1, 1]])
    assert guessing.singling_out(sample, alone, alone, 20, random_source(1)).member_hits == 20
    assert guessing.singling_out(sample, twice, twice, 20, random_source(1)).member_hits == 0


def test_wilson_and_newcombe_as_published():
    found = wilson(81, 263)
    assert (found.low, found.high) == pytest.approx((0.2553, 0.3662), abs=1e-4)  # Newcombe 1998a, table I
    difference = excess(wilson(56, 70), wilson(48, 80))
    assert (difference.low, difference.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)  # Newcombe 1998b
    assert wilson(0, 0).high == 1.0 and math.isnan(wilson(0, 0).value)


def test_repeats_cover():
    rng = np.random.default_rng(0)
    found = [over_repeats(rng.normal(0.3, 0.1, 8), -1, 1) for _ in range(2000)]
    assert 0.93 < np.mean([e.low <= 0.3 <= e.high for e in found]) < 0.97


# What a guarantee proves


@pytest.mark.parametrize(("epsilon", "delta"), [(0.1, 0), (1, 0), (1, 1e-5), (3, 1e-2)])
def test_bounds_are_reached_by_the_worst_mechanism_and_by_no_more(epsilon, delta):
    """The pair of laws that dominates all (epsilon, delta)-DP ones has four outcomes; every test of it is tried."""
    keep = (1 - delta) * math.exp(epsilon) / (1 + math.exp(epsilon))
    inside, outside = [delta, keep, 1 - delta - keep, 0.0], [0.0, 1 - delta - keep, keep, delta]
    best = max(
        sum((p - q) * s for p, q, s in zip(inside, outside, test, strict=True)) for test in product((0, 1), repeat=4)
    )
    claim = pets.ApproxDP(epsilon, delta) if delta else pets.PureDP(epsilon)
    assert advantage_bound(claim) == pytest.approx(best, rel=1e-9)
    ratio = keep / (1 - delta - keep)
    assert true_positive_bound(claim, 0.01) == pytest.approx(min(delta + 0.01 * ratio, 1), rel=1e-6)


def test_zero_concentrated_claims_are_bounded_above_the_gaussian_truth():
    from scipy.special import ndtr, ndtri

    for rho in (0.001, 0.05, 0.5):
        mu = math.sqrt(2 * rho)
        truth, reached = 2 * ndtr(mu / 2) - 1, ndtr(ndtri(0.01) + mu)
        assert truth <= advantage_bound(pets.ZeroConcentratedDP(rho)) <= min(1, 4 * truth + 0.02)
        assert reached <= true_positive_bound(pets.ZeroConcentratedDP(rho)) <= 1


def test_without_a_promise_everything_is_possible():
    nothing = pets.NoFormalGuarantee("a test")
    assert advantage_bound(nothing) == 1 and true_positive_bound(nothing) == 1
    assert true_positive_bound(pets.PureDP(0), 0.01) == pytest.approx(0.01)
    with pytest.raises(InvalidArgument):
        true_positive_bound(nothing, 2)
