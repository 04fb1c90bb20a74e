"""Histograms and quantiles: exact ones as numpy's, noisy ones with intervals that cover."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pets.domain import Categorical, Domain, Integer, Numeric
from pets.noise import DiscreteGaussianLaw, DiscreteLaplaceLaw, NoiseLaw, NoNoise, half_width
from pets.query import Histogram, Measured, Quantiles

DOMAIN = Domain(x=Numeric(0, 100, resolution=1, bins=range(0, 101, 10)), g=Categorical(["a", "b"], invalid="category"))


def laplace(scale: int, shape: tuple[int, ...], seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    rng, p = np.random.default_rng(seed), 1 - np.exp(-1 / scale)
    return rng.geometric(p, shape) - rng.geometric(p, shape)  # type: ignore[no-any-return]


@given(values=st.lists(st.floats(0, 100), max_size=30), inner=st.lists(st.integers(1, 99), max_size=6, unique=True))
def test_histogram_is_numpys(values: list[float], inner: list[int]) -> None:
    edges = [0, *sorted(inner), 100]
    query = Histogram("x", bins=edges)
    answer = query.answer(query.tally(pd.DataFrame({"x": np.array(values, dtype=float)}), DOMAIN), DOMAIN)
    np.testing.assert_array_equal(answer["value"], np.histogram(values, bins=edges)[0])


def test_histogram_by_group() -> None:
    frame = pd.DataFrame({"x": [5.0, 15, 15, 100, 5], "g": ["a", "a", "b", None, "?"]})
    query = Histogram("x", by="g")
    answer = pd.DataFrame(query.answer(query.tally(frame, DOMAIN), DOMAIN))
    found = answer[answer["value"] > 0][["g", "x", "value"]].to_numpy().tolist()
    assert found == [
        ["a", "[0, 10)", 1],
        ["a", "[10, 20)", 1],
        ["b", "[10, 20)", 1],
        ["(unknown)", "[0, 10)", 1],
        ["(unknown)", "[90, 100]", 1],
    ]


def grouped_quantile(counts: np.ndarray[Any, Any], edges: np.ndarray[Any, Any], p: float) -> float:
    """The quantile of grouped data: linear within the bin where the cumulative share crosses p."""
    cumulative = np.concatenate([[0], np.cumsum(counts)]) / counts.sum()
    at = int(np.argmax(cumulative[1:] >= p - 1e-12))
    share = (p - cumulative[at]) / (cumulative[at + 1] - cumulative[at])
    return float(edges[at] + share * (edges[at + 1] - edges[at]))


class TestExactQuantiles:
    PROBABILITIES = ("0.25", "1/3", "0.5", "0.9", "0.999")

    def test_linear_within_bins_of_values(self) -> None:
        rng = np.random.default_rng(8)
        frame = pd.DataFrame({"x": rng.gamma(2, 12, 800).clip(0, 100), "g": rng.choice(["a", "b"], 800)})
        query = Quantiles("x", self.PROBABILITIES, by="g")
        answer = pd.DataFrame(query.answer(query.tally(frame, DOMAIN), DOMAIN))
        edges = np.arange(0, 101, 10)
        for row in answer.itertuples():
            same = frame.loc[frame["g"] == row.g, "x"]
            if same.empty:
                continue
            counts = np.histogram(same, bins=edges)[0]
            assert row.value == pytest.approx(grouped_quantile(counts, edges, row.probability))
            true = np.quantile(same, row.probability, method="inverted_cdf")
            assert row.ci_low <= true <= row.ci_high
            assert row.ci_high - row.ci_low == 10  # no noise: the very bin
        assert answer["probability"].tolist() == [float(Fraction(p)) for p in self.PROBABILITIES] * 3

    def test_integers_without_bins(self) -> None:
        domain = Domain(age=Integer(0, 9))
        frame = pd.DataFrame({"age": [1, 1, 2, 4, 4, 4, 9]})
        query = Quantiles("age", [0.5])
        answer = query.answer(query.tally(frame, domain), domain)
        assert (answer["ci_low"][0], answer["ci_high"][0]) == (4, 5)
        assert 4 <= answer["value"][0] <= 5

    def test_values_without_a_bin_do_not_count(self) -> None:
        domain = Domain(x=Integer(0, 9, bins=[0, 5, 9], invalid="category"))
        frame = pd.DataFrame({"x": [1] * 3 + [99] * 50})
        query = Quantiles("x", [0.5, 0.99])
        answer = query.answer(query.tally(frame, domain), domain)
        assert answer["ci_high"].tolist() == [5, 5]

    def test_nobody(self) -> None:
        query = Quantiles("x", [0.5])
        answer = query.answer(query.tally(pd.DataFrame({"x": [], "g": []}, dtype=float), DOMAIN), DOMAIN)
        assert answer["ci_low"][0] <= answer["value"][0] <= answer["ci_high"][0]


class TestNoisyQuantiles:
    @pytest.mark.parametrize("people", [7, 60, 2000])
    @pytest.mark.parametrize("p", ["0.5", "0.1", "333/1000"])
    @pytest.mark.parametrize("level", [0.8, 0.95])
    def test_intervals_cover(self, people: int, p: str, level: float) -> None:
        repetitions, scale = 4000, 3
        rng = np.random.default_rng(people)
        truth = np.histogram(rng.gamma(2, 15, people).clip(0, 100), bins=np.arange(0, 101, 10))[0]
        at = int(np.argmax(np.cumsum(truth) >= Fraction(p) * people))
        covered, inside = self.simulate(truth, at, p, level, DiscreteLaplaceLaw(Fraction(scale)), repetitions)
        # A lower bound that a correct interval misses with probability below 1e-5.
        assert covered >= level - 4.3 * (level * (1 - level) / repetitions) ** 0.5
        assert inside

    def test_too_narrow_an_interval_is_noticed(self) -> None:
        """The simulation has the power to see an interval made for half of the noise."""
        rng = np.random.default_rng(60)
        truth = np.histogram(rng.gamma(2, 15, 60).clip(0, 100), bins=np.arange(0, 101, 10))[0]
        at = int(np.argmax(np.cumsum(truth) >= 0.5 * 60))
        covered, _ = self.simulate(truth, at, "0.5", 0.8, DiscreteLaplaceLaw(Fraction(1, 2)), 4000, scale=3)
        assert covered < 0.8 - 4.3 * (0.16 / 4000) ** 0.5

    @staticmethod
    def simulate(
        truth: Any, at: int, p: str, level: float, law: NoiseLaw, repetitions: int, scale: int = 3
    ) -> tuple[float, bool]:
        """Return how often the true bin is inside, for many draws at once: each is a group of one table."""
        groups = Domain(
            x=Numeric(0, 100, resolution=1, bins=range(0, 101, 10)), g=Categorical([str(i) for i in range(repetitions)])
        )
        bound = Quantiles("x", [p], by="g").bind(groups)
        noisy = truth[None, :] + laplace(scale, (repetitions, len(truth)), 99)
        answer = bound.query.estimate([Measured(bound.blocks[0], np.append(noisy.reshape(-1), 0), law)], level)
        low, high = 10 * at, 10 * (at + 1)
        within = (answer["ci_low"] <= answer["value"]) & (answer["value"] <= answer["ci_high"])
        return float(np.mean((answer["ci_low"] <= low) & (answer["ci_high"] >= high))), bool(within.all())

    def test_noise_widens(self) -> None:
        bound = Quantiles("x", [0.5]).bind(DOMAIN.select(["x"]))
        values = np.array([10, 20, 30, 40, 30, 20, 10, 5, 3, 1, 0])
        widths = []
        for law in (NoNoise(), DiscreteGaussianLaw(Fraction(100)), DiscreteLaplaceLaw(Fraction(30))):
            answer = bound.query.estimate([Measured(bound.blocks[0], values, law)], 0.95)
            widths.append(answer["ci_high"][0] - answer["ci_low"][0])
        assert widths[0] < widths[1] < widths[2]
        assert half_width(NoNoise(), 0.95) == 0
