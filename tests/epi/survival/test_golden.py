"""Without noise and with fine bins: equal to lifelines (benchmarks/data/make_survival_golden.py wrote its answers)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.epi.survival import (
    cumulative_incidence,
    kaplan_meier,
    log_rank,
    median_survival,
    nelson_aalen,
    restricted_mean,
    survival_quantile,
)

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text())
CASES = [("lung", "all"), ("lung", "female"), ("wilms", "all")]


def counts_of(request: Any, table: str, group: str) -> Any:
    frame = request.getfixturevalue(table)
    if group != "all":
        frame = frame[frame.sex == group]
    ask, exact = request.getfixturevalue("ask"), request.getfixturevalue("exact")
    upper, event = (1022, "dead") if table == "lung" else (206, "relapse")
    return exact(ask(upper, [event]), frame)


@pytest.mark.parametrize(("table", "group"), CASES)
def test_curves_and_their_limits(request: pytest.FixtureRequest, table: str, group: str) -> None:
    golden, counts = GOLDEN[table][group], counts_of(request, table, group)
    curve = kaplan_meier(counts, interval="log-log").curves[0]
    hazard = nelson_aalen(counts).curves[0]
    at = np.searchsorted(curve.times, golden["days"])
    for ours, theirs in (
        (curve.value, "survival"),
        (curve.raw, "survival"),
        (curve.low, "low"),
        (curve.high, "high"),
        (hazard.value, "hazard"),
        (hazard.stderr_sampling, "hazard_stderr"),
        (curve.at_risk, "at_risk"),
        (curve.at_risk_raw, "at_risk"),
    ):
        assert ours[at] == pytest.approx(golden[theirs], rel=1e-12, abs=1e-14), theirs
    assert not curve.stderr_noise.any() and not hazard.stderr_noise.any()
    assert curve.low == pytest.approx(curve.low_sampling, rel=1e-15)


@pytest.mark.parametrize(("table", "group"), CASES)
def test_median_and_restricted_mean(request: pytest.FixtureRequest, table: str, group: str) -> None:
    golden, counts = GOLDEN[table][group], counts_of(request, table, group)
    (median,) = median_survival(counts, interval="log-log")
    low, high = golden[
        "median_limits"
    ]  # R leaves a lower limit out that the band does not reach; here follow-up ends it
    assert [median.value, median.low, median.high] == [golden["median"], min(low, counts.times[-1]), high]
    (mean,) = restricted_mean(counts, golden["horizon"])
    assert mean.value == pytest.approx(golden["restricted_mean"], rel=1e-12)


@pytest.mark.parametrize("golden", GOLDEN["log_rank"], ids=lambda golden: golden["by"])
def test_log_rank(request: pytest.FixtureRequest, ask: Any, exact: Any, golden: dict[str, Any]) -> None:
    frame = request.getfixturevalue(golden["table"])
    upper, event = (1022, "dead") if golden["table"] == "lung" else (206, "relapse")
    labels = sorted(frame[golden["by"]].dropna().unique().tolist())
    found = log_rank(exact(ask(upper, [event], by={golden["by"]: labels}), frame))
    assert found.statistic == pytest.approx(golden["statistic"], rel=1e-10)
    assert found.p_value == pytest.approx(golden["p_value"], rel=1e-8)
    assert found.degrees == len(labels) - 1 and found.noise_share == 0
    assert sum(found.observed_minus_expected) == pytest.approx(0, abs=1e-8)


def competing(ask: Any, exact: Any) -> Any:
    order = np.arange(GOLDEN["competing"]["patients"])
    causes = (order * 7 + order // 3) % 3
    frame = pd.DataFrame({"time": (order * 101) % len(order) + 1, "status": np.array(["censored", "a", "b"])[causes]})
    return exact(ask(len(order) + 1, ["a", "b"]), frame)


@pytest.mark.parametrize(("cause", "name"), [("a", "cause_1"), ("b", "cause_2")])
def test_competing_risks(ask: Any, exact: Any, cause: str, name: str) -> None:
    golden, curves = GOLDEN["competing"][name], cumulative_incidence(competing(ask, exact))
    at = np.searchsorted(curves[cause].times, golden["days"])
    assert curves[cause].value[at] == pytest.approx(golden["incidence"], rel=1e-12)
    assert curves[cause].stderr_sampling[at] == pytest.approx(golden["stderr"], rel=1e-8)


def test_incidences_add_up_to_what_survival_lost(ask: Any, exact: Any) -> None:
    counts = competing(ask, exact)
    both = sum(curve.value for curve in cumulative_incidence(counts))
    assert both == pytest.approx(1 - kaplan_meier(counts).curves[0].value, abs=1e-12)


def test_one_cause_alone_counts_the_others_as_censored(ask: Any, exact: Any) -> None:
    counts = competing(ask, exact)
    alone = kaplan_meier(counts, event="a").curves[0].value
    hazard = counts.events[0, :, 0] / np.maximum(kaplan_meier(counts).curves[0].at_risk_raw, 1)
    assert alone == pytest.approx(np.cumprod(1 - hazard), rel=1e-12)


def test_coarse_bins_come_close_to_the_exact_curve(ask: Any, exact: Any, lung: pd.DataFrame) -> None:
    """The actuarial share of the censored is what makes 24 bins as good as 1,023; kept to the end they are not."""
    fine = kaplan_meier(exact(ask(1080), lung)).curves[0]
    counts = exact(ask(1080, bins=range(0, 1081, 45)), lung)
    coarse = kaplan_meier(counts).curves[0]
    truth = fine.value[np.searchsorted(fine.times, coarse.times)]
    error = float(np.sqrt(np.mean((coarse.value - truth) ** 2)))
    at_risk = coarse.at_risk_raw
    kept = np.cumprod(1 - np.divide(counts.events[0, :, 0], at_risk, out=np.zeros(24), where=at_risk > 0))
    assert error < 0.0015
    assert float(np.sqrt(np.mean((kept - truth) ** 2))) > 4 * error


def test_coarse_means_and_medians(ask: Any, exact: Any, lung: pd.DataFrame) -> None:
    coarse = exact(ask(1080, bins=range(0, 1081, 45)), lung)
    golden = GOLDEN["lung"]["all"]
    assert restricted_mean(coarse, 500)[0].value == pytest.approx(golden["restricted_mean"], rel=5e-3)
    assert median_survival(coarse)[0].value == pytest.approx(golden["median"], rel=0.06)
    assert survival_quantile(coarse, "0.25")[0].value > golden["median"]


def test_a_continuous_time_has_the_trapezoidal_area() -> None:
    domain = pets.Domain(time=pets.Numeric(0, 4, resolution="0.1", bins=[0, 1, 2, 4]), status=["censored", "dead"])
    question = pets.EventTable("time", "status").bind(domain)
    frame = pd.DataFrame({"time": [0.5, 1.5, 1.6, 3.0], "status": ["dead"] * 4})
    counts = pets.epi.survival.EventCounts.exact(question, question.tally(frame))
    assert kaplan_meier(counts).curves[0].value == pytest.approx([0.75, 0.25, 0.0], abs=1e-15)
    assert restricted_mean(counts, 4)[0].value == pytest.approx(0.875 + 0.5 + 0.25)
    assert restricted_mean(counts, 3)[0].value == pytest.approx(0.875 + 0.5 + 0.1875)
    assert median_survival(counts)[0].value == pytest.approx(1.5)
