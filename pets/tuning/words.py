"""What epsilon means, in frequencies and beliefs."""

from __future__ import annotations

import math
from typing import Any

from pets.exact import show
from pets.guarantee import PureDP
from pets.guarantee.groups import beyond_one_unit
from pets.tuning import curves
from pets.tuning.plan import TuningPlan

PRIORS = (0.01, 0.1, 0.5)
"""Beliefs before the publication: one in a hundred, one in ten, an even guess."""

NOT_COVERED = (
    "This covers one {noun} in the tables of this plan. It does not cover other tables about the same patients, unless "
    "they are charged to the same account; relatives who are patients too, whose losses add up; nor what the numbers "
    "teach about groups: that a disease is commoner among boys holds for every boy, whether he is in the data or not."
)


def plain_words(plan: TuningPlan) -> dict[str, Any]:
    """Return the promise at the plan's epsilon in frequencies and beliefs, as the page shows it at first."""
    epsilon = float(plan.privacy.epsilon)
    right = round(100 * curves.odds_bound(epsilon))
    noun = plan.privacy.unit.noun
    return {
        "wrong_of_100": 100 - right,
        "right_of_100": right,
        "sentence": (
            f"Of 100 possible publications, {100 - right} would make the best guesser say 'in' when this {noun} is "
            f"not, {right} when this {noun} is."
        ),
        "likelihood_ratio": math.exp(epsilon),
        "beliefs": [
            {"before": p, "at_most": curves.belief_after(p, epsilon), "at_least": curves.belief_before(p, epsilon)}
            for p in PRIORS
        ],
        "groups": [
            {"who": who, "what": what}
            for who, what in beyond_one_unit(PureDP(plan.privacy.epsilon, unit=plan.privacy.unit))
        ],
        "does_not_cover": NOT_COVERED.format(noun=noun),
    }


def unit_words(plan: TuningPlan) -> str:
    """Return whose presence is protected, in words: ``one patient (at most 2 rows) added or removed``."""
    return str(plan.privacy.unit)


def assumed_words(plan: TuningPlan) -> str:
    """Return what is assumed because nobody has said otherwise; empty if everything was stated."""
    way = "in the open" if plan.aggregator == "plain" else f"by {plan.aggregator}"
    place = "by the registries inside the sum" if plan.noise_at == "sites" else "by one trusted party"
    texts = {
        "epsilon": f"epsilon {show(plan.privacy.epsilon)}",
        "unit": f"at most {plan.privacy.unit.max_rows} row of one {plan.privacy.unit.noun} in a table",
        "sites": f"{plan.sites} registr{'y' if plan.sites == 1 else 'ies'} (--sites)",
        "aggregator": f"counts added up {way}",
        "noise_at": f"noise added {place}",
        "rule": f"the rule of {100 * plan.rule.max_relative_error:g} %",
    }
    parts = [texts[name] for name in plan.assumed]
    parts += [f"a budget of {show(plan.budget.total)}"] if plan.budget.assumed else []
    return "; ".join(parts)


def contribution_words(plan: TuningPlan) -> str:
    """Return what the contribution bound does."""
    bound, shares = plan.privacy.unit.max_rows, plan.privacy.rows_per_person
    text = f"At most {bound} row{'s' * (bound > 1)} of one {plan.privacy.unit.noun} enter{'s' * (bound == 1)} a table"
    if not shares:
        return text + "; how many cases that cuts off is not known here: give rows_per_person."
    return (
        text + f"; that leaves out {show(100 * cut_share(shares, bound), 3)} % of the rows (as declared in the plan)."
    )


def cut_share(shares: tuple[float, ...], bound: int) -> float:
    """Return the share of rows that a bound on the rows of one person leaves out."""
    rows = sum((i + 1) * share for i, share in enumerate(shares))
    return sum(max(0, i + 1 - bound) * share for i, share in enumerate(shares)) / rows
