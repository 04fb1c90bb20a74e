"""Curves and hazard ratios against the definitions, and against lifelines where it is installed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.synthetic.fidelity.clocks import overlap
from pets.synthetic.fidelity.metric import NotComputableError
from pets.synthetic.fidelity.prediction import auc, logistic
from pets.synthetic.fidelity.survival import Cox, cox, kaplan_meier, log_rank, restricted_mean


def rows(n=120, seed=0, ties=True):
    rng = np.random.default_rng(seed)
    x = np.stack([rng.normal(size=n), (rng.random(n) < 0.3).astype(float)], axis=1)
    time, end = rng.exponential(np.exp(-x @ [0.5, -0.7])), rng.exponential(2, n)
    observed = np.minimum(time, end)
    return x, np.ceil(observed * 8) / 8 if ties else observed, time < end


def by_definition(time, event, at):
    alive = 1.0
    for t in sorted({t for t, e in zip(time, event, strict=True) if e and t <= at}):
        deaths = sum(e and u == t for u, e in zip(time, event, strict=True))
        alive *= 1 - deaths / sum(u >= t for u in time)
    return alive


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=15))
def test_the_curve_is_the_product_limit(pairs):
    time, event = np.array([float(t) for t, _ in pairs]), np.array([e for _, e in pairs])
    curve = kaplan_meier(time, event)
    for at in (0.5, 1, 2.5, 3, 6, 9):
        assert curve.at(np.array([at]))[0] == pytest.approx(by_definition(time, event, at))


def test_the_restricted_mean_is_the_area_and_its_error_that_of_a_jackknife():
    _, time, event = rows(300)
    area, stderr = restricted_mean(kaplan_meier(time, event), 1.5)
    grid = (np.arange(30_000) + 0.5) / 20_000
    assert area == pytest.approx(kaplan_meier(time, event).at(grid).mean() * 1.5, abs=1e-3)
    left_out = [restricted_mean(kaplan_meier(np.delete(time, i), np.delete(event, i)), 1.5)[0] for i in range(300)]
    assert stderr == pytest.approx(np.std(left_out) * np.sqrt(299), rel=0.05)


def efron(beta, x, time, event):
    """Return minus the log partial likelihood, term by term."""
    total = 0.0
    for t in np.unique(time[event]):
        dying, risk = event & (time == t), time >= t
        all_of, part = np.exp(x[risk] @ beta).sum(), np.exp(x[dying] @ beta).sum()
        d = dying.sum()
        total += (x[dying] @ beta).sum() - sum(np.log(all_of - k / d * part) for k in range(d))
    return -total


@pytest.mark.parametrize("ties", [True, False])
def test_coefficients_maximise_efrons_likelihood(ties):
    from scipy.optimize import minimize

    x, time, event = rows(ties=ties)
    found = cox(x, time, event)
    best = minimize(efron, np.zeros(2), args=(x, time, event), tol=1e-12)
    assert found.coefficients == pytest.approx(best.x, abs=1e-4)
    step, eye = 1e-4, np.eye(2)
    f = lambda b: efron(b, x, time, event)  # noqa: E731
    hessian = [
        [(f(best.x + step * (a + b)) - f(best.x + step * a) - f(best.x + step * b) + f(best.x)) / step**2 for a in eye]
        for b in eye
    ]
    assert found.stderr == pytest.approx(np.sqrt(np.diag(np.linalg.inv(hessian))), rel=5e-3)


def test_lifelines_agrees():
    lifelines = pytest.importorskip("lifelines")
    import pandas as pd

    x, time, event = rows(500)
    frame = pd.DataFrame(x, columns=["a", "b"]).assign(T=time, E=event)
    theirs, ours = lifelines.CoxPHFitter().fit(frame, "T", "E"), cox(x, time, event)
    assert ours.coefficients == pytest.approx(theirs.params_.to_numpy(), abs=1e-5)
    assert ours.stderr == pytest.approx(theirs.standard_errors_.to_numpy(), rel=1e-4)


def test_what_cannot_be_fitted_says_so():
    x, time, event = rows()
    for features, happened, word in (
        (x, np.zeros_like(event), "no event"),
        (np.c_[x, np.ones(len(x))], event, "never varies"),
        (np.c_[x, x[:, 0] * 2 + 1], event, "linearly"),
        (np.c_[x, event], event, "separates"),
    ):
        with pytest.raises(NotComputableError, match=word):
            cox(features, time, happened, ["a", "b", "c"])
    with pytest.raises(NotComputableError):
        kaplan_meier(np.array([]), np.array([], dtype=bool))


def test_overlap_of_intervals_by_hand():
    half = 1.959963984540054
    first = Cox(np.array([0.0, 0.0, 0.0]), np.array([1.0, 1.0, 1.0]))
    second = Cox(np.array([0.0, half, 9.0]), np.array([1.0, 1.0, 1.0]))
    assert overlap(first, second) == pytest.approx([1.0, 0.5, 0.0])


def test_area_under_the_curve_counts_pairs():
    rng = np.random.default_rng(1)
    score, hit = rng.integers(0, 6, 40).astype(float), rng.random(40) < 0.4
    pairs = [(a > b) + (a == b) / 2 for a in score[hit] for b in score[~hit]]
    assert auc(score, hit) == pytest.approx(np.mean(pairs))


def test_the_regression_has_a_zero_gradient():
    rng = np.random.default_rng(1)
    x = np.c_[np.ones(200), rng.normal(size=(200, 2))]
    y = rng.random(200) < 1 / (1 + np.exp(-x[:, 1]))
    beta = logistic(x, y)
    gradient = x.T @ (y - 1 / (1 + np.exp(-x @ beta))) - np.array([1e-6, 1, 1]) * beta
    assert np.abs(gradient).max() < 1e-5


def test_the_log_rank_test_is_that_of_scipy_and_of_its_definition():
    from scipy import stats

    x, time, event = rows(160, seed=4)
    group = x[:, 1] > 0
    sample = [stats.CensoredData.right_censored(time[chosen], ~event[chosen]) for chosen in (group, ~group)]
    found = log_rank(time, event, group)
    assert abs(found) == pytest.approx(abs(stats.logrank(*sample).statistic), rel=1e-9)
    score = variance = 0.0
    for t in np.unique(time[event]):
        risk, dying = time >= t, event & (time == t)
        n, mine, d = risk.sum(), (risk & group).sum(), dying.sum()
        score += (dying & group).sum() - d * mine / n
        variance += d * mine * (n - mine) * (n - d) / (n * n * max(n - 1, 1))
    assert found == pytest.approx(score / variance**0.5)
    with pytest.raises(NotComputableError):
        log_rank(time, event, np.zeros(160, dtype=bool))
