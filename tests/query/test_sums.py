"""Sums, means and variances: exact ones as pandas', noisy ones with intervals that cover."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pets.domain import Categorical, Domain, Integer, Numeric
from pets.noise import DiscreteLaplaceLaw, NoiseLaw, NoNoise
from pets.query import Mean, Measured, Query, Sum, Variance
from pets.query.sums import ratio_interval

DOMAIN = Domain(
    g=["a", "b", "c"],
    dose=Numeric(-2, 30, resolution="0.1"),
    age=Integer(0, 19),
    coarse=Numeric(0, 30, resolution="2.5", invalid="clamp"),
)


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(31)
    n = 600
    frame = pd.DataFrame(
        {
            "g": rng.choice(["a", "b"], n),
            "dose": rng.uniform(-2, 30, n).round(1),
            "age": rng.integers(0, 20, n).astype(float),
            "coarse": rng.uniform(-5, 40, n),
        }
    )
    frame.loc[::17, "dose"] = np.nan
    frame.loc[3::29, "age"] = 99
    return frame


def table(query: Query, frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(query.answer(query.tally(frame, DOMAIN), DOMAIN)).set_index("g")


class TestExactAnswers:
    def test_sum(self, frame: pd.DataFrame) -> None:
        for column, valid in (("dose", frame["dose"].notna()), ("age", frame["age"] < 20)):
            expected = frame[valid].groupby("g")[column].sum()
            answer = table(Sum(column, by="g"), frame)
            assert answer["value"].tolist()[:2] == pytest.approx(expected.tolist(), abs=1e-9)
            assert answer["value"].tolist()[2] == 0
            assert answer["ci_low"].tolist() == answer["value"].tolist()

    def test_mean(self, frame: pd.DataFrame) -> None:
        expected = frame.groupby("g")["dose"].mean()
        answer = table(Mean("dose", by="g"), frame)
        assert answer["value"].tolist()[:2] == pytest.approx(expected.tolist(), abs=1e-12)
        assert answer["ci_low"].tolist()[:2] == pytest.approx(expected.tolist(), abs=1e-12)
        assert answer["ci_high"].tolist()[:2] == pytest.approx(expected.tolist(), abs=1e-12)
        assert np.isnan(answer.loc["c", "value"])  # nobody is in c, so all that is known are the bounds
        assert -2 <= answer.loc["c", "ci_low"] <= answer.loc["c", "ci_high"] <= 30

    def test_variance(self, frame: pd.DataFrame) -> None:
        expected = frame[frame["age"] < 20].groupby("g")["age"].var(ddof=0)
        answer = table(Variance("age", by="g"), frame)
        assert answer["value"].tolist()[:2] == pytest.approx(expected.tolist(), abs=1e-9)
        assert answer["ci_low"].tolist()[:2] == pytest.approx(expected.tolist(), abs=1e-9)
        expected = frame.groupby("g")["dose"].var(ddof=0)
        assert table(Variance("dose", by="g"), frame)["value"].tolist()[:2] == pytest.approx(
            expected.tolist(), abs=1e-9
        )

    def test_values_are_rounded_to_the_grid_and_clamped(self, frame: pd.DataFrame) -> None:
        rounded = np.floor(frame["coarse"].clip(0, 30) / 2.5 + 0.5) * 2.5
        expected = rounded.groupby(frame["g"]).sum()
        assert table(Sum("coarse", by="g"), frame)["value"].tolist()[:2] == expected.tolist()

    @pytest.mark.parametrize("kind", [Mean, Variance])
    def test_one_value(self, kind: Any) -> None:
        frame = pd.DataFrame({"dose": [7.3]})
        answer = kind("dose").answer(kind("dose").tally(frame, DOMAIN), DOMAIN)
        assert answer["value"][0] == pytest.approx(7.3 if kind is Mean else 0, abs=1e-12)


def noisy(query: Query, truth: dict[str, np.ndarray[Any, Any]], scales: list[int], law_of: Any, level: float) -> Any:
    """Publish the same data many times: each repetition is a group of one table."""
    repetitions = 4000
    domain = Domain(
        {
            "g": Categorical([str(i) for i in range(repetitions)]),
            "x": Numeric(-2, 30, resolution="0.1"),
            "n": Integer(3, 9),
        }
    )
    bound = query.bind(domain)
    rng = np.random.default_rng(77)
    measured = []
    for block, scale in zip(bound.blocks, scales, strict=True):
        exact = {"count": truth["n"], "sum": truth["sum"], "sum_squares": truth["squares"]}[block.measure]
        p = 1 - np.exp(-1 / scale)
        noise = rng.geometric(p, repetitions) - rng.geometric(p, repetitions)
        values = np.append(exact + noise, [0] * block.counts_dropped)
        measured.append(Measured(block, values, law_of(scale)))
    return bound.query.estimate(measured, level)


def facts(values: np.ndarray[Any, Any], unit: float) -> dict[str, Any]:
    units = np.rint(values / unit).astype(np.int64)
    return {"n": len(units), "sum": units.sum(), "squares": (units**2).sum()}


def exact_law(scale: int) -> NoiseLaw:
    return DiscreteLaplaceLaw(Fraction(scale))


class TestNoisyIntervals:
    """Coverage is at least the level; the lower limit is missed by a correct interval with chance below 1e-5."""

    SAMPLES = (
        np.array([12.5]),
        np.array([-2.0, -1.5, -0.3]),
        np.random.default_rng(1).uniform(-2, 30, 40).round(1),
        np.random.default_rng(2).uniform(0, 5, 900).round(1),
    )

    @pytest.mark.parametrize("sample", SAMPLES, ids=["one", "negative", "forty", "many"])
    @pytest.mark.parametrize("level", [0.8, 0.95])
    def test_mean(self, sample: np.ndarray[Any, Any], level: float) -> None:
        answer = noisy(Mean("x", by="g"), facts(sample, 0.1), [2, 300], exact_law, level)
        mean = sample.mean()
        covered = np.mean((answer["ci_low"] <= mean + 1e-9) & (answer["ci_high"] >= mean - 1e-9))
        assert covered >= level - 4.3 * (level * (1 - level) / 4000) ** 0.5
        self.check_bounds(answer, -2, 30)

    @pytest.mark.parametrize("sample", SAMPLES, ids=["one", "negative", "forty", "many"])
    @pytest.mark.parametrize("level", [0.8, 0.95])
    def test_variance(self, sample: np.ndarray[Any, Any], level: float) -> None:
        answer = noisy(Variance("x", by="g"), facts(sample, 0.1), [2, 300, 90_000], exact_law, level)
        variance = sample.var()
        covered = np.mean((answer["ci_low"] <= variance + 1e-9) & (answer["ci_high"] >= variance - 1e-9))
        assert covered >= level - 4.3 * (level * (1 - level) / 4000) ** 0.5
        self.check_bounds(answer, 0, 16**2)

    def test_the_simulation_notices_intervals_for_too_little_noise(self) -> None:
        for query, scales in ((Mean("x", by="g"), [2, 300]), (Variance("x", by="g"), [2, 300, 90_000])):
            answer = noisy(query, facts(self.SAMPLES[3], 0.1), scales, lambda scale: NoNoise(), 0.8)
            truth = self.SAMPLES[3].mean() if isinstance(query, Mean) else self.SAMPLES[3].var()
            assert np.mean((answer["ci_low"] <= truth) & (answer["ci_high"] >= truth)) < 0.5

    def test_standard_error_of_a_mean(self) -> None:
        sample = self.SAMPLES[3]
        answer = noisy(Mean("x", by="g"), facts(sample, 0.1), [2, 300], exact_law, 0.95)
        assert np.std(answer["value"] - sample.mean()) == pytest.approx(answer["stderr"].mean(), rel=0.05)

    @staticmethod
    def check_bounds(answer: Any, lower: float, upper: float) -> None:
        assert (answer["ci_low"] <= answer["ci_high"]).all()
        assert answer["ci_low"].min() >= lower
        assert answer["ci_high"].max() <= upper
        known = ~np.isnan(answer["value"])
        assert ((answer["value"][known] >= lower) & (answer["value"][known] <= upper)).all()


def interval(total: tuple[float, float], count: tuple[int, int]) -> tuple[float, float]:
    columns = [{"ci_low": np.array([low]), "ci_high": np.array([high])} for low, high in (total, count)]
    low, high = ratio_interval(columns[0], columns[1], (-100.0, 100.0))
    return float(low[0]), float(high[0])


def test_ratio_over_a_box_is_the_range_over_its_integer_counts() -> None:
    for total in [(-30.0, -10.0), (-10.0, 20.0), (5.0, 8.0), (0.0, 0.0)]:
        for count in [(-5, -1), (-3, 4), (1, 1), (2, 9)]:
            possible = range(max(count[0], 1), max(count[1], 1) + 1)
            every = [t / n for t in total for n in possible]
            assert interval(total, count) == (min(every), max(every))
