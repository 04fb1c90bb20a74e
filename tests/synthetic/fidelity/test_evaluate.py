"""The report on fidelity: right numbers, readable ones, and nothing hidden."""

from __future__ import annotations

import json
import math
import warnings

import numpy as np
import pandas as pd
import pytest

import pets
from pets.errors import BudgetExceeded, DataError, InvalidArgument, UnrecordedReleaseWarning
from pets.synthetic.fidelity import EvaluationIncompleteWarning, bought, buy, evaluate
from pets.synthetic.fidelity.floor import Floor
from pets.synthetic.fidelity.metric import Line
from pets.synthetic.fidelity.rows import Rows, Schema
from pets.synthetic.fidelity.tables import MOST_TABLES, RareCombinations, TableDistance, workload
from tests.synthetic.cohorts import DOMAIN, SURVIVAL, cohort

REAL = cohort(800, 1)


@pytest.fixture(scope="module")
def perfect():
    return evaluate(REAL, REAL, DOMAIN, survival=SURVIVAL, bootstrap=6, seed=1)


def test_the_real_rows_are_as_good_as_themselves(perfect):
    assert not perfect.failed and perfect.impossible == 0 and perfect.outside == 0
    for score in perfect.scores:
        if "share found" in score.metric or "overlap" in score.metric:
            assert score.value == pytest.approx(1)
        elif "AUC" not in score.metric:
            assert score.value == pytest.approx(0, abs=1e-9)
        assert math.isnan(score.as_good_as) or score.as_good_as == 1
    metrics = {score.metric.split(",")[0] for score in perfect.scores}
    assert {"total variation", "Kaplan-Meier", "restricted mean", "Cox", "rare combinations"} <= metrics


def test_total_variation_is_that_of_crosstabs():
    schema = Schema.of(pets.Domain(site=["bone", "brain", "kidney"], sex=["f", "m"]), ())
    other = cohort(300, 2)[["site", "sex"]]
    real, made = Rows.of(REAL[["site", "sex"]], schema, "real"), Rows.of(other, schema, "synthetic")
    joint = [f.value_counts(["site", "sex"], normalize=True) for f in (REAL, other)]
    expected = joint[0].sub(joint[1], fill_value=0).abs().sum() / 2
    assert TableDistance(real, 2).each(made) == pytest.approx([expected])


def test_a_tenth_of_the_rows_reads_as_about_a_tenth():
    tenth = REAL.sample(80, random_state=3, replace=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EvaluationIncompleteWarning)
        found = evaluate(REAL, tenth, DOMAIN, survival=SURVIVAL, bootstrap=6, seed=1)
    means = [s.as_good_as for s in found["total variation, mean"]]
    assert 0.04 < np.median(means) < 0.25
    assert all(s.value > s.floor_high for s in found["total variation, mean"])


def test_deleting_rare_people_shows_in_the_bucket_of_the_rare_only():
    domain = pets.Domain(site=["common", "rare"], sex=["f", "m"])
    real = pd.DataFrame(
        {"site": ["rare"] * 5 + ["common"] * 795, "sex": ["f", "f", "m", "m", "m"] + ["f", "m", "m"] * 265}
    )
    found = evaluate(real, real[real.site != "rare"], domain, bootstrap=4, seed=1)
    share = {s.target: s.value for s in found["rare combinations, share found"]}
    assert share == {"pairs of columns, 1-4 real rows": 0, "pairs of columns, 16+ real rows": 1}
    assert max(s.value for s in found["total variation, mean"]) < 0.01  # what a single score would have said


def test_shares_found_are_those_of_counting_by_hand():
    schema = Schema.of(DOMAIN, SURVIVAL)
    real, made = Rows.of(REAL, schema, "real"), Rows.of(cohort(500, 8), schema, "synthetic")
    (share,) = (
        v
        for line, v in RareCombinations(real, 2).scores(made).items()
        if "found" in line.metric and " 1-4 " in line.target
    )
    hits = cells = 0
    for axes in workload(schema, 2):
        pairs = pd.DataFrame(real.codes[list(axes)].T).value_counts()
        there = set(pd.DataFrame(made.codes[list(axes)].T).value_counts().index)
        hits, cells = hits + sum(key in there for key in pairs[pairs <= 4].index), cells + int((pairs <= 4).sum())
    assert share == pytest.approx(hits / cells)


def test_invented_combinations_are_counted():
    domain = pets.Domain(a=["x", "y"], b=["x", "y"])
    real = pd.DataFrame({"a": ["x", "y"] * 100, "b": ["x", "y"] * 100})
    made = pd.DataFrame({"a": ["x", "y", "x"] * 10, "b": ["x", "y", "y"] * 10})
    (score,) = evaluate(real, made, domain, bootstrap=2)["combinations that no real row"]
    assert score.value == pytest.approx(1 / 3) and score.floor == 0 and math.isnan(score.as_good_as)


def test_impossible_and_undeclared_rows_are_counted():
    made = REAL.copy()
    made.loc[made.index[:80], ["site", "stage"]] = ["brain", "IV"]
    made.loc[made.index[80:160], ["relapse", "relapse_time", "death_time"]] = ["yes", 9.0, 1.0]
    made.loc[made.index[160:240], "sex"] = "x"
    found = evaluate(REAL, made, DOMAIN, survival=SURVIVAL, bootstrap=2)
    assert found.outside == pytest.approx(0.1) and found.impossible == pytest.approx(160 / 720)
    assert "22.2% of the artificial rows are impossible" in found.explain()


def test_what_has_no_value_is_said_first_and_loudly():
    nobody = REAL.assign(relapse="no", dead="no", death_time=REAL.relapse_time)
    with pytest.warns(EvaluationIncompleteWarning, match="no value"):
        found = evaluate(REAL, nobody, DOMAIN, survival=SURVIVAL, bootstrap=3)
    assert {"Cox, overlap of 95 % intervals"} <= {s.metric for s in found.failed}
    assert found.scores[: len(found.failed)] == found.failed
    assert all(math.isnan(s.value) and s.problem and s.reading == "not computable" for s in found.failed)
    assert "not computable" in found._repr_html_() and found.to_frame().value.isna().sum() == len(found.failed)
    with pytest.raises(InvalidArgument, match="no value"):
        evaluate(REAL, nobody, DOMAIN, survival=SURVIVAL, bootstrap=3, strict=True)


def test_the_report_says_that_it_is_internal(perfect):
    assert perfect.internal and perfect.to_frame().attrs["internal"] and "Internal" in perfect._repr_html_()
    assert json.loads(json.dumps(perfect.to_dict(), allow_nan=False))["internal"] is True
    assert perfect.plot().get_title(loc="left").startswith("internal")
    assert not hasattr(perfect, "score")


def test_labels_are_escaped():
    odd = pets.Domain({"<b>x</b>": ["<i>", "&"], "y": ["a", "b"]})
    frame = pd.DataFrame({"<b>x</b>": ["<i>", "&"] * 30, "y": ["a", "b", "b"] * 20})
    page = evaluate(frame, frame, odd, bootstrap=2, predict=["<b>x</b>"])._repr_html_()
    assert "<b>x" not in page and "&lt;b&gt;x" in page


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"bootstrap": 1}, InvalidArgument),
        ({"strata": ["age"]}, InvalidArgument),
        ({"predict": ["nothing"]}, InvalidArgument),
        ({"seed": -1}, InvalidArgument),
    ],
)
def test_wrong_arguments(arguments, error):
    with pytest.raises(error):
        evaluate(REAL, REAL, DOMAIN, **arguments)


@pytest.mark.parametrize(
    "frame", [REAL.assign(extra=1), REAL.drop(columns="sex"), REAL.head(0), REAL.assign(sex=None), "rows", REAL.head(1)]
)
def test_wrong_frames(frame):
    with pytest.raises((InvalidArgument, DataError)):
        evaluate(frame, REAL, DOMAIN)


def test_reading_of_the_curve():
    floor = Floor(0.1, 0.08, 0.12, ((1.0, 0.1), (0.1, 0.4), (0.01, math.inf)))
    smaller, larger = Line("m", "t"), Line("m", "t", "larger")
    assert floor.as_good_as(0.05, smaller) == 1 and floor.as_good_as(0.4, smaller) == pytest.approx(0.1)
    assert floor.as_good_as(0.25, smaller) == pytest.approx(10**-0.5)
    assert floor.as_good_as(5.0, smaller) == pytest.approx(0.1)
    down = Floor(0.9, 0.8, 1.0, ((1.0, 0.9), (0.1, 0.5)))
    assert down.as_good_as(0.95, larger) == 1 and down.as_good_as(0.1, larger) == 0


def test_many_tables_are_thinned_evenly():
    schema = Schema.of(pets.Domain({f"c{i}": ["a", "b"] for i in range(12)}), ())
    chosen = workload(schema, 3)
    assert len(chosen) == MOST_TABLES == len(set(chosen)) and {a for axes in chosen for a in axes} == set(range(12))


# Bought


def test_bought_numbers_are_charged_first_and_repeat_for_nothing(tmp_path):
    ledger = pets.Ledger(tmp_path / "l.sqlite", limit=pets.PureDP(1))
    first = buy(REAL, REAL, DOMAIN, epsilon=1, ledger=ledger)
    again = buy(REAL, REAL, DOMAIN, epsilon=1, ledger=ledger)
    assert [s.value for s in first.scores] == [s.value for s in again.scores]
    assert not first.internal and first.rows_real is None and "may be published" in first.explain()
    with pytest.raises(BudgetExceeded):
        buy(REAL, REAL.head(700), DOMAIN, epsilon=1, ledger=ledger)
    assert sum(entry.kind == "charge" for entry in ledger.entries()) == 1
    ledger.close()


def test_a_row_moves_what_is_bought_by_no_more_than_the_noise_is_made_for(monkeypatch):
    """The noise's scale times epsilon, over the number of questions, is at least any change that one row makes."""
    asked, found = [], []

    class Recorder:
        def discrete_laplace(self, scale, size):
            asked.append(scale)
            return np.zeros(size, dtype=np.int64)

    monkeypatch.setattr(bought, "engine", lambda name: Recorder())
    monkeypatch.setattr(bought, "canonical_json", lambda data: found.append(data["distances"]) or json.dumps(data))
    domain = DOMAIN.select(["site", "sex", "age", "relapse"])
    frame = cohort(60, 3)[list(domain.names)]
    for real in [frame, *[frame.drop(index=i) for i in range(60)]]:
        with pytest.warns(UnrecordedReleaseWarning):
            buy(real, cohort(50, 4)[list(domain.names)], domain, epsilon=1)
    for order in range(3):
        moved = max(abs(row[order][1] - found[0][order][1]) for row in found)
        tables = math.comb(4, order + 1)
        assert moved == tables, "each table's distance moves by exactly one"
        assert asked[order] == 3 * tables


def test_noise_is_real():
    values = set()
    for _ in range(6):
        with pytest.warns(UnrecordedReleaseWarning):
            values.add(tuple(s.value for s in buy(REAL, cohort(700, 9), DOMAIN, epsilon=0.1).scores))
    assert len(values) == 6
