"""The known answers, each recomputed from the published counts without the pipeline."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pets.datasets import EUROPE_21, ci5_children
from pets.demo import DemoFiles, Study
from pets.demo.plan import LARGEST, SMALLEST, check_epsilons
from pets.demo.results import PLACES, Estimate, Place, best_guess
from pets.errors import InvalidArgument

AGES = ["0-4", "5-9", "10-14"]
SEGI = np.array([12_000, 10_000, 9_000])


@pytest.fixture(scope="module")
def study(files: DemoFiles) -> Study:
    return files.study


@pytest.fixture(scope="module")
def published() -> np.ndarray:
    """Counts of shape (registries, sexes, ages)."""
    table = ci5_children()
    table = table[(table.site == "Liver") & table.age_group.isin(AGES)]
    cells = table.set_index(["registry", "sex", "age_group"]).cases
    return np.array([[[cells[r, sex, age] for age in AGES] for sex in ("male", "female")] for r in EUROPE_21])


@pytest.fixture(scope="module")
def years() -> np.ndarray:
    table = ci5_children()
    table = table[(table.site == "Liver") & table.registry.isin(EUROPE_21)]
    return table.groupby("age_group").person_years.sum()[AGES].to_numpy()


def rate(cases_by_age: np.ndarray, years: np.ndarray) -> float:
    return float(1e6 * (SEGI * cases_by_age / years).sum() / SEGI.sum())


def noise_table(epsilon: float, copies: int) -> np.ndarray:
    """Law of a sum of `copies` discrete Laplace draws, by plain convolution; centred."""
    reach = math.ceil(45 / epsilon)
    one = np.exp(-epsilon * np.abs(np.arange(-reach, reach + 1)))
    one /= one.sum()
    total = one
    for _ in range(copies - 1):
        total = np.convolve(total, one)
    return total


def test_the_known_answers_of_the_main_job(study: Study) -> None:
    assert study.exact.total == 294
    assert [m.lost for m in study.masked] == [90, 195, 195]
    assert [round(100 * study.share(m.lost), 1) for m in study.masked] == [30.6, 66.3, 66.3]
    one, own = (study.share(study.at(1, place).total.stderr) for place in PLACES)
    assert round(100 * one, 1) == 1.1
    assert round(100 * own, 1) == 5.2


def test_the_exact_table_is_the_published_one(study: Study, published: np.ndarray, years: np.ndarray) -> None:
    assert list(study.exact.tables) == list(EUROPE_21)
    assert np.array_equal(np.array(list(study.exact.tables.values())), published.reshape(21, 6))
    assert study.exact.cells == tuple(published.sum(axis=0).ravel())
    assert study.exact.rate.value == pytest.approx(rate(published.sum(axis=(0, 1)), years))
    assert study.exact.filled == (published > 0).sum()


@pytest.mark.parametrize("index", range(3))
def test_masking_hides_what_the_rule_hides(study: Study, published: np.ndarray, years: np.ndarray, index: int) -> None:
    masked = study.masked[index]
    hidden = (published > 0) & (published < masked.minimum)
    shown = np.where(hidden, 0, published)
    assert masked.cells == tuple(shown.sum(axis=0).ravel())
    assert masked.hidden_in == tuple(hidden.sum(axis=0).ravel())
    assert masked.lost == published[hidden].sum()
    assert masked.possible == (shown.sum() + hidden.sum(), shown.sum() + hidden.sum() * (masked.minimum - 1))
    assert masked.rate.value == pytest.approx(rate(shown.sum(axis=(0, 1)), years))
    at_most = np.where(hidden, masked.minimum - 1, published)
    assert masked.possible_rate[1] == pytest.approx(rate(at_most.sum(axis=(0, 1)), years))
    emptied = [r.sum() > 0 and s.sum() == 0 for r, s in zip(published, shown, strict=True)]
    assert study.exact.emptied_by(masked.minimum) == sum(emptied)


def test_masking_the_joint_table_loses_less(study: Study, published: np.ndarray) -> None:
    joint = published.sum(axis=0)
    for masked in study.masked_joint:
        assert masked.lost == joint[joint < masked.minimum].sum()
        assert masked.place == "joint"
    assert study.masked_joint[0].lost == 0


@pytest.mark.parametrize(("place", "tables"), [("joint", 1), ("registry", 21)])
@pytest.mark.parametrize("epsilon", [0.5, 1, 5])
def test_errors_are_those_of_the_exact_law(study: Study, place: Place, tables: int, epsilon: float) -> None:
    release = study.at(epsilon, place)
    for copies, estimate in ((tables, release.cells[0]), (6 * tables, release.total)):
        law = noise_table(epsilon, copies)
        distance = np.abs(np.arange(len(law)) - len(law) // 2)
        assert estimate.stderr == pytest.approx(math.sqrt((law * distance**2).sum()), rel=1e-9)
        width = estimate.high - estimate.value
        assert estimate.value - estimate.low == width
        assert law[distance <= width].sum() >= 0.95
        assert law[distance <= width - 1].sum() < 0.95
    assert study.stderr_of_total(epsilon, place) == pytest.approx(release.total.stderr)


def test_the_total_and_the_rate_are_those_of_the_released_cells(study: Study, years: np.ndarray) -> None:
    for release in study.noisy:
        cells = np.array([cell.value for cell in release.cells])
        assert release.total.value == cells.sum()
        assert release.rate.value == pytest.approx(rate(cells.reshape(2, 3).sum(axis=0), years))
        assert release.rate.low <= max(release.rate.value, 0.0) < release.rate.high  # an interval never is below 0
        # Both sexes of an age group carry noise. What the noise alone would need is in the interval.
        weights = 1e6 * SEGI / years / SEGI.sum()
        alone = math.sqrt((weights**2).sum() * 2) * release.cells[0].stderr
        assert release.rate.high - release.rate.value >= 1.8 * alone


def test_noise_is_there_and_is_of_the_stated_size(study: Study) -> None:
    """All 72 cells together: a chi-square far outside would mean no noise, twice the noise or half of it."""
    exact = study.exact.cells

    def surprise(cells: tuple[Estimate, ...]) -> list[float]:
        return [((cell.value - truth) / cell.stderr) ** 2 for cell, truth in zip(cells, exact, strict=True)]

    squares = [square for release in study.noisy if release.epsilon <= 1 for square in surprise(release.cells)]
    assert len(squares) == 48
    # Mean 1; the variance of one square is below 5 for discrete Laplace noise, so this is beyond five deviations.
    assert 0.25 < np.mean(squares) < 1 + 5 * math.sqrt(5 / 48)


def test_a_smaller_epsilon_costs_more_and_protects_more(study: Study) -> None:
    assert study.epsilons == (0.1, 0.25, 0.5, 1, 2, 5)
    for place in PLACES:
        errors = [study.at(epsilon, place).total.stderr for epsilon in study.epsilons]
        assert errors == sorted(errors, reverse=True)
    assert round(100 * best_guess(1)) == 73
    assert [best_guess(e) for e in study.epsilons] == sorted(best_guess(e) for e in study.epsilons)
    assert "73" in study.at(1, "joint").promise


def test_break_even_is_where_noise_equals_the_loss(study: Study) -> None:
    for place in PLACES:
        epsilon = study.break_even(90, place)
        assert study.stderr_of_total(epsilon, place) == pytest.approx(90, rel=1e-6)


def test_the_headline_is_at_epsilon_one_or_next_to_it(study: Study) -> None:
    assert study.headline_epsilon == 1


@pytest.mark.parametrize(
    "grid", [[], [0], [-1], [math.nan], [math.inf], ["x"], [True], [SMALLEST / 2], [2 * LARGEST], range(1, 20)]
)
def test_a_bad_grid_is_refused_by_name(grid: list[object]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_epsilons(grid)  # type: ignore[arg-type]
    assert caught.value.argument == "epsilon"


def test_the_grid_is_sorted_and_each_point_taken_once() -> None:
    assert check_epsilons([2, "0.5", 0.5, 1]) == (0.5, 1, 2)
