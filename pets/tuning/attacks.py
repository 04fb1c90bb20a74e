"""What attackers achieve against each way of publishing, measured, beside chance and the proven bound.

Draws come from the real samplers on a stream that the plan fixes, so that the page comes out the same each time.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.guarantee.wording import approx_distance
from pets.tuning import curves
from pets.tuning.outputs import Integers, Output, cell_key, draw_noise, ptable, rounding, synthetic
from pets.tuning.plan import TuningPlan
from pets.tuning.suppression import MINIMUM, suppressed

RUNS = 10_000
"""Publications that are guessed on: half of them with the patient, half without."""

_EXACTLY = "small cells that follow exactly from the shown cells and the printed totals"
_AUDITED = "small cells that follow exactly; the best known of them is {low} to {high} (audited)"
_LINES = "small cells that follow line by line, hence at least so many; further cells are not searched for such tables"
_ALL = "the attacker knows every other patient and the cells she would be in, and weighs all noisy tables"
_ONE = "the attacker knows every other patient, and sees one published cell"
_AVERAGED = "who may ask freely averages {answers} different answers about one cell; true count {count}"
"""What each attacker knows and does: keys of the page's catalogues, with places for numbers."""

ANSWERS, ANALYSTS = 64, 200
"""Averaging attack: answers that one analyst gets, and analysts."""


def attacks_of(plan: TuningPlan) -> list[dict[str, Any]]:
    """Return every attack with its measured success, as the page shows it."""
    return [_all_tables(plan), *_by_subtraction(plan), *_on_rules(plan)]


def wilson(successes: float, runs: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share.

    References
    ----------
    Wilson, *Probable inference, the law of succession, and statistical inference*, JASA 22, 1927.
    """
    if runs == 0:
        return 0.0, 1.0
    z2, share = curves.Z95**2, successes / runs
    middle = (share + z2 / (2 * runs)) / (1 + z2 / runs)
    half = curves.Z95 * math.sqrt(share * (1 - share) / runs + z2 / (4 * runs * runs)) / (1 + z2 / runs)
    return max(0.0, middle - half), min(1.0, middle + half)


def bound_of(plan: TuningPlan, epsilon: float) -> float:
    """Return how often, at most, the best guesser is right under the promise with this epsilon."""
    delta = float(plan.privacy.delta) if plan.privacy.mechanism == "discrete_gaussian" else 0.0
    return (1 + approx_distance(epsilon, delta)) / 2


def target(plan: TuningPlan, table: int = 0) -> int:
    """Return the count of the rarest cell of a table that is not empty: where one patient stands out most."""
    counts = [curves.whole(n) for n in plan.tables[table].counts if curves.whole(n) >= 1]
    return min(counts, default=1)


def best_guess(plan: TuningPlan, output: Output, kind: str, what: str) -> dict[str, Any]:
    """Return how often a guesser is right who knows all other patients, and sees one published cell.

    He learns from as many publications of his own what either world looks like, and is then tested on others.
    """
    found = _guessed(output, target(plan), seed_of(plan, kind))
    return found | {"chance": 0.5, "what": what}


def _guessed(output: Output, count: int, seed: int) -> dict[str, Any]:
    half = RUNS // 2
    worlds = [(count, seed), (count - 1, seed + 1)]
    learnt = [_frequencies(output.draw(n, RUNS, s)) for n, s in worlds]
    right = 0
    for place, (n, s) in enumerate(worlds):
        says_in = _says_in(output.draw(n, half, s + 2), learnt[0], learnt[1], count)
        right += int(says_in.sum()) if place == 0 else half - int(says_in.sum())
    low, high = wilson(right, RUNS)
    return {"success": right / RUNS, "low": low, "high": high, "runs": RUNS}


def _frequencies(values: Integers) -> dict[int, int]:
    found, times = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), times.tolist(), strict=True))


def _says_in(values: Integers, present: dict[int, int], absent: dict[int, int], count: int) -> NDArray[np.bool_]:
    """Guess 'in' where the value was commoner with the patient; of values as common in both, from `count` on."""
    distinct, places = np.unique(values, return_inverse=True)
    spread = max(present) - min(present)
    if spread > 2 * MINIMUM:  # wide laws are learnt by their one threshold, which beats learning each value
        return np.asarray(values >= count)
    more = [present.get(v, 0) - absent.get(v, 0) for v in distinct.tolist()]
    says = np.array([d > 0 or (d == 0 and v >= count) for d, v in zip(more, distinct.tolist(), strict=True)])
    return np.asarray(says[places])


def _all_tables(plan: TuningPlan) -> dict[str, Any]:
    """Return the attack on all tables of the plan at once: the patient is in one cell of each."""
    success = _likelihood(tuple(plan.noise(i) for i in range(len(plan.tables))), seed_of(plan, "all tables"))
    low, high = wilson(round(success * RUNS), RUNS)
    epsilon = float(plan.privacy.epsilon)
    return {
        "name": "is she in? all tables of this plan",
        "kind": plan.privacy.mechanism,
        "what": _ALL,
        "what_key": _ALL,
        "what_values": {},
        "success": success,
        "low": low,
        "high": high,
        "chance": 0.5,
        "bound": bound_of(plan, epsilon),
        "runs": RUNS,
        "date": plan.built,
        "epsilon": epsilon,
    }


@lru_cache(maxsize=64)
def _likelihood(noises: tuple[curves.Noise, ...], seed: int) -> float:
    """Return the share of right guesses by the likelihood ratio of one cell in each table."""
    half, right = RUNS // 2, 0
    for world in (0, 1):
        evidence = np.zeros(half)
        for index, noise in enumerate(noises):
            seen = world + draw_noise(noise, half, seed + 1 + 2 * index + world).astype(np.float64)
            evidence += _log_ratio(noise, seen)
        says_in = evidence > 0
        fair = np.arange(half) % 2 == 0  # of what says nothing, every other one
        says_in = np.where(evidence == 0, fair, says_in)
        right += int(says_in.sum()) if world else half - int(says_in.sum())
    return right / RUNS


def _log_ratio(noise: curves.Noise, seen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much likelier each value is with one case than with none, as a logarithm."""
    if noise.kind == "discrete_laplace":
        return np.asarray(noise.parameter * (np.abs(seen) - np.abs(seen - 1)))
    if noise.kind == "discrete_gaussian":
        return np.asarray((seen**2 - (seen - 1) ** 2) / (2 * noise.parameter))
    log = np.log(np.array(noise.weights))
    without, present = (np.minimum(np.abs(seen - case).astype(np.int64), len(log) - 1) for case in (0, 1))
    return np.asarray(log[present] - log[without])


def _by_subtraction(plan: TuningPlan) -> list[dict[str, Any]]:
    found, alone = suppressed(plan), f"subtraction: suppression under {MINIMUM} alone"
    if not found.small:
        return []
    if found.recovered is None:
        return [_counted(plan, alone, found.recovered_open, found.small, _LINES)]
    further = f"subtraction: suppression under {MINIMUM}, with complementary cells"
    ends = found.narrowest
    narrowest = {} if ends is None else {"low": ends[0], "high": ends[1]}
    return [
        _counted(plan, alone, found.recovered_open, found.small, _EXACTLY),
        _counted(plan, further, found.recovered, found.small, _AUDITED if ends else _EXACTLY, narrowest),
    ]


def _counted(
    plan: TuningPlan, name: str, successes: int, of: int, what: str, values: dict[str, int] | None = None
) -> dict[str, Any]:
    low, high = wilson(successes, of)
    return {
        "name": name,
        "kind": "suppression",
        "what": what.format(**values or {}),
        "what_key": what,
        "what_values": values or {},
        "success": successes / of,
        "low": low,
        "high": high,
        "chance": 1 / (MINIMUM - 1),
        "bound": None,
        "runs": of,
        "date": plan.built,
        "epsilon": None,
    }


def _on_rules(plan: TuningPlan) -> list[dict[str, Any]]:
    share = float(plan.privacy.epsilon * plan.tables[0].share)
    outputs = [
        ("is she in? random rounding", "rounding", rounding(), None, None),
        ("is she in? cell key", "cell_key", cell_key(), None, None),
        ("is she in? synthetic rows of one table", "synthetic", synthetic(plan.noise(0)), bound_of(plan, share), share),
    ]
    found = []
    for name, kind, output, bound, epsilon in outputs:
        measured = best_guess(plan, output, kind, _ONE) | {"what_key": _ONE, "what_values": {}}
        found.append({"name": name, "kind": kind} | measured | {"bound": bound, "date": plan.built, "epsilon": epsilon})
    return [*found, _averaging(plan)]


def _averaging(plan: TuningPlan) -> dict[str, Any]:
    count = target(plan)
    success, low, high = _averaged(count, seed_of(plan, "averaging"))
    values = {"answers": ANSWERS, "count": count}
    return {
        "name": "averaging: cell key",
        "kind": "cell_key",
        "what": _AVERAGED.format(**values),
        "what_key": _AVERAGED,
        "what_values": values,
        "success": success,
        "low": low,
        "high": high,
        "chance": 1 / (2 * ptable().largest + 1),
        "bound": None,
        "runs": ANALYSTS,
        "date": plan.built,
        "epsilon": None,
    }


@lru_cache(maxsize=64)
def _averaged(count: int, seed: int) -> tuple[float, float, float]:
    from pets.disclosure.cell_key import averaging_attack

    found = averaging_attack(ptable(), count, queries=ANSWERS, repeats=ANALYSTS, insecure_seed=seed)
    return float(found.found[-1]), float(found.low[-1]), float(found.high[-1])


def seed_of(plan: TuningPlan, name: str) -> int:
    """Return a seed that the plan's settings and the attack's name fix."""
    text = f"{plan.source.digest} {plan.privacy!r} {[str(t.share) for t in plan.tables]} {name}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
