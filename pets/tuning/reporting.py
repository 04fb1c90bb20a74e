"""The page of a plan, its export and the record of a decision."""

from __future__ import annotations

from pets.errors import BudgetExceeded
from pets.guarantee import PureDP
from pets.tuning.numbers import numbers
from pets.tuning.plan import TuningPlan
from pets.tuning.plan_text import to_toml


def page_of(plan: TuningPlan) -> str:
    """Return the page of a plan as one HTML text; equal plans give equal pages, byte for byte.

    Parameters
    ----------
    plan
        What is tuned.
    """
    from pets.tuning.page.page import render

    return render(numbers(plan))


def export(plan: TuningPlan) -> str:
    """Return the plan as TOML, if the account can pay for it; :func:`pets.tuning.load` reads it again.

    Parameters
    ----------
    plan
        What was decided.

    Raises
    ------
    BudgetExceeded
        The account has less left than the plan costs. Nothing was charged: the ledger charges when the plan is run.
    """
    left = max(plan.budget.left, type(plan.budget.left)(0))
    if plan.privacy.epsilon > left:
        raise BudgetExceeded(PureDP(plan.privacy.epsilon), PureDP(left))
    return to_toml(plan)
