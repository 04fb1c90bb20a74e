"""Pictures and tables: both bands are there, labels are escaped, limits hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.epi.survival import Curves, EventCounts, cumulative_incidence, kaplan_meier, nelson_aalen
from pets.errors import InvalidArgument


@pytest.fixture(scope="module")
def counts(lung: pd.DataFrame) -> EventCounts:
    domain = pets.Domain(time=pets.Integer(0, 1080), status=["censored", "dead"], sex=["male", "female"])
    question = pets.EventTable("time", "status", by=["sex"], bins=range(0, 1081, 60)).bind(domain)
    return EventCounts.of(pets.dp.DiscreteLaplace(epsilon=2).release(question.tally(lung), question))


def legend(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.parametrize("estimate", [kaplan_meier, nelson_aalen, cumulative_incidence])
def test_pictures_have_both_bands_and_numbers_at_risk(estimate: Any, counts: EventCounts) -> None:
    ax = estimate(counts).plot(raw=True)
    words = legend(ax)
    assert "95 % band, sampling only" in words and "95 % band, noise included" in words
    assert len(ax.collections) == 4  # two bands for each of two strata
    assert sum(text.get_text() == "at risk (estimated)" for text in ax.texts) == 1
    assert len(ax.texts) == 1 + 2 * len(ax.get_xticks())
    ax.figure.canvas.draw()


def test_exact_counts_have_one_band(counts: EventCounts, lung: pd.DataFrame, ask: Any, exact: Any) -> None:
    ax = kaplan_meier(exact(ask(1080, bins=range(0, 1081, 60)), lung)).plot(at_risk=False)
    assert "95 % band, noise included" not in legend(ax) and not ax.texts


def test_a_picture_holds_six_curves(counts: EventCounts) -> None:
    curves = kaplan_meier(counts)
    many = Curves(curves.kind, curves.by, curves.start, curves.step, curves.curves * 4, 0.95, "score", noisy=True)
    with pytest.raises(InvalidArgument):
        many.plot()


def test_the_noise_band_contains_the_other(counts: EventCounts) -> None:
    for curve in kaplan_meier(counts):
        assert (curve.high - curve.low >= curve.high_sampling - curve.low_sampling).all()
        assert (curve.stderr_noise > 0).all()


def test_tables(counts: EventCounts) -> None:
    curves = kaplan_meier(counts)
    frame = curves.to_frame()
    assert list(frame.columns[:5]) == ["sex", "time", "value", "ci_low", "ci_high"]
    assert len(frame) == 2 * 18 and np.isfinite(frame["value"]).all()
    text = curves._repr_html_()
    assert "noise included" in text and "female" in text
    assert repr(curves) == "<Curves of survival: 2 x 18 bins, 95 %, noise included>"


def test_labels_are_escaped() -> None:
    domain = pets.Domain(time=pets.Integer(0, 3), status=["censored", "dead"], arm=["<b>", "b"])
    question = pets.EventTable("time", "status", by=["arm"]).bind(domain)
    frame = pd.DataFrame({"time": [1, 2], "status": ["dead", "censored"], "arm": ["<b>", "b"]})
    text = kaplan_meier(EventCounts.exact(question, question.tally(frame)))._repr_html_()
    assert "&lt;b&gt;" in text and "<p><b>" not in text
