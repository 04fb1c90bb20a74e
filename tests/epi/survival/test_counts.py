"""Reading releases: bins, labels, strata, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.epi.survival import EventCounts, fit, kaplan_meier, log_rank, nelson_aalen, restricted_mean, survival_quantile
from pets.errors import IncompatibleTallies, InvalidArgument, PairingRefused

ROWS = pd.DataFrame(
    {
        "time": [0, 3, 9, 10, 25, 90, 12, None],
        "status": ["dead", "censored", "dead", "dead", "censored", "dead", "lost in a cave", "dead"],
        "sex": ["f", "m", "f", "m", "f", "m", "f", "m"],
    }
)


def domain(**time: Any) -> pets.Domain:
    return pets.Domain(
        time=pets.Integer(0, 99, **time),
        status=pets.Categorical(["censored", "dead"], invalid="category"),
        sex=["f", "m"],
    )


def read(question: pets.EventTable, where: pets.Domain) -> EventCounts:
    bound = question.bind(where)
    return EventCounts.exact(bound, bound.tally(ROWS))


def test_bins_that_end_early_leave_those_beyond_at_risk() -> None:
    counts = read(pets.EventTable("time", "status", bins=[0, 10, 20, 30]), domain())
    assert counts.events[0, :, 0].tolist() == [2, 1, 0]
    assert counts.censored[0].tolist() == [1, 0, 1]
    assert counts.beyond.tolist() == [1]
    assert (counts.times.tolist(), counts.start, counts.step) == ([9, 19, 29], -1, 1)
    assert kaplan_meier(counts).curves[0].at_risk.tolist() == [6, 3, 2]
    assert counts.lost == pytest.approx([0.45] * 3)


def test_the_last_bin_holds_the_bound() -> None:
    counts = read(pets.EventTable("time", "status", bins=[0, 50, 99]), domain())
    assert counts.times.tolist() == [49, 99]
    assert counts.beyond.tolist() == [0]
    assert counts.events[0, :, 0].tolist() == [3, 1]


def test_each_number_its_own_bin() -> None:
    counts = read(pets.EventTable("time", "status"), domain())
    assert counts.times.tolist() == list(range(100))
    assert not counts.lost.any()


def test_unknown_times_and_events_are_not_at_risk() -> None:
    counts = read(pets.EventTable("time", "status", bins=[0, 50, 99]), domain(invalid="category"))
    assert counts.causes == ("dead",)
    assert kaplan_meier(counts).curves[0].at_risk[0] == 6


def test_strata_and_their_sum() -> None:
    counts = read(pets.EventTable("time", "status", by=["sex"], bins=[0, 10, 20, 30]), domain())
    assert counts.strata == (("f",), ("m",))
    assert counts.events[:, :, 0].tolist() == [[2, 0, 0], [0, 1, 0]]
    whole = read(pets.EventTable("time", "status", bins=[0, 10, 20, 30]), domain())
    for name in ("events", "censored", "beyond"):
        assert getattr(counts.pooled(), name).tolist() == getattr(whole, name).tolist()


def test_noise_of_a_release_is_read_from_its_law() -> None:
    question = pets.EventTable("time", "status", by=["sex"], bins=[0, 10, 20, 30]).bind(domain())
    mechanism = pets.dp.DiscreteLaplace(epsilon=2)
    counts = EventCounts.of(mechanism.release(question.tally(ROWS), question))
    variance = mechanism.laws(question)[0].variance
    assert np.unique(counts.events_variance).tolist() == [variance] == np.unique(counts.censored_variance).tolist()
    assert counts.beyond_variance == pytest.approx(2 * variance)
    assert counts.pooled().beyond_variance == pytest.approx(4 * variance)
    assert counts.noisy


def test_structural_zeros_have_no_noise() -> None:
    where = pets.Domain(
        time=pets.Integer(0, 1),
        status=["censored", "dead"],
        sex=["f", "m"],
        impossible=[{"sex": "m", "status": "dead"}],
    )
    question = pets.EventTable("time", "status", by=["sex"]).bind(where)
    release = pets.dp.DiscreteLaplace(epsilon=1).release(question.tally(ROWS.head(2)), question)
    counts = EventCounts.of(release)
    assert counts.events_variance[1].tolist() == [[0], [0]]
    assert (counts.events_variance[0] > 0).all()


def test_hidden_cells_are_refused() -> None:
    question = pets.EventTable("time", "status", bins=[0, 50, 99]).bind(domain())
    release = pets.disclosure.SuppressCells(minimum=5).release(question.tally(ROWS), question)
    with pytest.raises(PairingRefused):
        kaplan_meier(release)


def test_wrong_input_is_named() -> None:
    question = pets.EventTable("time", "status", bins=[0, 50, 99]).bind(domain())
    counts = read(pets.EventTable("time", "status", bins=[0, 50, 99]), domain())
    other = pets.Count(["sex"]).bind(domain())
    release = pets.dp.DiscreteLaplace(epsilon=1).release(other.tally(ROWS), other)
    for wrong in (release, ROWS, None, question):
        with pytest.raises(InvalidArgument) as caught:
            kaplan_meier(wrong)  # type: ignore[arg-type]
        assert caught.value.argument == "source"
    with pytest.raises(InvalidArgument):
        EventCounts.exact(other, other.tally(ROWS))
    with pytest.raises(IncompatibleTallies):
        EventCounts.exact(question, other.tally(ROWS))
    for argument, call in (
        ("event", lambda: kaplan_meier(counts, event="dad")),
        ("level", lambda: nelson_aalen(counts, level=1)),
        ("interval", lambda: kaplan_meier(counts, interval="loglog")),  # type: ignore[arg-type]
        ("horizon", lambda: restricted_mean(counts, 101)),
        ("horizon", lambda: restricted_mean(counts, "10.5")),
        ("share", lambda: survival_quantile(counts, 1)),
        ("source", lambda: log_rank(counts)),
        ("labels", lambda: kaplan_meier(counts)["f"]),
        ("time", lambda: kaplan_meier(counts).curves[0].at(20)),
    ):
        with pytest.raises(InvalidArgument) as caught:
            call()
        assert caught.value.argument == argument


def test_a_pipeline_end_to_end() -> None:
    frame = pets.datasets.lung()
    where = pets.Domain(
        time=pets.Integer(0, 1080), status=["censored", "dead"], sex=["male", "female"],
        unit=pets.PrivacyUnit(id="patient_id", max_rows=1),
    )  # fmt: skip
    question = pets.EventTable("time", "status", by=["sex"], bins=range(0, 1081, 90))
    with pytest.warns(pets.errors.UnrecordedReleaseWarning):
        release = pets.Pipeline(question, where, mechanism=pets.dp.DiscreteLaplace(epsilon=50)).run({"A": frame})
    restored = pets.Release.from_json(release.to_json())
    value, low, high = kaplan_meier(restored)["female"].at(400)
    assert low < value < high and value == pytest.approx(0.5125, abs=0.003)


def test_printing_counts_shows_none_of_them(ask: Any) -> None:
    question = ask(3)
    tally = pets.Tally(np.full(question.size, 7777, dtype=np.int64), question.signature)
    counts = EventCounts.exact(question, tally)
    for shown in (counts, fit.fit(counts, 0), counts.pooled(), counts.single()):
        assert "7777" not in repr(shown) and "array" not in repr(shown)
    assert repr(counts) == "<EventCounts: 1 strata x 4 bins x 1 events, without noise>"
