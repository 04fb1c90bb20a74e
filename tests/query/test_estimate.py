"""From measured integers to published columns: exact answers, intervals that cover, and marks on what is hidden."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pets.domain import Categorical, Domain, Integer, Numeric
from pets.noise import DiscreteGaussianLaw, DiscreteLaplaceLaw, NoiseLaw, NoNoise, half_width
from pets.query import Axis, Block, Count, EventTable, Marginals, Measured
from pets.query.estimate import in_units, key_columns


def draws(law: NoiseLaw, shape: tuple[int, ...], seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Draw from a law by inverting its own distribution function; for tests only."""
    reach = half_width(law, 1 - 1e-12)
    support = np.arange(-reach, reach + 1)
    cumulative = np.array([law.cdf(int(k)) for k in support])
    return support[np.searchsorted(cumulative, np.random.default_rng(seed).uniform(size=shape))]


def block(cells: int, unit: Fraction = Fraction(1), impossible: Any = None) -> Block:
    return Block("b", (Axis("a", tuple(range(cells))),), unit=unit, impossible=impossible)


class TestColumns:
    @pytest.mark.parametrize(
        "law",
        [DiscreteLaplaceLaw(Fraction(1)), DiscreteLaplaceLaw(Fraction(7)), DiscreteGaussianLaw(Fraction(3))],
        ids=repr,
    )
    @pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
    def test_intervals_cover_with_the_exact_probability(self, law: NoiseLaw, level: float) -> None:
        truth = np.arange(50_000) % 97
        values = np.append(truth + draws(law, truth.shape, 5), 0)
        columns = Measured(block(len(truth)), values, law).columns(level)
        covered = np.mean((columns["ci_low"] <= truth) & (truth <= columns["ci_high"]))
        exact = 1 - 2 * law.cdf(-half_width(law, level) - 1)
        assert exact >= level
        assert covered == pytest.approx(exact, abs=4 * (exact * (1 - exact) / len(truth)) ** 0.5)
        assert columns["value"].dtype == np.int64
        assert columns["value"].mean() == pytest.approx(truth.mean(), abs=4 * (law.variance / len(truth)) ** 0.5)
        assert np.std(columns["value"] - truth) == pytest.approx(columns["stderr"][0], rel=0.03)

    def test_units(self) -> None:
        columns = Measured(block(3, Fraction(1, 10)), np.array([3, 7, -21, 0]), NoNoise()).columns(0.95)
        assert columns["value"].tolist() == [0.3, 0.7, -2.1]  # the decimals themselves, not 3 * 0.1
        assert columns["ci_low"].tolist() == columns["ci_high"].tolist() == [0.3, 0.7, -2.1]
        noisy = Measured(block(1, Fraction(5, 2)), np.array([4, 0]), DiscreteLaplaceLaw(Fraction(1))).columns(0.95)
        assert (noisy["value"][0], noisy["ci_low"][0], noisy["ci_high"][0]) == (10.0, 2.5, 17.5)
        assert noisy["stderr"][0] == pytest.approx(2.5 * DiscreteLaplaceLaw(Fraction(1)).variance ** 0.5)

    def test_in_units(self) -> None:
        assert in_units(np.arange(1, 100), Fraction(1, 100)).tolist() == [float(f"0.{i:02}") for i in range(1, 100)]

    def test_structural_zeros(self) -> None:
        zero = np.array([False, True])
        columns = Measured(block(2, impossible=zero), np.array([4, 0, 1]), DiscreteLaplaceLaw(Fraction(1))).columns(0.9)
        assert columns["status"].tolist() == ["published", "structural zero"]
        assert [columns[name][1] for name in ("value", "stderr", "ci_low", "ci_high")] == [0, 0, 0, 0]
        assert columns["stderr"][0] > 0

    def test_hidden_cells(self) -> None:
        hidden = np.array([False, True, True])
        measured = Measured(block(2), np.array([9, 0, 0]), NoNoise(), suppressed=hidden, hidden_range=(1, 4))
        columns = measured.columns(0.95)
        assert columns["status"].tolist() == ["published", "suppressed"]
        assert columns["value"][0] == 9
        assert np.isnan([columns["value"][1], columns["stderr"][1]]).all()
        assert (columns["ci_low"][1], columns["ci_high"][1]) == (1, 4)
        assert measured.dropped(0.95) is None

    def test_dropped_rows(self) -> None:
        assert Measured(block(2), np.array([9, 0, 6]), NoNoise()).dropped(0.95) == (6, 6, 6)
        assert Measured(block(2), np.array([9, 0, 6]), DiscreteLaplaceLaw(Fraction(1))).dropped(0.95) == (6, 3, 9)
        without = Block("b", (Axis("a", (0, 1)),), counts_dropped=False)
        assert Measured(without, np.array([9, 0]), NoNoise()).dropped(0.95) is None

    def test_noise_that_drowns_everything(self) -> None:
        columns = Measured(block(1), np.array([7, 0]), DiscreteLaplaceLaw(Fraction(2**62))).columns(0.95)
        assert columns["ci_low"][0] < -(2.0**62)
        assert columns["ci_high"][0] > 2.0**62

    def test_values_are_not_modified(self) -> None:
        values = np.array([1, 2, 3])
        columns = Measured(block(2), values, NoNoise()).columns(0.95)
        columns["value"][:] = 0
        assert values.tolist() == [1, 2, 3]


def test_key_columns() -> None:
    axes = (Axis("a", ("x", "y")), Axis("b", (1, 2, 3)), Axis("c", (True,)))
    columns = key_columns(axes)
    assert columns["a"].tolist() == ["x", "x", "x", "y", "y", "y"]
    assert columns["b"].tolist() == [1, 2, 3, 1, 2, 3]
    assert columns["c"].tolist() == [True] * 6
    assert key_columns(()) == {}


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    n = 500
    return pd.DataFrame(
        {
            "sex": rng.choice(["F", "M"], n),
            "site": rng.choice(["a", "b", "c"], n),
            "time": rng.uniform(0, 10, n).round(1),
            "event": rng.choice(["alive", "died", "moved"], n),
        }
    )


DOMAIN = Domain(
    sex=["F", "M"],
    site=["a", "b", "c"],
    time=Numeric(0, 10, resolution="0.1"),
    event=["alive", "died", "moved"],
)


class TestExactAnswers:
    def test_count(self, frame: pd.DataFrame) -> None:
        query = Count(["sex", "site"])
        answer = pd.DataFrame(query.answer(query.tally(frame, DOMAIN), DOMAIN)).set_index(["sex", "site"])
        expected = frame.groupby(["sex", "site"]).size()
        pd.testing.assert_series_equal(answer["value"], expected, check_names=False)
        assert (answer["ci_low"] == answer["value"]).all()
        assert (answer["stderr"] == 0).all()

    def test_total(self, frame: pd.DataFrame) -> None:
        assert Count().answer(Count().tally(frame, DOMAIN), DOMAIN)["value"].tolist() == [500]

    def test_marginals(self, frame: pd.DataFrame) -> None:
        query = Marginals([["sex"], ["site", "sex"], []])
        answer = pd.DataFrame(query.answer(query.tally(frame, DOMAIN), DOMAIN))
        assert answer["table"].tolist() == ["sex"] * 2 + ["site x sex"] * 6 + ["total"]
        assert answer["value"].tolist() == [
            *frame.groupby("sex").size(),
            *frame.groupby(["site", "sex"]).size(),
            len(frame),
        ]
        assert answer["site"].tolist() == [None, None, "a", "a", "b", "b", "c", "c", None]

    def test_events(self, frame: pd.DataFrame) -> None:
        query = EventTable("time", "event", by="sex", bins=[0, 2, 5])
        answer = pd.DataFrame(query.answer(query.tally(frame, DOMAIN), DOMAIN))
        assert answer["time"].unique().tolist() == ["[0, 2)", "[2, 5)", "[5, 10]"]
        begins = answer["time"].map({"[0, 2)": 0, "[2, 5)": 2, "[5, 10]": 5})
        for i, row in answer.iterrows():
            same = frame[frame["sex"] == row["sex"]]
            assert row["at_risk"] == (same["time"] >= begins[i]).sum()
            ends = {0: 2, 2: 5, 5: 11}[begins[i]]
            inside = (same["time"] >= begins[i]) & (same["time"] < ends) & (same["event"] == row["event"])
            assert row["value"] == inside.sum()


class TestAtRisk:
    def test_people_of_unknown_time_are_not_at_risk(self) -> None:
        domain = Domain(t=Integer(0, 3, bins=[0, 2, 3], invalid="category"), e=["alive", "died"])
        rows = pd.DataFrame({"t": [0, 2, 3, None, 9], "e": ["died", "died", "alive", "died", "alive"]})
        query = EventTable("t", "e")
        answer = query.answer(query.tally(rows, domain), domain)
        assert answer["value"].tolist() == [0, 1, 1, 1, 1, 1]
        np.testing.assert_array_equal(answer["at_risk"], [3, 3, 2, 2, np.nan, np.nan])

    def test_it_is_not_known_where_a_cell_is_hidden(self) -> None:
        bound = EventTable("t", "e").bind(Domain(t=Integer(0, 3), e=["alive", "died"]))
        (table,) = bound.blocks
        values = np.array([9, 8, 7, 0, 6, 9, 8, 7, 0])
        hidden = values == 0
        answer = bound.query.estimate([Measured(table, values, NoNoise(), hidden, (1, 4))], 0.95)
        np.testing.assert_array_equal(answer["at_risk"], [np.nan] * 4 + [30, 30, 15, 15])

    def test_an_event_of_its_own_for_the_unknown(self) -> None:
        domain = Domain(t=Integer(0, 1), e=Categorical(["alive", "died"], invalid="category"))
        query = EventTable("t", "e")
        answer = query.answer(query.tally(pd.DataFrame({"t": [0, 1, 1], "e": [None, "died", "x"]}), domain), domain)
        assert answer["at_risk"].tolist() == [3, 3, 3, 2, 2, 2]
