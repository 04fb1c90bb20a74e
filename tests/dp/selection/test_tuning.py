"""Private tuning: the law of the number of runs, the exact price of the best of them, ledger and refusals."""

from __future__ import annotations

import itertools
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from scipy import stats

import pets
from pets.csprng import InsecureRandom
from pets.dp.selection import Candidate, PrivateTuning, tuning
from pets.errors import BudgetExceeded, InvalidArgument, PairingRefused

BASE = Fraction(3, 2)  # exp(epsilon) of a single run


def laws(outcomes: int = 3):
    """Return pairs of laws on scores 0, 1, 2 whose ratio is at most BASE, many of them exactly so."""
    grid = list(itertools.product(range(1, 6), repeat=outcomes))
    found = [tuple(Fraction(x, sum(w)) for x in w) for w in grid]
    extreme = [(p, q) for p in found for q in found if max(a / b for a, b in zip(p, q, strict=True)) <= BASE]
    close = [(p, q) for p, q in extreme if max(b / a for a, b in zip(p, q, strict=True)) <= BASE]
    different = [pair for pair in close if pair[0] != pair[1]]
    return different[:: max(1, len(different) // 2_000)]


PAIRS = laws()


def best_of(law, generating):
    """Return the law of the best of K runs: P(best <= y) = f(P(one <= y)), f the generating function of K."""
    upto = [sum(law[: i + 1]) for i in range(len(law))]
    values = [generating(u) for u in upto]
    return [values[0], *(b - a for a, b in itertools.pairwise(values))]


def geometric(stop):
    return lambda s: stop * s / (1 - (1 - stop) * s)


def logarithmic(stop):
    return lambda s: (
        mpmath.log1p(-(1 - stop.numerator / mpmath.mpf(stop.denominator)) * s.numerator / s.denominator)
        / (mpmath.log(mpmath.mpf(stop.numerator) / stop.denominator))
    )


def worst(generating):
    pairs = ((best_of(p, generating), best_of(q, generating)) for p, q in PAIRS)
    return max(max(a / b for a, b in zip(p, q, strict=True)) for p, q in pairs)


@pytest.mark.parametrize("stop", [Fraction(1, 2), Fraction(1, 10), Fraction(1, 100)])
def test_price_holds_over_a_thousand_pairs(stop):
    assert len(PAIRS) >= 1000
    assert tuning.PRICE == {"logarithmic": 2, "geometric": 3}
    assert worst(geometric(stop)) <= BASE**3
    with mpmath.workdps(40):
        assert worst(logarithmic(stop)) <= mpmath.mpf(BASE.numerator**2) / BASE.denominator**2


def test_planted_prices_are_seen():
    assert worst(geometric(Fraction(1, 100))) > BASE**2  # the price of the logarithmic law
    assert worst(lambda s: s**10) > BASE**3  # a fixed number of runs


@pytest.mark.parametrize("runs", ["geometric", "logarithmic"])
def test_number_of_runs_has_its_law(runs):
    stop, n, most = Fraction(1, 4), 4_000, 12
    mechanism, source = PrivateTuning(stop, runs), InsecureRandom(insecure_seed=2)
    drawn = np.minimum([mechanism.number(source) for _ in range(n)], most)
    k = np.arange(1, 400)
    weight = 0.75 ** (k - 1) / (k if runs == "logarithmic" else 1)
    law = weight / weight.sum()
    expected = np.append(law[: most - 1], law[most - 1 :].sum()) * n
    assert stats.chisquare(np.bincount(drawn, minlength=most + 1)[1:], expected).pvalue > 1e-6
    assert mechanism.expected_runs() == pytest.approx(float((k * law).sum()), rel=1e-6)


def test_coin_of_a_ratio_is_exact():
    for chance in (Fraction(1, 3), Fraction(3, 4), Fraction(5, 7)):
        bits = (chance.denominator - 1).bit_length()
        results = []
        for word in range(2**bits):
            if word < chance.denominator:
                source = type("One", (), {"bits": lambda self, n, word=word: word})()
                results.append(tuning._bernoulli(chance, source))
        assert Fraction(sum(results), len(results)) == chance


def candidates():
    domain = pets.Domain(sex=["f", "m"], site=["a", "b", "c"])
    queries = [pets.Count(by=["sex"]).bind(domain), pets.Count(by=["sex", "site"]).bind(domain)]
    totals = [pets.Tally(np.full(q.size, 10), q.signature) for q in queries]
    return [Candidate(pets.dp.DiscreteLaplace(1), q, t) for q, t in zip(queries, totals, strict=True)]


def finest(release):
    return release.query.size


def test_best_is_published_at_the_stated_price(tmp_path):
    options, mechanism = candidates(), PrivateTuning("0.05")
    with pets.Ledger(tmp_path / "book.sqlite", limit=pets.PureDP(3)) as ledger:
        release = mechanism.run(options, finest, name="finest", ledger=ledger)
        assert release.guarantee == pets.PureDP(2, unit=options[0].query.domain.unit)
        again = mechanism.run(options, finest, name="finest", ledger=ledger)
        assert again.to_json() == release.to_json()
        with pytest.raises(BudgetExceeded):
            mechanism.run(options, finest, name="other", ledger=ledger)
    seen = [mechanism._best(options, finest, "finest", InsecureRandom(insecure_seed=i)) for i in range(60)]
    fine = sum(r.query.size == options[1].query.size for r in seen)
    assert fine > 35  # half of single runs; more of the best of several


def test_what_does_not_fit_is_refused():
    options = candidates()
    other = pets.Count().bind(pets.Domain(sex=["f"], unit=pets.PrivacyUnit(id="who")))
    with pytest.raises(PairingRefused):
        PrivateTuning("0.1").guarantee([*options, Candidate(pets.dp.DiscreteLaplace(1), other, options[0].total)])
    with pytest.raises(PairingRefused):
        PrivateTuning("0.1").guarantee([Candidate(pets.dp.DiscreteGaussian(rho=1), options[0].query, options[0].total)])
    with pytest.raises(InvalidArgument):
        PrivateTuning("0.1").guarantee([])
    with pytest.raises(InvalidArgument):
        PrivateTuning("0.1").run(options, finest, name="")
    for bad in ((0, "geometric"), (1, "geometric"), ("0.5", "poisson")):
        with pytest.raises(InvalidArgument):
            PrivateTuning(*bad)


def moody(fails):
    """Return a score that fails in another way each time it is to fail, and quotes the release as it does."""
    ways = itertools.cycle(["raise", float("nan"), None, "many", True, object(), float("inf")])

    def score(release):
        if not fails(release):
            return finest(release)
        way = next(ways)
        if way == "raise":
            raise RuntimeError(f"noise {release.parts[0].values}")
        return way

    return score


def test_a_score_that_fails_is_no_free_draw(tmp_path):
    """What failed once stays failed: the answer is stored, nothing is drawn again, and no noise is quoted."""
    drawn = []
    score = moody(lambda release: drawn.append(release) is None)
    options, mechanism = candidates(), PrivateTuning("0.2")
    with pets.Ledger(tmp_path / "book.sqlite", limit=pets.PureDP(3)) as ledger:
        for _ in range(3):
            with pytest.raises(InvalidArgument, match="paid for") as found:
                mechanism.run(options, score, name="moody", ledger=ledger)
            assert found.value.argument == "score" and "noise" not in str(found.value)
            assert found.value.__cause__ is None and found.value.__context__ is None
            once = len(drawn) if len(ledger.entries()) == 3 else 0
        assert once == len(drawn) and ledger.spent() == pets.PureDP(2)
        before = len(drawn)
        with pytest.raises(InvalidArgument, match="paid for"):  # also with a score that would do
            mechanism.run(options, finest, name="moody", ledger=ledger)
        assert len(drawn) == before and [e.kind for e in ledger.entries()] == ["limit", "charge", "answer"]


def test_a_run_without_a_score_never_beats_one_with_a_score():
    options, mechanism = candidates(), PrivateTuning("0.05")
    few = options[0].query.size
    score = moody(lambda release: release.query.size != few)
    for seed in range(40):
        found = mechanism._best(options, score, "moody", InsecureRandom(insecure_seed=seed))
        assert found is None or found.query.size == few
    negative = mechanism._best(options[:1], lambda release: -(10**9), "low", InsecureRandom(insecure_seed=1))
    assert negative is not None


def test_arguments_of_another_kind_are_refused(tmp_path):
    option = candidates()[0]
    mechanism, query, total = option.mechanism, option.query, option.total
    for swapped in ((mechanism, total, query), (query, mechanism, total), (type(mechanism), query, total)):
        with pytest.raises(InvalidArgument):
            Candidate(*swapped)
    with pytest.raises(InvalidArgument, match="score"):
        PrivateTuning("0.1").run([option], "finest", name="finest")
    with pytest.raises(InvalidArgument, match="runs"):
        PrivateTuning("0.1", [])
    with pytest.raises(InvalidArgument, match="candidates"):
        PrivateTuning("0.1").guarantee(3)
    with pytest.raises(InvalidArgument, match="ledger"):
        PrivateTuning("0.1").run([option], finest, name="finest", ledger="book.sqlite")
