"""The account that pays: what is spent, what this plan takes, what is left for the years to come."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

from pets.exact import exact, show
from pets.tuning import curves
from pets.tuning.plan import Budget, TuningPlan


def budget_of(plan: TuningPlan) -> dict[str, Any]:
    """Return the budget as the page shows it. Sums are exact; `over` means that nothing may be exported."""
    budget, cost = plan.budget, plan.privacy.epsilon
    left = budget.left - cost
    return {
        "total": float(budget.total),
        "assumed": budget.assumed,
        "spent": [{"date": s.date, "label": s.label, "epsilon": float(s.epsilon)} for s in budget.spent],
        "used": float(budget.used),
        "this_plan": float(cost),
        "left": float(left),
        "over": left < 0,
        "years_possible": years_possible(budget, cost),
        "projection": [{"year": year, "left": float(budget.left - year * cost)} for year in range(1, budget.years + 1)],
        "tighter": tighter(plan),
        "composition_words": _words(plan),
    }


def years_possible(budget: Budget, cost: Fraction) -> int:
    """Return how many releases of this cost the account still pays for."""
    return max(0, budget.left // cost)


def tighter(plan: TuningPlan) -> dict[str, Any]:
    """Return what all yearly releases cost together: the plain sum, and the tighter composition at the plan's delta."""
    years = min(plan.budget.years, max(1, years_possible(plan.budget, plan.privacy.epsilon)))
    plain = years * plan.privacy.epsilon
    return {"releases": years, "plain": float(plain), "delta": float(plan.privacy.delta)} | {
        "composed": composed(plan.privacy.mechanism, plan.privacy.epsilon, plan.privacy.delta, years)
    }


@lru_cache(maxsize=256)
def composed(mechanism: str, epsilon: Fraction, delta: Fraction, releases: int) -> float:
    """Return the epsilon at `delta` of that many releases together, never above the plain sum."""
    from pets.dp.accounting import Loss, PureLoss, Repeated, ZCDPLoss, account

    plain = float(releases * epsilon)
    each: Loss = PureLoss(epsilon)
    if mechanism == "discrete_gaussian":
        each = ZCDPLoss(exact(curves.rho_for(float(epsilon), float(delta)), "rho"))
    return min(plain, float(account([Repeated(each, releases)], delta=delta).epsilon))


def _words(plan: TuningPlan) -> str:
    found = tighter(plan)
    gain = 1 - found["composed"] / found["plain"]
    return (
        f"{found['releases']} such releases over the same patients cost {show(found['plain'], 3)} by the plain sum, "
        f"and {show(found['composed'], 3)} by the tightest composition at delta {show(found['delta'], 3)}: "
        f"{100 * gain:.0f} % less. Releases about different patients (each year's new cases only) do not add up."
    )
