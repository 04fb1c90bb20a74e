"""Dates in artificial rows: never in the wrong order, never beyond their bounds, and times between as they were."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.csprng import random_source
from pets.errors import InvalidArgument
from pets.synthetic import AIM, MST, Independent, Model, Survival, evaluate
from pets.synthetic import encoding as module
from pets.synthetic.draws import Draws
from pets.synthetic.encoding import Encoding
from pets.synthetic.encoding.order import draw_in_order

CLOCK = Survival("last_contact", "status", origin="diagnosis", by=["stage"])


def registry(**changes: Any) -> pets.Domain:
    dates = {
        "birth": pets.Date("1980-01-01", "2014-12-31"),
        "diagnosis": pets.Date("2000-01-01", "2014-12-31"),
        "relapse": pets.Date("2000-01-01", "2019-12-31", invalid="category"),
        "last_contact": pets.Date("2000-01-01", "2019-12-31"),
    }
    order = [["birth", "diagnosis", "relapse", "last_contact"]]
    return pets.Domain(dates | {"status": ["alive", "dead"], "stage": ["I", "II"]}, order=order, **changes)


def patients(n: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    diagnosis = np.datetime64("2000-01-01") + random.integers(0, 5478, n)
    birth = diagnosis - (random.gamma(2, 3, n).clip(0, 17.9) * 365).astype(int)
    stage = random.choice(["I", "II"], n)
    death = diagnosis + random.exponential(np.where(stage == "I", 5000, 1500)).astype(int)
    end = np.datetime64("2019-12-31")
    last = np.minimum(death, end)
    relapse = diagnosis + random.exponential(2500, n).astype(int)
    found = {"birth": birth, "diagnosis": diagnosis, "last_contact": last, "stage": stage}
    found["relapse"] = np.where(relapse < last, relapse, np.datetime64("NaT"))
    found["status"] = np.where(death <= end, "dead", "alive")
    frame = pd.DataFrame(found)[["birth", "diagnosis", "relapse", "last_contact", "status", "stage"]]
    dates = {name: pd.to_datetime(frame[name]).dt.strftime("%Y-%m-%d") for name in frame.columns[:4]}
    return frame.assign(**dates)


def impossible(rows: pd.DataFrame) -> int:
    """Count the rows that no registry could hold, with pandas alone."""
    birth, diagnosis, relapse, last = (pd.to_datetime(rows[name]) for name in rows.columns[:4])
    wrong = (birth > diagnosis) | (diagnosis > last) | (relapse < diagnosis) | (relapse > last)
    wrong |= (last > "2019-12-31") | (diagnosis < "2000-01-01") | (diagnosis > "2014-12-31") | (birth < "1980-01-01")
    return int(wrong.sum())


@pytest.mark.parametrize("calendar", [False, True])
def test_no_code_gives_an_impossible_row(calendar: bool):
    domain = registry().select(["birth", "diagnosis", "relapse", "last_contact"])
    encoding = Encoding.of(domain, calendar=calendar)
    random = np.random.default_rng(1)
    codes = np.stack([random.integers(0, size, 40_000) for size in encoding.sizes])
    codes = codes[:, module.rules.allowed(encoding.zeros, codes)]
    assert codes.shape[1] > 1000
    rows = encoding.decode(codes, random_source(1))
    assert impossible(rows) == 0
    assert rows.relapse.isna().any() and rows.relapse.notna().any()


def test_what_is_written_out_is_read_back_as_the_same_codes():
    encoding = Encoding.of(registry(), [CLOCK])
    codes = encoding.encode(patients(2000))
    written = encoding.decode(codes, random_source(1))
    stopped = (pd.to_datetime(written.last_contact) == "2019-12-31").to_numpy()
    stopped |= (written.relapse == "2019-12-31").to_numpy() | (written.birth == "1980-01-01").to_numpy()
    again = encoding.encode(written)
    np.testing.assert_array_equal(again[:, ~stopped], codes[:, ~stopped])
    texts = written.assign(**{name: written[name].dt.strftime("%Y-%m-%d") for name in written.columns[:4]})
    np.testing.assert_array_equal(encoding.encode(texts), again)


def test_codes_are_times_from_the_origin():
    encoding = Encoding.of(registry(), [CLOCK])
    dates = {"birth": "2000-05-01", "diagnosis": "2005-05-01", "relapse": "2005-05-01", "last_contact": "2006-05-15"}
    rows = patients(1).assign(**dates)
    codes = dict(zip(encoding.names, encoding.encode(rows)[:, 0], strict=True))
    labels = {column.name: column.labels for column in encoding.columns}
    assert labels["diagnosis"][codes["diagnosis"]] == "2005"
    assert labels["birth"][codes["birth"]] == "1826-2190", "five years old"
    assert labels["relapse"][codes["relapse"]] == "0", "on the same day"
    assert labels["last_contact"][codes["last_contact"]] == "365-547"


@pytest.mark.parametrize(
    "wrong",
    [{"last_contact": "1999-06-01"}, {"birth": "2014-12-31", "diagnosis": "2014-12-30"}, {"last_contact": "2020-01-01"},
     {"diagnosis": "2004-05-02", "last_contact": "2004-05-01"}, {"relapse": "2019-12-31", "last_contact": "2019-12-30"},
     {"birth": "soon"}, {"diagnosis": None}],
)  # fmt: skip
def test_an_impossible_row_does_not_count(wrong: dict[str, Any]):
    encoding = Encoding.of(registry(), [CLOCK])
    good = patients(20)
    rows = pd.concat([good, good.head(1).assign(**wrong)])
    assert encoding.encode(good).shape[1] == 20 and encoding.encode(rows).shape[1] == 20


@pytest.mark.parametrize("kind", [Independent, MST, AIM])
def test_fits_keep_order_and_curves(kind: Any):
    rows = patients(3000)
    rows.loc[0, "last_contact"] = "1990-01-01"
    encoding = Encoding.of(registry(), [CLOCK])
    made = kind(epsilon=1, survival=[CLOCK])
    model = made._drawn(encoding, encoding.encode(rows), Draws.insecure(1))
    artificial = model.sample(seed=1)
    assert impossible(artificial) == 0
    report = evaluate(rows, artificial, registry(), survival=[CLOCK], bootstrap=2, seed=1)
    assert report.impossible == 0
    assert report["Kaplan-Meier"][0].value < 0.05
    again = Model.load(saved(model))
    assert again.sample(seed=1).equals(artificial)
    young = model.sample(200, given={"birth": ["0", "1-29", "30-90", "91-182"]}, seed=1)
    assert ((young.diagnosis - young.birth).dt.days <= 182).all() and impossible(young) == 0


def saved(model: Model) -> Any:
    import tempfile
    from pathlib import Path

    path = Path(tempfile.mkdtemp()) / "model.pets"
    model.save(path)
    return path


def test_an_evaluation_counts_rows_in_the_wrong_order():
    rows = patients(300)
    wrong = rows.copy()
    wrong.loc[:29, "last_contact"] = wrong.loc[:29, "birth"]
    wrong.loc[:29, "diagnosis"] = "2014-12-31"
    fine = wrong.loc[:29, "last_contact"] >= "2000-01-01"
    report = evaluate(rows, wrong, registry(), survival=[CLOCK], bootstrap=2, seed=1)
    expected = fine.sum() / (300 - 30 + fine.sum())
    assert fine.sum() > 5
    assert report.impossible == pytest.approx(expected)


@pytest.mark.parametrize("resolution", ["month", "quarter", "year"])
def test_coarser_dates_are_texts_in_order(resolution: Any):
    dates = {name: pets.Date("1990-01-01", "2010-12-31", resolution=resolution, bins="year") for name in ("a", "b")}
    encoding = Encoding.of(pets.Domain(dates, order=[["a", "b"]]))
    days = pd.date_range("1990-01-01", "2010-12-31", 500)
    rows = encoding.decode(encoding.encode(pd.DataFrame({"a": days[:250], "b": days[250:]})), random_source(1))
    assert (rows.a <= rows.b).all() and len(rows) == 250
    assert len(rows.a[0]) == {"month": 7, "quarter": 7, "year": 4}[resolution]
    same = encoding.encode(pd.DataFrame({"a": ["2004-06-30"], "b": ["2004-06-01"]}))
    assert same.shape[1] == 1, "in the same period no order can be seen"


def test_numbers_have_an_order_too():
    number = pets.Numeric(0, 10, resolution="0.5", bins=[0, 2, 4, 10])
    domain = pets.Domain(first=number, second=number, order=[["first", "second"]])
    encoding = Encoding.of(domain)
    codes = np.array(list(product(range(3), range(3)))).T
    codes = np.repeat(codes[:, module.rules.allowed(encoding.zeros, codes)], 200, axis=1)
    assert len({tuple(row) for row in codes.T}) == 6
    rows = encoding.decode(codes, random_source(1))
    assert (rows["first"] <= rows["second"]).all() and ((rows * 2) % 1 == 0).all().all()
    np.testing.assert_array_equal(encoding.encode(rows), codes)
    assert encoding.encode(pd.DataFrame({"first": [1.5], "second": [1.0]})).shape[1] == 0


def test_values_drawn_in_order_stay_in_their_ranges_and_reach_all_of_them():
    n = 4000
    no = np.zeros(n, dtype=bool)
    ends = {"a": (0, 5), "b": (2, 4), "c": (1, 9)}
    full = {name: (np.full(n, low), np.full(n, high), no) for name, (low, high) in ends.items()}
    pairs = [("a", "b"), ("a", "c"), ("b", "c")]
    found = draw_in_order(full, pairs, random_source(1))
    assert (found["a"] <= found["b"]).all() and (found["b"] <= found["c"]).all()
    for name, (low, high, _) in full.items():
        assert (found[name] >= low).all() and (found[name] <= high).all()
    assert set(found["a"]) == {0, 1, 2, 3, 4} and set(found["b"]) == {2, 3, 4} and set(found["c"]) == set(range(2, 10))
    absent = full | {"b": (np.full(n, 8), np.full(n, 8), ~no)}
    free = draw_in_order(absent, pairs, random_source(1))
    assert set(free["a"]) == set(range(6)), "a missing value stands in nobody's way"


def test_an_order_around_no_date_goes_by_the_calendar():
    dates = {name: pets.Date("1990-01-01", "2010-12-31", invalid="category") for name in ("a", "b")}
    encoding = Encoding.of(pets.Domain(dates, order=[["a", "b"]]))
    assert all(column.since is None for column in encoding.columns)
    assert Encoding.of(pets.Domain(dates)).zeros == ()


@pytest.mark.parametrize(
    ("survival", "argument"),
    [
        (Survival("last_contact", "status"), "survival.0.origin"),
        (Survival("last_contact", "status", origin="stage"), "survival.0.origin"),
        (Survival("last_contact", "status", origin="nobody"), "survival.0.origin"),
        (Survival("stage", "status", origin="diagnosis"), "survival.0.origin"),
        (Survival("last_contact", "status", origin="relapse"), "survival"),
    ],
)
def test_clocks_between_dates_are_checked(survival: Survival, argument: str):
    with pytest.raises(InvalidArgument) as caught:
        Encoding.of(registry(), [survival])
    assert caught.value.argument == argument


def test_a_rule_about_a_date_that_is_counted_is_refused():
    with pytest.raises(InvalidArgument, match="time from"):
        Encoding.of(registry(impossible=[{"birth": "1980", "stage": "I"}]))


def test_origin_and_after_exclude_each_other():
    with pytest.raises(InvalidArgument):
        Survival("last_contact", "status", after="relapse", origin="diagnosis")
    assert Survival(**CLOCK.to_dict()) == CLOCK and "origin='diagnosis'" in repr(CLOCK)


def test_a_release_by_the_calendar_makes_rows_in_order():
    """Tables of registries are by calendar years; a model of them keeps to the order of the dates."""
    domain = registry().select(["birth", "diagnosis", "stage"])
    rows = patients(400)[["birth", "diagnosis", "stage"]]
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        ledger = pets.Ledger(f"{folder}/l.sqlite", limit=pets.ZeroConcentratedDP(1))
        plan = pets.Pipeline(
            pets.Marginals([["birth", "diagnosis"], ["diagnosis", "stage"]]), domain,
            mechanism=pets.dp.DiscreteGaussian(rho=Fraction(1, 2)), ledger=ledger,
        )  # fmt: skip
        model = pets.synthetic.from_release(plan.run({"FR": rows, "UK": rows}))
        ledger.close()
    made = model.sample(1000, seed=1)
    assert (made.birth <= made.diagnosis).all()
    assert Model.load(saved(model)).sample(1000, seed=1).equals(made)


@pytest.mark.filterwarnings("ignore::pets.errors.UnrecordedReleaseWarning")
def test_the_command_reads_and_writes_dates(tmp_path):
    """As a new user would try it: CSV in, with an impossible row, and CSV out."""
    import typer
    from typer.testing import CliRunner

    from pets.cli_synth import synth

    rows = patients(900)
    rows.loc[0, "last_contact"] = "1980-01-01"
    rows.to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "domain.toml").write_text(registry().declared("a test").to_toml(), encoding="utf-8")
    app = typer.Typer()
    app.command()(synth)
    clock = ["--survival", "last_contact:status:diagnosis"]
    files = [str(tmp_path / "rows.csv"), "--domain", str(tmp_path / "domain.toml"), "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*files, *clock, "--epsilon", "3", "--mechanism", "mst", "--no-evaluate"])
    assert done.exit_code == 0, done.output + repr(done.exception)
    made = pd.read_csv(tmp_path / "out" / "synthetic.csv")
    assert len(made) > 700 and impossible(made) == 0
    assert made.diagnosis.str.fullmatch(r"\d{4}-\d\d-\d\d").all() and made.relapse.isna().any()


def test_two_dates_before_the_origin_keep_their_order():
    dates = {
        "birth": pets.Date("1980-01-01", "2014-12-31"),
        "symptom": pets.Date("1980-01-01", "2014-12-31", invalid="category"),
        "diagnosis": pets.Date("2010-01-01", "2014-12-31"),
    }
    encoding = Encoding.of(pets.Domain(dates, order=[["birth", "symptom", "diagnosis"]]))
    assert [column.since is not None for column in encoding.columns] == [True, True, False]
    rows = pd.DataFrame({"birth": ["2001-05-01"], "symptom": ["2011-03-01"], "diagnosis": ["2011-06-01"]})
    assert encoding.encode(rows).shape[1] == 1, "a symptom ten years after birth is possible"
    codes = np.array(list(product(*(range(size) for size in encoding.sizes)))).T
    made = encoding.decode(codes[:, module.rules.allowed(encoding.zeros, codes)], random_source(1))
    assert (made.birth <= made.diagnosis).all()
    assert not ((made.symptom < made.birth) | (made.symptom > made.diagnosis)).any()
