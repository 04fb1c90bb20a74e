"""Budgets: the noise that is bought is enough by an independent accountant, and hardly more."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import chi2

from pets.errors import InvalidArgument
from pets.guarantee.conversion import rho_for
from pets.privacy_unit import PrivacyUnit
from pets.synthetic.budget import Budget, Spending, Step
from pets.synthetic.draws import Draws
from pets.synthetic.tables import GRID, count, misfit

STEPS = (Step("table", Fraction(1, 40), 12), Step("choice", Fraction(1, 100), 10), Step("table", Fraction(6, 100), 10))
UNIT = PrivacyUnit()


def by_google(spending: Spending, steps: tuple[Step, ...], delta: float) -> float:
    """Epsilon by dp-accounting: tables by their exact losses, choices by the Gaussian of the same concentrated loss.

    It has no exponential mechanism of bounded range. The stand-in loses about 2 % less for choices as wide as these.
    """
    from dp_accounting.pld import privacy_loss_distribution as pld

    total = None
    for step in steps:
        if step.kind == "table":
            sigma = math.sqrt(spending.sigma2(step.share))
            one = pld.from_discrete_gaussian_mechanism(sigma, value_discretization_interval=1e-4)
        else:  # range e costs e²/8, as does Gaussian noise of 2/e
            one = pld.from_gaussian_mechanism(2 / float(spending.range(step.share)), value_discretization_interval=1e-4)
        part = one.self_compose(step.times)
        total = part if total is None else total.compose(part)
    assert total is not None
    return float(total.get_epsilon_for_delta(delta))


@pytest.mark.parametrize(("epsilon", "delta"), [("0.1", "1e-9"), (1, "1e-9"), (1, "1e-5"), (10, "1e-6")])
def test_the_noise_is_enough_and_less_than_by_zcdp(epsilon: object, delta: str):
    spending = Budget.of(epsilon, delta, None).spend(STEPS, UNIT)  # type: ignore[arg-type]
    by_zcdp = 1 / (2 * rho_for(epsilon, delta))  # type: ignore[arg-type]
    assert Fraction(84, 100) < spending.scale / by_zcdp < Fraction(97, 100)
    theirs = by_google(spending, STEPS, float(delta))
    assert 0.97 * float(epsilon) < theirs < 1.003 * float(epsilon)  # type: ignore[arg-type]


def test_rho_is_split_exactly():
    spending = Budget.of(None, 0, "0.02").spend(STEPS, UNIT)
    tables = sum(step.times / (2 * spending.sigma2(step.share)) for step in STEPS if step.kind == "table")
    choices = sum(step.times * spending.range(step.share) ** 2 / 8 for step in STEPS if step.kind == "choice")
    assert tables + choices <= Fraction(2, 100)
    assert tables + choices > Fraction(2, 100) * (1 - Fraction(1, 10**12))


@pytest.mark.parametrize(("unit", "l1", "l2"), [
    (PrivacyUnit(), 1, 1), (PrivacyUnit(neighbours="replace_one"), 2, 2),
    (PrivacyUnit(id="p", max_rows=3), 3, 9), (PrivacyUnit(id="p", max_rows=3, max_sites=2), 6, 36),
    (PrivacyUnit(id="p", max_rows=2, neighbours="replace_one"), 4, 8),
])  # fmt: skip
def test_sensitivity_of_tables_and_scores_by_brute_force(unit: PrivacyUnit, l1: int, l2: int):
    """All ways in which one unit's rows can change a small table, and what they do to it and to its score."""
    spending = Spending(Fraction(1), unit)
    assert (spending.l1, spending.l2_squared) == (l1, l2)
    rows = unit.max_rows * unit.max_sites
    random = np.random.default_rng(1)
    base = random.integers(0, 3, (2, 20))
    public = random.random((3, 3)) * 5
    worst = moved = 0
    for cells in random.integers(0, 9, (200, 2, rows)).tolist() + [
        [[a] * rows, [b] * rows] for a in range(9) for b in range(9)
    ]:
        parts = [np.array(np.unravel_index(cell, (3, 3))) for cell in cells]
        left = np.column_stack([base, parts[0]]) if unit.neighbours == "replace_one" else base
        tables = [count(codes, (3, 3), (0, 1)) for codes in (left, np.column_stack([base, parts[1]]))]
        worst = max(worst, int(((tables[0] - tables[1]) ** 2).sum()))
        moved = max(moved, abs(misfit(tables[0], public) - misfit(tables[1], public)))
    assert worst == l2
    assert moved <= GRID * l1 and moved > GRID * l1 / 2


def test_choices_have_the_exact_law():
    draws, scores, rate = Draws.insecure(3), np.array([0, 100, 160, 40]), Fraction(1, 50)
    found = np.bincount([draws.choose(scores, rate) for _ in range(4000)], minlength=4)
    weights = np.exp(scores * float(rate))
    expected = 4000 * weights / weights.sum()
    assert ((found - expected) ** 2 / expected).sum() < chi2.ppf(1 - 1e-6, 3)


def test_tables_have_the_noise_that_was_paid_for():
    noise = Draws.insecure(4).noisy(np.zeros(40_000, dtype=np.int64), Fraction(900))
    assert noise.dtype == np.int64
    assert abs(noise.var() / 900 - 1) < 0.04 and abs(noise.mean()) < 1


def test_release_noise_is_secure():
    assert Draws.secure().are_secure and not Draws.insecure(1).are_secure


def test_shares_that_do_not_add_up_are_refused():
    with pytest.raises(InvalidArgument):
        Budget.of(1, "1e-6", None).spend([Step("table", Fraction(1, 3), 2)], UNIT)
