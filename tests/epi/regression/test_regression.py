"""Regressions from tables: maximum likelihood without noise, unbiased and with honest errors under noise."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import expit, gammaln

import pets
from pets.datasets import wilms
from pets.epi import hazard_ratios, logistic_regression, poisson_regression
from pets.errors import InvalidArgument, PairingRefused, UnrecordedReleaseWarning

CHILDREN = wilms()
EDGES = [0, 183, 365, 730, 1826, 6300]
DOMAIN = pets.Domain(
    histology=["favourable", "unfavourable"], stage=["I", "II", "III", "IV"], status=["censored", "relapse"],
    age_months=pets.Integer(0, 191, bins=[0, 24, 60, 191]), time=pets.Integer(0, 6300, bins=EDGES),
)  # fmt: skip
OUTCOMES = pets.Count(by=["histology", "stage", "age_months", "status"])
EVENTS = pets.EventTable("time", "status", by=["histology", "stage"])
EXACT = pets.disclosure.SuppressCells(minimum=2, complementary="none")


def release(query, epsilon=None, domain=DOMAIN, rows=CHILDREN):
    """A release with so little noise that it is the truth, or with that of `epsilon`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnrecordedReleaseWarning)
        mechanism = pets.dp.DiscreteLaplace(epsilon=1000 if epsilon is None else epsilon)
        return pets.Pipeline(query, domain, mechanism=mechanism).run({"A": rows})


def dummies(columns):
    frame = pd.DataFrame(columns)
    return np.column_stack([np.ones(len(frame)), pd.get_dummies(frame, drop_first=True, dtype=float).to_numpy()])


def test_logistic_regression_is_maximum_likelihood_on_the_rows():
    found = logistic_regression(release(OUTCOMES), "status", on=["histology", "stage"])
    x, y = dummies(CHILDREN[["histology", "stage"]]), (CHILDREN.status == "relapse").to_numpy(float)
    best = minimize(lambda b: np.logaddexp(0, x @ b).sum() - y @ (x @ b), np.zeros(x.shape[1]), tol=1e-12)
    chance = expit(x @ found.coefficients)
    errors = np.sqrt(np.diag(np.linalg.inv((x.T * (chance * (1 - chance))) @ x)))
    assert np.allclose(found.coefficients, best.x, atol=1e-4)
    assert np.allclose(found.stderr, errors, rtol=1e-6)
    assert found.names == ("intercept", "histology=unfavourable", "stage=II", "stage=III", "stage=IV")


def test_poisson_regression_is_maximum_likelihood_on_the_cells():
    years = np.linspace(500.0, 3000.0, 24).reshape(2, 4, 3)
    query = pets.Count(by=["histology", "stage", "age_months"])
    found = poisson_regression(release(query), years)
    cells = release(query).to_frame()
    x, y, t = dummies(cells[["histology", "stage", "age_months"]]), cells["value"].to_numpy(float), years.ravel()

    def loss(b):
        mean = t * np.exp(x @ b)
        return (mean - y * np.log(mean) + gammaln(y + 1)).sum()

    best = minimize(loss, np.array([-1.0, *np.zeros(x.shape[1] - 1)]), method="BFGS", options={"gtol": 1e-6})
    assert np.allclose(found.coefficients, best.x, atol=1e-4)
    information = (x.T * (t * np.exp(x @ best.x))) @ x
    assert np.allclose(found.stderr, np.sqrt(np.diag(np.linalg.inv(information))), rtol=1e-4)


def test_hazard_ratios_are_near_those_of_cox():
    """R's survival, coxph(Surv(edrel, rel) ~ histol + factor(stage), nwtco): published with the data set."""
    found = hazard_ratios(release(EVENTS))
    assert found.coefficients == pytest.approx([1.582, 0.728, 0.893, 1.277], abs=0.02)
    assert found.stderr == pytest.approx([0.089, 0.12, 0.12, 0.13], abs=0.01)


@pytest.mark.parametrize("edges", [[0, 12, 36, 60], [0, 3, 6, 12, 24, 36, 48, 60]])
def test_hazard_ratios_are_right_however_wide_the_bins(edges):
    """200,000 patients with proportional hazards, some half of whom die in the first wide bin."""
    rng = np.random.default_rng(3)
    group = rng.integers(0, 3, 200_000)
    death = rng.exponential(1 / (0.02 * np.exp(np.array([0.0, 0.6, 1.0])[group])))
    rows = pd.DataFrame(
        {"g": np.array(["a", "b", "c"])[group], "t": np.minimum(death, 60.0), "s": np.where(death < 60, "d", "c")}
    )
    domain = pets.Domain(g=["a", "b", "c"], s=["c", "d"], t=pets.Numeric(0, 60, bins=edges, resolution="0.001"))
    found = hazard_ratios(release(pets.EventTable("t", "s", by=["g"]), domain=domain, rows=rows))
    assert found.coefficients == pytest.approx([0.6, 1.0], abs=4 * found.stderr.max())
    assert found.stderr.max() < 0.01


def test_patients_with_several_rows_count_once_in_the_errors():
    """Both rows of a patient are alike: errors are those of half as many rows."""
    domain = pets.Domain(sex=["f", "m"], s=["c", "d"], unit=pets.PrivacyUnit(id="id", max_rows=2))
    rows = pd.DataFrame({"sex": ["f", "m"] * 40, "s": ["c", "c", "d", "c", "d", "d", "c", "d"] * 10, "id": range(80)})
    query = pets.Count(by=["sex", "s"])
    once = logistic_regression(release(query, domain=pets.Domain(sex=["f", "m"], s=["c", "d"]), rows=rows), "s")
    twice = logistic_regression(release(query, domain=domain, rows=pd.concat([rows, rows])), "s")
    assert twice.stderr == pytest.approx(once.stderr, rel=1e-3)


@pytest.mark.parametrize(
    ("query", "fit"),
    [
        (OUTCOMES, lambda r: logistic_regression(r, "status")),
        (EVENTS, hazard_ratios),
        (pets.Count(by=["histology", "stage"]), lambda r: poisson_regression(r, np.full((2, 4), 900.0))),
    ],
    ids=["logistic", "hazards", "poisson"],
)
def test_noise_leaves_estimates_unbiased_and_is_in_their_errors(query, fit):
    exact = fit(release(query))
    fits = [fit(release(query, epsilon=2)) for _ in range(120)]
    off = np.array([found.coefficients for found in fits]) - exact.coefficients
    stated = np.sqrt(np.mean([found.noise_share * found.stderr**2 for found in fits], axis=0))
    assert np.all(np.abs(off.mean(axis=0)) < 4.5 * stated / np.sqrt(120) + 0.1 * stated)
    assert np.all(np.abs(off.std(axis=0) / stated - 1) < 0.35)


def failures(**options):
    """How many of 30 small, noisy releases have no finite estimate."""
    few, found, failed = CHILDREN.iloc[::20], [], []
    for _ in range(30):
        try:
            found.append(logistic_regression(release(OUTCOMES, epsilon="0.3", rows=few), "status", **options))
        except InvalidArgument as error:
            failed.append(error.argument)
    assert set(failed) <= {"ridge"}
    assert all(np.isfinite(each.coefficients).all() for each in found)
    return len(failed)


def test_a_ridge_rescues_what_noise_makes_impossible():
    assert failures() > 15  # of 30: some 27
    assert failures(ridge=100.0) < 15  # some 3


def test_a_bin_enters_as_its_middle_when_linear():
    found = logistic_regression(release(OUTCOMES), "status", on=["age_months"], linear=["age_months"])
    middle = pd.cut(CHILDREN.age_months, [0, 24, 60, 192], right=False, labels=[12, 42, 125.5]).astype(float)
    x, y = np.column_stack([np.ones(len(middle)), middle]), (CHILDREN.status == "relapse").to_numpy(float)
    best = minimize(lambda b: np.logaddexp(0, x @ b).sum() - y @ (x @ b), np.zeros(2), method="Nelder-Mead", tol=1e-9)
    assert found.names == ("intercept", "age_months")
    assert np.allclose(found.coefficients, best.x, atol=1e-4)


def test_another_reference_turns_the_sign():
    two = {"reference": {"histology": "unfavourable"}, "on": ["histology"]}
    turned = logistic_regression(release(OUTCOMES), "status", **two)
    assert turned.names[1] == "histology=favourable"
    straight = logistic_regression(release(OUTCOMES), "status", on=["histology"])
    assert turned.coefficients[1] == pytest.approx(-straight.coefficients[1])
    other = logistic_regression(release(OUTCOMES), "status", event="censored", on=["histology"])
    assert other.coefficients == pytest.approx(-straight.coefficients)


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("outcome", lambda r: logistic_regression(r, "statsu")),
        ("outcome", lambda r: logistic_regression(r, "stage")),
        ("event", lambda r: logistic_regression(r, "status", event="relaps")),
        ("on", lambda r: logistic_regression(r, "status", on=["status"])),
        ("on", lambda r: logistic_regression(r, "status", on=[])),
        ("reference", lambda r: logistic_regression(r, "status", reference={"stage": "V"})),
        ("linear", lambda r: logistic_regression(r, "status", linear=["stage"])),
        ("ridge", lambda r: logistic_regression(r, "status", ridge=-1)),
        ("ridge", lambda r: logistic_regression(r, "status", ridge=True)),
        ("person_years", lambda r: poisson_regression(r, [1.0])),
        ("person_years", lambda r: poisson_regression(r, "many")),
        ("release", lambda r: logistic_regression(release(EVENTS), "status")),
        ("source", hazard_ratios),
        ("source", lambda r: hazard_ratios(release(pets.EventTable("time", "status")))),
    ],
)
def test_bad_input_names_the_argument(argument, call):
    with pytest.raises(InvalidArgument) as caught:
        call(release(OUTCOMES))
    assert caught.value.argument == argument


def test_hidden_cells_are_refused():
    hidden = pets.Pipeline(OUTCOMES, DOMAIN, mechanism=EXACT).run({"A": CHILDREN})
    with pytest.raises(PairingRefused, match="hides"):
        logistic_regression(hidden, "status")


def test_results_explain_themselves():
    found = hazard_ratios(release(EVENTS, epsilon=1))
    assert "hazard ratios against histology=favourable, stage=I" in found.explain()
    assert list(found.to_frame().index) == list(found.names)
    assert "noise" in repr(found) and "<table>" in found._repr_html_()
    with pytest.raises(InvalidArgument, match="level"):
        found.interval(95)
