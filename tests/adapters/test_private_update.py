"""The clipped, noisy update of a training round, without Flower."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import pets
from pets.adapters.flower import training
from pets.adapters.flower.training import GRID, TrainingMod, private_update
from pets.errors import InvalidArgument


def mod(**options: object) -> TrainingMod:
    return TrainingMod(lambda _: None, **{"clip": 1, "multiplier": 1, **options})  # type: ignore[arg-type,return-value]


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No noise, so that what enters it can be seen."""

    class Silent:
        def discrete_gaussian(self, variance: Fraction, size: int) -> np.ndarray:
            return np.zeros(size, dtype=np.int64)

    monkeypatch.setattr(training, "engine", lambda name: Silent())


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=0, max_size=30),
    st.floats(1e-200, 1e200),
)
def test_no_update_is_longer_than_the_clip_to_the_last_bit(update: list[float], clip: float):
    """In whole steps: the sensitivity that is paid for is exactly twice this bound."""
    with pytest.MonkeyPatch.context() as patch:
        silent.__wrapped__(patch)  # type: ignore[attr-defined]
        steps = private_update(np.array(update), clip, Fraction(1)) / (clip / GRID)
    whole = [round(float(step)) for step in steps]
    assert sum(step**2 for step in whole) <= GRID**2
    if not np.all(np.isfinite(update)):
        assert not any(whole)


@pytest.mark.usefixtures("silent")
def test_the_bound_does_not_rest_on_floating_point(monkeypatch: pytest.MonkeyPatch):
    """A norm that came out too short would make the update too long: the steps themselves are looked at."""
    norm = np.linalg.norm
    monkeypatch.setattr(training.np.linalg, "norm", lambda vector: norm(vector) * (1 - 1e-4))
    steps = private_update(np.full(7, 3.0), 1.0, Fraction(1)) * GRID
    assert GRID**2 * 0.99 < sum(round(float(step)) ** 2 for step in steps) <= GRID**2


@pytest.mark.usefixtures("silent")
def test_short_updates_are_kept_and_long_ones_keep_their_direction():
    short = np.array([0.3, -0.4, 0.0])
    assert private_update(short, 1.0, Fraction(1)) == pytest.approx(short, abs=2 / GRID)
    long = 1e300 * short
    assert private_update(long, 2.0, Fraction(1)) == pytest.approx(short / 0.5 * 2, abs=4 / GRID)
    tiny = 1e-300 * short
    assert private_update(tiny, 1e-300, Fraction(1)) == pytest.approx(tiny, abs=2e-300 / GRID)
    assert not private_update(np.zeros(4), 1.0, Fraction(1)).any()


@pytest.mark.parametrize("multiplier", ["1/2", 3])
def test_the_noise_is_gaussian_and_independent_with_the_claimed_variance(multiplier: object):
    clip, spread = 0.25, float(Fraction(str(multiplier)))
    found = private_update(np.zeros(40_000), clip, Fraction(str(multiplier))) / (clip * spread)
    assert abs(found.mean()) < 5.5 / 200
    assert abs(found.var() - 1) < 5.5 * np.sqrt(2) / 200
    assert stats.kstest(found, "norm").pvalue > 1e-6
    assert abs(np.corrcoef(found[:-1], found[1:])[0, 1]) < 5.5 / 200


@pytest.mark.parametrize("multiplier", ["1/2", 1, 4, "7.5"])
def test_the_cost_is_that_of_the_discrete_gaussian_mechanism(multiplier: object):
    """The same noise by the mechanism of pets, whose sensitivity is found for itself: a sum bounded by +/- GRID."""
    cost = mod(multiplier=multiplier).cost
    domain = pets.Domain(step=pets.Integer(-GRID, GRID), unit=pets.PrivacyUnit(neighbours="replace_one"))
    bound = pets.Sum("step").bind(domain)
    law = pets.dp.DiscreteGaussian(rho=cost.rho).law(bound.sensitivities[0], Fraction(1))
    assert law.sigma2 == (Fraction(str(multiplier)) * GRID) ** 2


@pytest.mark.parametrize(
    "options", [{"clip": 0}, {"clip": -1}, {"clip": 10**300}, {"multiplier": 0}, {"multiplier": 2**21}, {"clip": "x"}]
)
def test_bad_arguments(options: dict[str, object]):
    with pytest.raises(InvalidArgument):
        mod(**options)
