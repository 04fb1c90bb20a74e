"""No number leaves but those that were paid for, and what narrower or shared noise costs is what is proven for it.

As in ``tests/synthetic/test_privacy.py``: a fit is run on neighbours with the same answers to all its questions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import pets
from pets.dp.accounting import DiscreteGaussianLoss, ZCDPLoss, account
from pets.dp.distributed import GaussianShares, SkellamShares, concentrated_shares
from pets.noise import DiscreteGaussianLaw
from pets.synthetic import AIM, MST, Independent, aim, independent, mst
from pets.synthetic.across import Arrangement, JointFit, contrasts
from pets.synthetic.across.contrasts import Contrasts, contrast_of_codes, contrast_of_table, halves, plan_across
from pets.synthetic.across.spending import SharedSpending
from pets.synthetic.across.sums import SiteSums
from pets.synthetic.budget import Budget, Step
from pets.synthetic.draws import Draws
from pets.synthetic.encoding import Encoding
from pets.synthetic.tables import count
from tests.synthetic.support import SURVIVAL, every_row, small_domain, small_rows


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (aim, mst, independent):
        monkeypatch.setattr(module, "_TUNING", replace(module._TUNING, iterations=2, last=2, simulated=300))


@dataclass
class Asked:
    exact: np.ndarray
    variance: Fraction


class Recorder(SiteSums):
    """Sums whose answers do not depend on the rows, and that keep what was asked."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.random, self.questions = np.random.default_rng(3), []

    def total(self, question: Any, count: Callable[..., np.ndarray], *, shares: Any, grouped: bool = True, **_: Any):
        rows = self._grouped if grouped else self.codes
        exact = sum(np.asarray(count(codes)) for codes in rows.values())
        honest = self.arrangement.honest
        promised = {GaussianShares: lambda: shares.sigma2 * honest, SkellamShares: lambda: shares.variance}
        self.questions.append(Asked(exact, promised[type(shares)]() if type(shares) in promised else Fraction(0)))
        return np.array([300]) if "rows" in question else self.random.poisson(30, exact.shape).astype(np.int64)


def run(synthesizer: Any, encoding: Encoding, codes: np.ndarray) -> tuple[bytes, list[Asked]]:
    sites = {"a": codes[:, ::2], "b": codes[:, 1::2], "c": codes[:, :0]}
    arrangement = Arrangement.of(encoding, pets.mpc.MaskedSum(), tuple(sites), "sites", 1, None)
    sums = Recorder(arrangement, sites)
    joint = JointFit(synthesizer, encoding, arrangement)
    return joint.run(sums, Draws.insecure(1)).to_bytes(), sums.questions


def neighbours(encoding: Encoding, codes: np.ndarray) -> Iterator[np.ndarray]:
    exchanged = encoding.domain.unit.neighbours == "replace_one"
    for row in every_row(encoding).T[::37]:
        yield np.column_stack([row, codes[:, 1:] if exchanged else codes])


def check(kind: Any, relation: str, rows: int | None) -> None:
    encoding = Encoding.of(small_domain(neighbours=relation), SURVIVAL)
    codes = encoding.encode(small_rows(120))
    synthesizer = kind(epsilon=4, delta="1e-5", survival=SURVIVAL, rows=rows)
    arrangement = Arrangement.of(encoding, pets.mpc.MaskedSum(), ("a", "b", "c"), "sites", 1, None)
    plan = plan_across(synthesizer, encoding, synthesizer._left(encoding), rows or 300, arrangement)
    model, base = run(synthesizer, encoding, codes)
    allowed, worst = 1 / (2 * plan.spending.scale), Fraction(0)
    for other in neighbours(encoding, codes):
        again, asked = run(synthesizer, encoding, other)
        assert again == model, "the model depends on the rows by another way than the sums"
        assert [one.exact.shape for one in asked] == [one.exact.shape for one in base]
        assert [one.variance for one in asked] == [one.variance for one in base]
        lost = Fraction(0)
        for a, b in zip(asked, base, strict=True):
            if a.variance:
                lost += Fraction(int(((a.exact - b.exact) ** 2).sum())) / (2 * a.variance)
        worst = max(worst, lost)
    assert worst <= allowed
    assert worst > allowed / 2, "the price is far above what any neighbour loses"


@pytest.mark.parametrize(
    ("kind", "relation", "rows"),
    [(Independent, "add_remove", 120), (MST, "add_remove", 120), (AIM, "add_remove", None), (AIM, "replace_one", 120)],
)
def test_neighbours_are_told_apart_by_no_more_than_the_price(kind: Any, relation: str, rows: int | None):
    check(kind, relation, rows)


def caught(relation: str = "add_remove") -> bool:
    try:
        check(MST, relation, 120)
    except AssertionError:
        return True
    return False


def test_planted_half_the_sensitivity(monkeypatch: pytest.MonkeyPatch):
    honest = SharedSpending.promised
    monkeypatch.setattr(SharedSpending, "promised", lambda self, kind, share: honest(self, kind, share) / 4)
    assert caught()


def test_planted_contrasts_that_move_by_more_than_they_pay_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(contrasts, "SHARE", Fraction(9, 10))
    honest = contrasts.contrast_of_codes
    wider = lambda codes, pairs, signs: 3 * honest(codes, pairs, signs)  # noqa: E731
    monkeypatch.setattr("pets.synthetic.across.joint_fitting.contrast_of_codes", wider)
    assert caught()


def test_planted_contrasts_of_exchanged_rows_priced_as_added_ones(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(contrasts, "SHARE", Fraction(99, 100))
    monkeypatch.setattr(
        "pets.synthetic.mst._SHARES", replace(mst._SHARES, first=0.05, clocks=0.0, strata=0.0, tables=0.9)
    )
    monkeypatch.setattr(SharedSpending, "_squared", lambda self, kind: self.rows**2)
    assert caught("replace_one")


def test_planted_a_choice_by_exact_totals(monkeypatch: pytest.MonkeyPatch):
    honest = Contrasts.best

    def peeking(self: Contrasts, weights: Any, *more: Any) -> Any:
        return honest(self, weights, *more) if sum(map(len, PEEK["codes"].T)) % 2 else sorted(weights)[0]

    PEEK: dict[str, np.ndarray] = {}
    encode = Recorder.regroup

    def watching(self: Recorder, groupings: Any) -> None:
        encode(self, groupings)
        PEEK["codes"] = np.zeros((1, sum(c.shape[1] for c in self.codes.values())))

    monkeypatch.setattr(Contrasts, "best", peeking)
    monkeypatch.setattr(Recorder, "regroup", watching)
    assert caught()


# The price of shares


@pytest.mark.parametrize(("epsilon", "honest"), [(1, 2), (8, 3), (40, 2)])
@pytest.mark.parametrize("relation", ["add_remove", "replace_one"])
def test_plans_with_shares_are_within_the_promise_and_use_it(epsilon: int, honest: int, relation: str):
    unit = pets.PrivacyUnit(neighbours=relation)
    steps = [Step("table", Fraction(1, 10), 8), Step("contrast", Fraction(1, 100), 20)]
    spending = Budget.of(epsilon, "1e-6", None).spend(steps, unit, SharedSpending(Fraction(1), unit, 3, honest))
    assert isinstance(spending, SharedSpending) and spending.sites == 3
    found = account(spending.losses(steps), delta="1e-6").epsilon
    # Where shares are narrow the whole plan may have to be paid by its rho, which is what that buys by itself.
    by_rho = spending.scale == 1 / (2 * Budget.of(epsilon, "1e-6", None).least_rho)
    assert by_rho or Fraction(99, 100) * epsilon < found <= epsilon
    assert not (by_rho and epsilon == 1)


def hockey_stick(p: np.ndarray, q: np.ndarray, epsilon: float) -> float:
    return float(np.maximum(p - np.exp(epsilon) * q, 0).sum())


@pytest.mark.parametrize("honest", [2, 3, 5])
def test_wide_shares_lose_what_one_discrete_gaussian_loses(honest: int):
    """The very law of the sum, by convolution, against the accountant's figure for the one that stands for it."""
    promised = Fraction(8 * honest)
    shares = concentrated_shares(promised, honest)
    assert isinstance(shares, GaussianShares)
    grid = np.arange(-200, 201)
    one = np.exp(-(grid**2) / (2 * float(shares.sigma2)))
    law = one / one.sum()
    for _ in range(honest - 1):
        law = np.convolve(law, one / one.sum())
    law = np.append(law, 0.0)
    for delta in (1e-3, 1e-6, 1e-9):
        stated = float(account([DiscreteGaussianLoss(promised * (1 + Fraction(1, 2**60)), 1)], delta=delta).epsilon)
        assert hockey_stick(law, np.roll(law, 1), stated) <= delta * (1 + 1e-6)
        assert hockey_stick(law, np.roll(law, 1), stated * 0.98) > delta


def test_narrow_shares_enter_with_the_loss_that_is_proven_for_them():
    unit = pets.PrivacyUnit()
    spending = SharedSpending(Fraction(1), unit, 3, 2)
    narrow, wide = Step("table", Fraction(1, 10), 1), Step("table", Fraction(1, 100), 1)
    assert spending._loss(narrow) == ZCDPLoss(Fraction(1, 20))
    assert spending._loss(wide) != ZCDPLoss(Fraction(1, 200))
    assert spending.sigma2(wide.share) == 150
    assert isinstance(spending.shares("table", narrow.share), SkellamShares)
    assert float(spending.sigma2(narrow.share)) == pytest.approx(1.5 * (10 + 1 / 16), rel=2e-3)


def test_several_rows_of_a_patient_cost_what_all_of_them_can_change():
    unit = pets.PrivacyUnit(id="patient_id", max_rows=3, neighbours="replace_one")
    spending = SharedSpending(Fraction(1), unit, 3, 3)
    share = Fraction(1, 100)
    assert spending.promised("table", share) == 100 * 9 * 2
    assert spending.promised("contrast", share) == 100 * 9 * 4
    assert spending._loss(Step("contrast", share, 1)) == ZCDPLoss(share / 2)


# Contrasts


def test_a_row_moves_every_contrast_by_one_and_tables_agree():
    encoding = Encoding.of(small_domain(), SURVIVAL)
    codes = encoding.encode(small_rows(80))
    masses = [np.bincount(c, minlength=s).astype(float) for c, s in zip(codes, encoding.sizes, strict=True)]
    signs = [halves(mass, ordered=True) for mass in masses]
    pairs = [(0, 1), (1, 4), (2, 5)]
    whole = contrast_of_codes(codes, pairs, signs)
    for row in every_row(encoding).T[::50]:
        moved = contrast_of_codes(np.column_stack([codes, row]), pairs, signs) - whole
        assert (np.abs(moved) == 1).all()
    for pair, value in zip(pairs, whole, strict=True):
        assert contrast_of_table(count(codes, encoding.sizes, (0, 1, 2, 4, 5)), (0, 1, 2, 4, 5), pair, signs) == value
        assert contrast_of_table(count(codes, encoding.sizes, pair), pair, pair, signs) == value


def test_halves_are_halves():
    assert halves(np.array([5.0, 1, 1, 3]), ordered=True).tolist() == [1, -1, -1, -1]
    assert abs((halves(np.array([1.0, 6, 3, 2]), ordered=False) * [1, 6, 3, 2]).sum()) == 0
    assert halves(np.array([7.0]), ordered=True).tolist() == halves(np.array([7.0]), ordered=False).tolist() == [1]


def test_the_pair_that_the_model_misses_is_chosen_and_then_another():
    signs = [np.array([1, -1])] * 3
    flat = np.full((2, 2), 250.0)
    pairs = [(0, 1), (0, 2), (1, 2)]
    found = Contrasts({(0, 1): 20, (0, 2): -600, (1, 2): 0}, 100.0, signs)
    weights, penalty, model = dict.fromkeys(pairs, 1), dict.fromkeys(pairs, 5.0), dict.fromkeys(pairs, flat)
    assert found.best(weights, penalty, model, [], (2, 2, 2)) == (0, 2)
    from pets.synthetic.fitting import Noisy

    measured = [Noisy((0, 2), flat.astype(np.int64), Fraction(4), grouped=True)]
    assert found.best(weights, penalty, model, measured, (2, 2, 2)) == (0, 1)
    assert found.best({(1, 2): 1, (0, 1): 100}, penalty, model, measured, (2, 2, 2)) == (0, 1)


def test_the_law_of_the_discrete_gaussian_is_the_one_that_the_shares_stand_for():
    law, one = concentrated_shares(Fraction(40), 2).total(2), DiscreteGaussianLaw(Fraction(40))
    assert max(abs(law.cdf(k) - one.cdf(k)) for k in range(-60, 61)) < 1e-9
