"""Fidelity against epsilon: right numbers, one floor, and never free where it claims to be paid."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np
import pytest

import pets
from pets.errors import BudgetExceeded, InvalidArgument
from pets.release_view import show_value
from pets.synthetic import MST, Independent, evaluate
from pets.synthetic.sweeping import sweep
from tests.synthetic.cohorts import DOMAIN, SURVIVAL, cohort

REAL = cohort(900, 3)
SMALL = pets.Domain(site=["bone", "brain", "kidney"], sex=["f", "m"])
FEW = REAL[["site", "sex"]]


class Model:
    """Gives the same rows whatever was asked."""

    promise = pets.ApproxDP(1, "1e-9")

    def __init__(self, rows):
        self.rows = rows

    def sample(self, n=None, *, seed=None):
        return self.rows


class Given:
    """A synthesizer whose rows are known: real ones above epsilon 1, others below."""

    def __init__(self, epsilon):
        self.rows = REAL if float(epsilon) > 1 else cohort(900, 4)

    def fit(self, frame, domain, **options):
        return Model(self.rows)


@pytest.fixture(scope="module")
def found():
    return sweep(REAL, DOMAIN, make=Given, epsilons=["0.5", "2"], seeds=[0, 1], survival=SURVIVAL, bootstrap=4)


def test_numbers_are_those_of_an_evaluation(found):
    expected = evaluate(REAL, cohort(900, 4), DOMAIN, survival=SURVIVAL, bootstrap=2, seed=0)
    by_name = {(score.metric, score.target): score.value for score in expected.scores}
    low = [point for point in found.points if point.epsilon == 0.5 and "AUC" not in point.metric]
    assert len(low) > 10
    for point in low:
        np.testing.assert_allclose(point.values, by_name[point.metric, point.target], atol=1e-9)


def test_rows_that_are_the_real_ones_are_at_the_floor_at_every_measure(found):
    for point in found.points:
        if point.epsilon == 2 and "AUC" not in point.metric and point.as_good_as == point.as_good_as:
            assert point.as_good_as == 1
            assert point.mean == pytest.approx(1 if point.better == "larger" else 0, abs=1e-9)


def test_the_floor_is_one_for_the_whole_sweep(found):
    table = found.to_frame()
    assert (table.groupby(["metric", "target"]).floor.nunique(dropna=False) == 1).all()
    total = table[table.metric == "total variation, mean"]
    assert (
        (total.floor > 0).all() and (total.floor_low <= total.floor).all() and (total.floor <= total.floor_high).all()
    )
    assert table.attrs["internal"] and (table.fits == 2).all()


def test_more_epsilon_is_more_fidelity_with_a_real_synthesizer():
    seen = []
    steps = lambda doing, done, of: seen.append((done, of))  # noqa: E731
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # an internal sweep releases nothing, so nobody is warned
        found = sweep(FEW, SMALL, make=MST, epsilons=["0.02", "5"], seeds=range(2), bootstrap=4, progress=steps)
    table = found.to_frame().query("metric == 'total variation, mean'").groupby("epsilon")["mean"].max()
    assert table[0.02] > 2 * table[5.0]
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)] and found.paid is None


def test_an_epsilon_that_is_refused_is_reported_and_the_others_go_on():
    found = sweep(FEW, SMALL, make=lambda e: MST(e, rows=900), epsilons=["0.0001", "1"], seeds=[0], bootstrap=4)
    assert {point.epsilon for point in found.points} == {1.0}
    assert [epsilon for epsilon, _ in found.refused] == [0.0001]
    assert "Refused: epsilon = 0.0001" in found.explain() and "Internal" in found.explain()


def test_what_has_no_value_is_said():
    stale = REAL.assign(relapse="no", dead="no")
    found = sweep(stale, DOMAIN, make=Independent, epsilons=["5"], seeds=[0], survival=SURVIVAL, bootstrap=4)
    assert any("Cox" in text for text in found.failed) and "Not computable: " in found.explain()


def test_a_charged_sweep_pays_for_fits_and_numbers_and_goes_on_where_it_stopped(tmp_path: Path):
    settings = {"make": lambda e: MST(e, "1e-9", rows=900), "epsilons": ["1", "2"], "seeds": [0, 1], "price": "0.25"}
    with pets.Ledger(tmp_path / "book.sqlite", limit=pets.ApproxDP("7.5", "1e-8")) as ledger:
        found = sweep(FEW, SMALL, ledger=ledger, **settings)
        assert found.paid == pets.ApproxDP("7", "4e-9", unit=SMALL.unit) and not found.internal
        assert ledger.spent("default").epsilon == 7
        again = sweep(FEW, SMALL, ledger=ledger, **settings)
        assert _values(again) == _values(found)
        assert ledger.spent("default").epsilon == 7
        with pytest.raises(BudgetExceeded):
            sweep(FEW, SMALL, ledger=ledger, **settings | {"seeds": [2]})
    assert {point.metric for point in found.points} == {"total variation, mean"}
    assert all(point.floor != point.floor for point in found.points)
    assert "may be published" in found.explain()
    page = found.to_html()
    assert "may be published" in page and "Internal" not in page and "internal" not in page


def test_the_page_holds_every_number_and_needs_nothing_else(found):
    page = found.to_html()
    assert page.startswith("<!doctype html>") and "Internal" in page and "real resample" in page
    for point in found.points:
        assert escape(point.metric) in page and escape(point.target) in page
    first = next(point for point in found.points if point.metric == "total variation, mean" and point.epsilon == 0.5)
    assert show_value(first.mean) in page and show_value(first.floor_low) in page
    assert "<script" not in page and "src=" not in page and set(re.findall(r'href="(.)', page)) <= {"#"}
    assert not re.search(r"fill: #(?!0{6}|f{6})", page), "a colour that dark pages cannot change"


def test_labels_cannot_break_the_page(found):
    point = replace(found.points[0], target="<b>stage & more</b>", values=())
    page = replace(found, points=(point,)).to_html()
    assert "&lt;b&gt;stage &amp; more&lt;/b&gt;" in page and "<b>stage" not in page and "not computable" in page


def _values(found):
    return [(point.epsilon, point.target, point.values) for point in found.points]


def test_the_figure_has_a_panel_for_each_number_and_shows_the_floor(found):
    from matplotlib.figure import Figure

    figure = found.plot()
    assert isinstance(figure, Figure)
    titles = [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")]
    assert sum(title.startswith("total variation, mean") for title in titles) == 3
    assert any(title.startswith("Kaplan-Meier") for title in titles)
    assert any(patch.get_label() == "resamples of the real rows" for patch in figure.axes[0].patches)
    assert len([ax for ax in found.plot("total variation, mean").axes if ax.get_title(loc="left")]) == 3
    assert "internal" in figure.get_suptitle() and "Internal" in found._repr_html_() and "internal" in repr(found)
    with pytest.raises(InvalidArgument, match="metrics"):
        found.plot(["no such number"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"epsilons": []}, {"epsilons": ["-1"]}, {"epsilons": "1"}, {"epsilons": ["1", 1]}, {"seeds": []},
        {"seeds": [True]}, {"seeds": [0, 0]}, {"bootstrap": 1}, {"price": "0.1"}, {"epsilons": ["1"], "seeds": 3},
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(wrong):
    with pytest.raises(InvalidArgument):
        sweep(FEW, SMALL, **{"epsilons": ["1"], "seeds": [0]} | wrong)
