"""Training in rounds against the maximum-likelihood fit of the pooled rows, and what the ledger sees of it."""

from __future__ import annotations

import warnings
from fractions import Fraction
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pets
from pets.datasets import wilms
from pets.dp import DiscreteGaussian
from pets.errors import BudgetExceeded, DataError, InvalidArgument
from pets.guarantee import ZeroConcentratedDP
from pets.training import train_logistic
from pets.training.features import features_of
from pets.training.logistic import SHARES, _first_step, rounds
from pets.training.moments import information_of, score_of
from pets.training.tables import RoundTables

pytestmark = pytest.mark.filterwarnings("ignore::pets.errors.UnrecordedReleaseWarning")

DOMAIN = pets.Domain(
    histology=["favourable", "unfavourable"],
    stage=["I", "II", "III", "IV"],
    status=["censored", "relapse"],
    age_months=pets.Integer(0, 191, bins=[0, 12, 24, 36, 48, 72, 191]),
)
COVARIATES = ["histology", "stage", "age_months"]
EXACT = "1000000"


def maximum_likelihood(rows: np.ndarray, ill: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Newton's method on the pooled rows, written here and nowhere else."""
    beta = np.zeros(rows.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-rows @ beta))
        information = (rows.T * (chance * (1 - chance))) @ rows
        beta = beta + np.linalg.solve(information, rows.T @ (ill - chance))
    return beta, np.sqrt(np.diag(np.linalg.inv(information)))


def children() -> pd.DataFrame:
    return wilms()


def design(frame: pd.DataFrame, *, linear: bool) -> np.ndarray:
    columns = [np.ones(len(frame)), frame.histology == "unfavourable"]
    columns += [frame.stage == stage for stage in ("II", "III", "IV")]
    if linear:
        columns.append(frame.age_months)
    else:
        group = np.digitize(frame.age_months, [12, 24, 36, 48, 72])
        columns += [group == i for i in range(1, 6)]
    return np.column_stack(columns).astype(float)


@pytest.mark.parametrize("linear", [True, False])
def test_without_noise_it_is_the_pooled_fit(linear: bool) -> None:
    frame = children()
    sites = {f"site {i}": frame.iloc[i::3] for i in range(3)}
    fit = train_logistic(
        sites, DOMAIN, "status", COVARIATES, rho=EXACT, linear=["age_months"] if linear else [],
        aggregator=pets.mpc.MaskedSum(), noise_at="sites",
    )  # fmt: skip
    beta, stderr = maximum_likelihood(design(frame, linear=linear), (frame.status == "relapse").to_numpy(float))
    # Noise so small moves nothing by a hundredth of a standard error; averaging keeps some of the approach.
    assert np.abs(fit.coefficients - beta).max() < 0.05 * stderr.max()
    assert np.allclose(fit.stderr, stderr, rtol=0.03)
    assert fit.weak == 0 and fit.last_step.max() < 0.1
    assert fit.names[:2] == ("intercept", "histology=unfavourable")


def test_event_reference_and_ridge() -> None:
    frame = children()
    other = train_logistic(
        {"a": frame}, DOMAIN, "status", ["histology", "stage"], rho=EXACT, event="censored",
        reference={"stage": "IV"},
    )  # fmt: skip
    plain = train_logistic({"a": frame}, DOMAIN, "status", ["histology", "stage"], rho=EXACT)
    at = dict(zip(other.names, other.coefficients, strict=True))
    base = dict(zip(plain.names, plain.coefficients, strict=True))
    assert at["histology=unfavourable"] == pytest.approx(-base["histology=unfavourable"], abs=0.02)
    assert at["stage=I"] == pytest.approx(base["stage=IV"], abs=0.02)
    drawn = train_logistic({"a": frame}, DOMAIN, "status", ["histology", "stage"], rho=EXACT, ridge=1000)
    assert np.abs(drawn.coefficients[1:]).max() < 0.5 * np.abs(plain.coefficients[1:]).max()


def test_one_number_and_nothing_else() -> None:
    generator = np.random.default_rng(5)
    frame = pd.DataFrame({"dose": generator.integers(0, 101, 4000) / 10})
    ill = generator.random(4000) < 1 / (1 + np.exp(2 - 0.3 * frame.dose))
    frame["ill"] = np.where(ill, "yes", "no")
    domain = pets.Domain(dose=pets.Numeric(0, 10, resolution="0.1"), ill=["no", "yes"])
    fit = train_logistic({"a": frame}, domain, "ill", ["dose"], rho=EXACT, linear=["dose"])
    beta, stderr = maximum_likelihood(np.column_stack([np.ones(4000), frame.dose]), ill.astype(float))
    assert np.abs(fit.coefficients - beta).max() < 0.05 * stderr.max()


def test_with_noise_errors_are_as_large_as_it_says() -> None:
    """20 fits at a budget whose noise dominates: squared errors over stated variances average to about 1."""
    frame = children()
    beta, stderr = maximum_likelihood(design(frame, linear=True), (frame.status == "relapse").to_numpy(float))
    ratios = []
    for _ in range(20):
        fit = train_logistic({"a": frame}, DOMAIN, "status", COVARIATES, rho="0.5", linear=["age_months"])
        of_noise = np.diag(fit.covariance) * fit.noise_share
        ratios.append((fit.coefficients - beta) ** 2 / of_noise)
    # The mean of some 120 chi-squares has a standard error of 0.13, or 0.2 if they hang together.
    assert 0.4 < np.mean(ratios) < 2.2
    assert stderr.max() < 0.5


def test_the_ledger_is_charged_the_whole_budget(tmp_path) -> None:  # type: ignore[no-untyped-def]
    ledger = pets.Ledger(tmp_path / "ledger.sqlite", limit=ZeroConcentratedDP(1))
    heard: list[tuple[str, int, int]] = []
    fit = train_logistic(
        {"a": children()}, DOMAIN, "status", ["histology", "stage"], rho="0.5", ledger=ledger,
        progress=lambda *step: heard.append(step),
    )  # fmt: skip
    assert fit.guarantee.rho == Fraction(1, 2)
    assert sum(SHARES) == 1
    assert ledger.spent().rho == Fraction(1, 2)
    assert [number for _, number, _ in heard] == list(range(1, len(SHARES) + 1))
    assert heard[0][0] == "weights" and heard[1][0] == "scores"
    again = train_logistic({"a": children()}, DOMAIN, "status", ["histology", "stage"], rho="0.5", ledger=ledger)
    assert np.array_equal(again.coefficients, fit.coefficients)
    assert ledger.spent().rho == Fraction(1, 2)
    anew = train_logistic(
        {"a": children()}, DOMAIN, "status", ["histology", "stage"], rho="0.5", ledger=ledger, repeat="b"
    )
    assert not np.array_equal(anew.coefficients, fit.coefficients)
    assert ledger.spent().rho == 1


def test_a_training_that_cannot_be_paid_to_its_end_is_not_begun(tmp_path) -> None:  # type: ignore[no-untyped-def]
    ledger = pets.Ledger(tmp_path / "ledger.sqlite", limit=ZeroConcentratedDP("0.49"))
    with pytest.raises(BudgetExceeded):
        train_logistic({"a": children()}, DOMAIN, "status", ["histology"], rho="0.5", ledger=ledger)
    assert ledger.spent().rho == 0


def test_an_interrupted_training_goes_on_at_no_cost(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    ledger = pets.Ledger(tmp_path / "ledger.sqlite", limit=ZeroConcentratedDP("0.5"))
    arguments = ({"a": children()}, DOMAIN, "status", ["histology", "stage"])

    def stop(what: str, number: int, _: int) -> None:
        if number == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_logistic(*arguments, rho="0.5", ledger=ledger, progress=stop)
    assert ledger.spent().rho == Fraction(1, 2) * sum(SHARES[:4])
    fit = train_logistic(*arguments, rho="0.5", ledger=ledger)
    assert ledger.spent().rho == Fraction(1, 2)
    assert np.isfinite(fit.coefficients).all()


@settings(max_examples=25, deadline=None)
@given(
    beta=st.lists(st.floats(-30, 30), min_size=6, max_size=6),
    kind=st.sampled_from(["score", "weight"]),
    rows=st.lists(
        st.tuples(st.sampled_from(["favourable", "unfavourable"]), st.sampled_from(["I", "II", "III", "IV"]),
                  st.integers(0, 191), st.sampled_from(["censored", "relapse"])),
        min_size=1, max_size=4,
    ),
)  # fmt: skip
def test_one_row_moves_the_tables_by_no_more_than_the_sensitivity(beta, kind, rows) -> None:  # type: ignore[no-untyped-def]
    features = features_of(DOMAIN, "status", COVARIATES, None, ["age_months"], None)
    tables = RoundTables(features, kind)
    frame = pd.DataFrame(rows, columns=["histology", "stage", "age_months", "status"])
    bound = tables.query.bind(tables.domain)
    with_it = bound.tally(tables.derive(frame, np.array(beta))).values
    without = bound.tally(tables.derive(frame.iloc[1:], np.array(beta))).values
    start = 0
    for block, sensitivity in zip(bound.blocks, bound.sensitivities, strict=True):
        moved = (with_it - without)[start : start + block.size]
        assert int((moved**2).sum()) <= sensitivity.l2_squared
        start += block.size


def test_the_sensitivity_is_reached() -> None:
    """A bound that nothing reaches would waste noise: an extreme row moves each score table by all of it."""
    features = features_of(DOMAIN, "status", COVARIATES, None, ["age_months"], None)
    tables = RoundTables(features, "score")
    row = pd.DataFrame({"histology": ["favourable"], "stage": ["I"], "age_months": [191], "status": ["relapse"]})
    bound = tables.query.bind(tables.domain)
    moved = bound.tally(tables.derive(row, np.array([-40.0, 0, 0, 0, 0, 0]))).values
    assert int((moved.astype(object) ** 2).sum()) == bound.sensitivity.l2_squared


def test_rows_of_one_patient_count_together() -> None:
    unit = pets.PrivacyUnit("child", max_rows=2)
    domain = DOMAIN.with_unit(unit)
    frame = pd.DataFrame(
        {"histology": ["favourable"] * 5, "stage": ["I"] * 5, "age_months": [3] * 5, "status": ["relapse"] * 5,
         "child": ["a"] * 4 + ["b"]}
    )  # fmt: skip
    tables = RoundTables(features_of(domain, "status", ["stage"], None, [], None), "score")
    bound = tables.query.bind(tables.domain)
    assert bound.tally(tables.derive(frame, np.zeros(4))).values[0] == 3 * 2**15  # two rows of a, one of b, 1/2 each
    assert bound.sensitivity.l2_squared == (2 * 2**16) ** 2


@pytest.mark.parametrize("event", ["relapse", "censored"])
def test_rows_beyond_the_bound_are_chosen_whatever_their_outcome(event: str) -> None:
    """Every child has one row with the event and one without; half of the rows that are kept have it."""
    domain = DOMAIN.with_unit(pets.PrivacyUnit("child", max_rows=1))
    frame = pd.DataFrame(
        {"child": np.repeat(np.arange(600), 2), "histology": "favourable", "stage": "I", "age_months": 3,
         "status": ["censored", "relapse"] * 600}
    )  # fmt: skip
    tables = RoundTables(features_of(domain, "status", ["stage"], event, [], None), "score")
    derived = tables.derive(frame, np.zeros(4))
    assert derived.child.tolist() == list(range(600))
    assert abs(float(derived["score"].sum())) < 4.5 * 0.5 * 600**0.5


def test_the_same_rows_are_kept_in_every_round_and_by_every_engine() -> None:
    polars = pytest.importorskip("polars")
    rng = np.random.default_rng(4)
    frame = children().iloc[:600].assign(child=rng.choice([*range(80), None], 600))
    domain = DOMAIN.with_unit(pets.PrivacyUnit("child", max_rows=3))
    features = features_of(domain, "status", COVARIATES, None, ["age_months"], None)
    scores, weights = RoundTables(features, "score"), RoundTables(features, "weight")
    kept = [
        tables.derive(rows, np.array(beta)).astype({"child": float}).sort_values(["child", "stage", "histology"])
        for tables in (scores, weights)
        for beta in ([0.0] * 6, [-9.0, 3, 1, -1, 2, 5])
        for rows in (frame, polars.from_pandas(frame.sample(frac=1, random_state=1)))
    ]
    assert kept[0].groupby("child", dropna=False).size().max() == 3 and kept[0].child.isna().sum() == 3
    names = ["child", "stage", "histology"]
    for other in kept[1:]:
        assert np.array_equal(other[names].to_numpy(), kept[0][names].to_numpy(), equal_nan=True)


def test_columns_whose_names_run_together() -> None:
    """Products are named after their factors: those of a and b, and an attribute called 'a x b', stay apart."""
    rng = np.random.default_rng(6)
    frame = pd.DataFrame({name: rng.integers(0, 11, 2000) for name in ("a", "b", "a x b")})
    linear = -1 + 0.2 * frame.a - 0.1 * frame.b + 0.1 * frame["a x b"]
    frame["ill"] = np.where(rng.random(2000) < 1 / (1 + np.exp(-linear)), "yes", "no")
    names = ["a", "b", "a x b"]
    domain = pets.Domain({name: pets.Integer(0, 10) for name in names}, ill=["no", "yes"])
    fit = train_logistic({"s": frame}, domain, "ill", names, rho=EXACT, linear=names)
    beta, stderr = maximum_likelihood(
        np.column_stack([np.ones(2000), frame[names]]), (frame.ill == "yes").to_numpy(float)
    )
    assert np.abs(fit.coefficients - beta).max() < 0.05 * stderr.max()


def test_a_round_cut_short_after_its_charge_is_not_paid_twice(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    ledger = pets.Ledger(tmp_path / "ledger.sqlite", limit=ZeroConcentratedDP("0.5"))
    arguments = ({"a": children()}, DOMAIN, "status", ["histology"])
    publish, numbers = pets.Pipeline._publish, iter(range(1, 100))

    def cut_short(self, *given):  # type: ignore[no-untyped-def]
        if next(numbers) in (3, len(SHARES) + 1):  # the third, and the last one of the second attempt
            raise KeyboardInterrupt
        return publish(self, *given)

    monkeypatch.setattr(pets.Pipeline, "_publish", cut_short)
    for paid in (sum(SHARES[:3]), 1):
        with pytest.raises(KeyboardInterrupt):
            train_logistic(*arguments, rho="0.5", ledger=ledger)
        assert ledger.spent().rho == Fraction(1, 2) * paid
    train_logistic(*arguments, rho="0.5", ledger=ledger)
    assert ledger.spent().rho == Fraction(1, 2)


def test_an_error_at_a_site_names_the_site() -> None:
    with pytest.raises(DataError) as caught:
        train_logistic({"FR": children(), "NL": children()[["stage"]]}, DOMAIN, "status", ["stage"], rho=1)
    assert "'NL'" in caught.value.__notes__[0]


def test_weak_directions_are_named_and_their_intervals_are_wide() -> None:
    frame = children().iloc[:60]
    fit = train_logistic({"a": frame}, DOMAIN, "status", COVARIATES, rho="0.005")
    assert fit.weak > 0
    assert "noise outweighed the information" in repr(fit)
    assert fit.stderr.max() > 1


def test_where_nothing_is_learnt_the_approach_is_undone() -> None:
    """The first noisy steps went off by 5 where the information is weak, and stayed there, outside of the intervals."""
    features = features_of(DOMAIN, "status", COVARIATES, None, ["age_months"], None)
    talk = rounds(features, Fraction(1, 500), 0.0)
    turn, answers, asked = next(talk), [], []
    for number in range(1, len(SHARES)):
        answer = pets.Pipeline(turn.tables.query, turn.tables.domain, None, DiscreteGaussian(turn.share / 500)).run(
            {"a": turn.tables.derive(children().iloc[:400], turn.beta)}
        )
        answers.append(answer)
        asked.append(turn.beta)
        assert turn.number == number
        turn = talk.send(answer)
    weights, scores = RoundTables(features, "weight"), RoundTables(features, "score")
    weak = information_of(answers[4], weights).weak
    assert weak.shape[1] > 0
    _, odds, _ = _first_step(information_of(answers[0], weights), score_of(answers[1], scores), np.zeros(6))
    assert np.abs(weak.T @ (asked[4] - odds)).max() > 0.01  # the approach led somewhere
    assert weak.T @ (asked[5] - odds) == pytest.approx(0, abs=1e-5)  # coefficients are asked for on a grid
    strong = np.eye(6) - weak @ weak.T
    assert strong @ (asked[5] - asked[4]) == pytest.approx(0, abs=1e-5)  # coefficients are asked for on a grid


def test_engines_and_splits_agree() -> None:
    polars = pytest.importorskip("polars")
    frame = children()
    tables = RoundTables(features_of(DOMAIN, "status", COVARIATES, None, ["age_months"], None), "weight")
    bound, beta = tables.query.bind(tables.domain), np.array([-2.0, 1, 0.5, 0.5, 1, 0.3])
    whole = bound.tally(tables.derive(frame, beta)).values
    parts = sum(bound.tally(tables.derive(polars.from_pandas(frame.iloc[i::4]), beta)).values for i in range(4))
    assert np.array_equal(whole, parts)


def test_missing_values_leave_the_row_out() -> None:
    domain = DOMAIN.replace(stage=pets.Categorical(["I", "II", "III", "IV"], invalid="drop"))
    frame = children().iloc[:8].copy()
    frame.iloc[0, frame.columns.get_loc("stage")] = None
    tables = RoundTables(features_of(domain, "status", COVARIATES, None, [], None), "score")
    assert len(tables.derive(frame, np.zeros(10))) == 7
    declared = DOMAIN.replace(stage=pets.Categorical(["I", "II", "III", "IV"], invalid="error"))
    strict = RoundTables(features_of(declared, "status", COVARIATES, None, [], None), "score")
    with pytest.raises(DataError):
        strict.derive(frame, np.zeros(10))


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"outcome": "stage", "covariates": ["histology"]}, "outcome"),
        ({"outcome": "nothing"}, "outcome"),
        ({"covariates": []}, "covariates"),
        ({"covariates": "stage"}, "covariates"),
        ({"covariates": ["stage", "status"]}, "covariates"),
        ({"covariates": ["stage", "stage"]}, "covariates"),
        ({"covariates": ["weight"]}, "covariates"),
        ({"linear": ["age_months"]}, "linear"),
        ({"linear": ["stage"], "covariates": ["stage"]}, "column"),
        ({"event": "cured"}, "event"),
        ({"reference": {"stage": "V"}}, "reference"),
        ({"reference": {"status": "relapse"}}, "reference"),
        ({"epsilon": 1}, "epsilon"),
        ({"rho": None}, "epsilon"),
        ({"rho": 0}, "rho"),
        ({"ridge": -1}, "ridge"),
        ({"sites": {}}, "sites"),
        ({"sites": None}, "sites"),
        ({"sites": {1: None, "a": None}}, "sites"),
    ],
)
def test_bad_input_is_named_and_costs_nothing(change, argument, tmp_path) -> None:  # type: ignore[no-untyped-def]
    domain = pets.Domain(
        histology=["f", "u"], stage=["I", "II", "III"], status=["censored", "relapse"],
        age_months=pets.Integer(0, 191), weight=pets.Numeric(0, 9, resolution=1),
    )  # fmt: skip
    frame = pd.DataFrame({"histology": ["f"], "stage": ["I"], "status": ["censored"], "age_months": [1], "weight": [1]})
    ledger = pets.Ledger(tmp_path / "ledger.sqlite", limit=ZeroConcentratedDP(1))
    arguments = {"sites": {"a": frame}, "outcome": "status", "covariates": ["stage"], "rho": "0.1"} | change
    with pytest.raises(InvalidArgument) as caught:
        train_logistic(arguments.pop("sites"), domain, **arguments, ledger=ledger)
    assert caught.value.argument == argument
    assert ledger.spent().rho == 0


@pytest.mark.slow
def test_intervals_cover_the_truth() -> None:
    """Simulated registries of 20,000 at epsilon 1 and 0.3: 95 % intervals cover known odds ratios."""
    generator = np.random.default_rng(3)
    sizes = {"a": 2, "b": 3, "c": 4, "d": 2, "e": 3, "f": 2}
    domain = pets.Domain(
        {**{name: pets.Categorical(range(size)) for name, size in sizes.items()}, "x": pets.Integer(0, 20)},
        y=["no", "yes"],
    )
    effects = {name: np.r_[0, generator.normal(0, 0.7, size - 1)] for name, size in sizes.items()}
    truth = np.r_[-1.5, *[effects[name][1:] for name in sizes], 0.05]
    covered = []
    for epsilon, _ in product((1, "0.3"), range(30)):
        frame = pd.DataFrame({name: generator.integers(0, size, 20_000) for name, size in sizes.items()})
        frame["x"] = generator.integers(0, 21, 20_000)
        linear = -1.5 + sum(effects[name][frame[name]] for name in sizes) + 0.05 * frame["x"]
        frame["y"] = np.where(generator.random(20_000) < 1 / (1 + np.exp(-linear)), "yes", "no")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit = train_logistic({"s": frame}, domain, "y", [*sizes, "x"], epsilon=epsilon, delta="1e-6", linear=["x"])
        low, high = fit.interval()
        covered.append((low <= truth) & (truth <= high))
    assert np.mean(covered) > 0.90
