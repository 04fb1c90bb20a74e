"""No look at the data but those that were paid for, and each for no more than its price.

A fit is run twice, on neighbours, with the same answers to all its questions. What it asks must then be the same, and
the model it returns the same to the last byte: so all that depends on the data goes through the noise. And for each
question the exact change between the neighbours is compared with what its step may lose. A spread of the neighbours of
a small table is tried, not only the one with a row less.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from pets.dp.accounting import account
from pets.privacy_unit import PrivacyUnit
from pets.synthetic import AIM, MST, Adaptive, Independent, aim, budget, independent, mst
from pets.synthetic.budget import Spending, Step
from pets.synthetic.coarsening import Grouping
from pets.synthetic.draws import Draws
from pets.synthetic.encoding import Encoding
from pets.synthetic.fitting import Fitting
from pets.synthetic.model_file import read
from pets.synthetic.plan import Shares
from pets.synthetic.synthesizer import COUNT_SHARE, Synthesizer
from tests.synthetic.support import SURVIVAL, Recorder, every_row, small_domain, small_rows

KINDS = [Independent, MST, AIM, Adaptive]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """How well a model is fitted changes no loss; so it is fitted badly, and quickly."""
    for module in (aim, mst, independent):
        tuning = replace(module._TUNING, iterations=2, last=2, simulated=300)
        monkeypatch.setattr(module, "_TUNING", tuning)


def run(synthesizer: Synthesizer, encoding: Encoding, codes: np.ndarray, seed: int) -> tuple[bytes, Recorder]:
    recorder = Recorder(seed)
    model = synthesizer._drawn(encoding, codes, recorder)  # type: ignore[arg-type]
    return model.to_bytes(), recorder


def neighbours(encoding: Encoding, codes: np.ndarray) -> Iterator[np.ndarray]:
    """Every table that one row added (or exchanged for the first one) makes of `codes`."""
    exchanged = encoding.domain.unit.neighbours == "replace_one"
    for row in every_row(encoding).T[::37]:
        yield np.column_stack([codes[:, 1:] if exchanged else codes, row])


def lost(left: Recorder, right: Recorder) -> tuple[Fraction, list[str]]:
    """Return the zero-concentrated loss between two runs, and what is wrong with them."""
    total, wrong = Fraction(0), []
    if [s.kind for s in left.steps] != [s.kind for s in right.steps]:
        return total, ["the two runs ask other questions"]
    for a, b in zip(left.steps, right.steps, strict=True):
        if a.asked.shape != b.asked.shape or a.parameter != b.parameter:
            wrong.append(f"a {a.kind} has another shape or price")
            continue
        change = b.asked - a.asked
        if a.kind == "table":
            total += Fraction(int((change**2).sum())) / (2 * a.parameter)
        elif a.kind == "choice":
            total += (a.parameter * int(change.max() - change.min())) ** 2 / 8
    return total, wrong


def priced(synthesizer: Synthesizer, encoding: Encoding, recorder: Recorder) -> Fraction:
    """Return what the plan says that the whole fit loses, in rho, without the number of rows."""
    plan = synthesizer.plan(encoding, synthesizer._left(encoding), synthesizer.rows or 300)
    asked = sum(step.kind != "count" for step in recorder.steps)
    assert asked == sum(step.times for step in plan.steps), "a question that is not in the plan"
    return 1 / (2 * plan.spending.scale)


@pytest.mark.parametrize(
    ("kind", "relation", "rows"),
    [(kind, "add_remove", 120) for kind in KINDS] + [(MST, "replace_one", 120), (AIM, "replace_one", None)]
    + [(kind, "add_remove", None) for kind in (MST, AIM)],
)  # fmt: skip
def test_neighbours_are_told_apart_by_no_more_than_the_price(kind: Any, relation: str, rows: int | None):
    encoding = Encoding.of(small_domain(neighbours=relation), SURVIVAL)
    codes = encoding.encode(small_rows(120))
    synthesizer = kind(epsilon=4, delta="1e-5", survival=SURVIVAL, rows=rows)
    bytes_, base = run(synthesizer, encoding, codes, 3)
    allowed = priced(synthesizer, encoding, base)
    worst = Fraction(0)
    for other in neighbours(encoding, codes):
        other_bytes, recorder = run(synthesizer, encoding, other, 3)
        loss, wrong = lost(base, recorder)
        assert not wrong
        assert other_bytes == bytes_, "the model depends on the data by another way than the noise"
        worst = max(worst, loss)
    assert worst <= allowed
    assert worst > allowed / 2, "the price is far above what any neighbour loses"


def test_a_unit_of_several_rows_costs_what_all_its_rows_can_change():
    encoding = Encoding.of(small_domain(id="patient_id", max_rows=3), SURVIVAL)
    codes = encoding.encode(small_rows(90).assign(patient_id=range(90)))
    synthesizer = MST(epsilon=4, delta="1e-5", survival=SURVIVAL, rows=90)
    _, base = run(synthesizer, encoding, codes, 1)
    allowed = priced(synthesizer, encoding, base)
    losses = []
    for row in every_row(encoding).T[::9]:
        _, recorder = run(synthesizer, encoding, np.column_stack([codes, row, row, row]), 1)
        losses.append(lost(base, recorder)[0])
    assert allowed / 2 < max(losses) <= allowed


def test_the_number_of_rows_is_bought_when_nobody_declares_it():
    encoding = Encoding.of(small_domain(), SURVIVAL)
    codes = encoding.encode(small_rows(50))
    _, recorder = run(MST(epsilon=2, survival=SURVIVAL), encoding, codes, 1)
    counts = [step for step in recorder.steps if step.kind == "count"]
    assert [step.parameter for step in counts] == [1 / (COUNT_SHARE * 2)]
    _, declared = run(MST(epsilon=2, survival=SURVIVAL, rows=50), encoding, codes, 1)
    assert all(step.kind != "count" for step in declared.steps)


@pytest.mark.parametrize("kind", [Independent, MST, AIM])
@pytest.mark.parametrize("rows", [None, 500])
def test_what_the_steps_lose_is_within_the_promise(kind: Any, rows: int | None):
    encoding = Encoding.of(small_domain(), SURVIVAL)
    synthesizer = kind(epsilon=1, delta="1e-6", survival=SURVIVAL, rows=rows)
    plan = synthesizer.plan(encoding, synthesizer._left(encoding), 500)
    rest = account(plan.spending.losses(plan.steps), delta="1e-6").epsilon
    counted = 0 if rows else COUNT_SHARE
    assert rest + counted <= 1
    assert rest + counted > Fraction(99, 100), "some of the budget is not used"


# Planted bugs: each must be seen by the checks above.


def caught(check: Any, *arguments: Any) -> bool:
    try:
        check(*arguments)
    except (AssertionError, ValueError, IndexError):
        return True
    return False


ARGUMENTS = (MST, "add_remove", 120)


def test_planted_half_the_sensitivity(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Spending, "sigma2", lambda self, share: self.l2_squared * self.scale / share / 4)
    assert caught(test_neighbours_are_told_apart_by_no_more_than_the_price, *ARGUMENTS)


def test_planted_scores_said_to_move_half_as_far(monkeypatch: pytest.MonkeyPatch):
    honest = Spending.rate
    monkeypatch.setattr(Spending, "rate", lambda self, share, lipschitz: 4 * honest(self, share, lipschitz))
    monkeypatch.setattr("pets.synthetic.mst._SHARES", replace_choices())
    assert caught(test_neighbours_are_told_apart_by_no_more_than_the_price, *ARGUMENTS)


def replace_choices() -> Any:
    """Shares in which choices cost so much that a wrong price of theirs cannot hide behind the tables."""
    return Shares(first=0.1, clocks=0.1, strata=0.1, choices=0.6, tables=0.1)


def test_planted_categories_from_the_data(monkeypatch: pytest.MonkeyPatch):
    honest = Fitting.__post_init__

    def leaking(self: Fitting) -> None:
        honest(self)
        present = [np.isin(np.arange(g.size), c) for g, c in zip(self.groupings, self.codes, strict=True)]
        self.regroup(tuple(Grouping(np.maximum(np.cumsum(p) - 1, 0)) for p in present))

    monkeypatch.setattr(Fitting, "__post_init__", leaking)
    monkeypatch.setattr("pets.synthetic.run.groupings", lambda fitting, sigma, strength: fitting.groupings)
    assert caught(rare_category)


def rare_category() -> None:
    """A label that nobody has, and one patient who has it."""
    encoding = Encoding.of(small_domain(), SURVIVAL)
    codes = encoding.encode(small_rows(60))
    codes = codes[:, codes[1] != 2]
    bytes_, base = run(MST(epsilon=4, survival=SURVIVAL, rows=60), encoding, codes, 3)
    row = every_row(encoding)[:, every_row(encoding)[1] == 2][:, 0]
    other, recorder = run(MST(epsilon=4, survival=SURVIVAL, rows=60), encoding, np.column_stack([codes, row]), 3)
    assert lost(base, recorder)[1] == []
    assert other == bytes_


def test_a_rare_category_leaves_no_trace_of_its_own():
    rare_category()


def test_planted_missing_composition(monkeypatch: pytest.MonkeyPatch):
    honest = Fitting.measure

    def twice(self: Fitting, *arguments: Any, **more: Any) -> Any:
        honest(self, *arguments, **more)
        return honest(self, *arguments, **more)

    monkeypatch.setattr(Fitting, "measure", twice)
    assert caught(test_neighbours_are_told_apart_by_no_more_than_the_price, *ARGUMENTS)


def test_planted_an_exact_number_of_rows(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Fitting, "total", property(lambda self: float(self.codes.shape[1])))
    assert caught(test_neighbours_are_told_apart_by_no_more_than_the_price, MST, "add_remove", None)


def test_planted_a_price_below_what_the_accountant_says(monkeypatch: pytest.MonkeyPatch):
    honest = Spending.losses

    def forgetful(self: Spending, steps: Any) -> Any:
        return honest(self, [step for step in steps if step.kind == "table"])

    plan_steps = [Step("table", Fraction(1, 2), 1), Step("choice", Fraction(1, 2), 1)]
    unit = PrivacyUnit()
    budget._scale.cache_clear()
    monkeypatch.setattr(Spending, "losses", forgetful)
    spending = budget.Budget.of(1, "1e-6", None).spend(plan_steps, unit)
    monkeypatch.undo()
    budget._scale.cache_clear()
    assert account(spending.losses(plan_steps), delta="1e-6").epsilon > 1


def test_sampling_looks_at_no_record():
    """A model that comes back from a file has no rows to look at, and gives the same rows as the one in memory."""
    encoding = Encoding.of(small_domain(), SURVIVAL)
    codes = encoding.encode(small_rows(60))
    model = MST(epsilon=4, survival=SURVIVAL)._drawn(encoding, codes, Draws.insecure(1))
    held = [value for value in vars(model).values() if isinstance(value, np.ndarray | Fitting)]
    assert held == []
    before = codes.copy()
    codes[:] = 0
    again = read(model.to_bytes())
    assert model.sample(500, seed=4).equals(again.sample(500, seed=4))
    assert not np.array_equal(before, codes)
