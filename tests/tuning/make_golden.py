"""Writes data/golden_curves.json: what the page's script must agree with to 1e-9.

python tests/tuning/make_golden.py
"""

from __future__ import annotations

import json
import sys
from itertools import cycle, islice
from pathlib import Path

from pets.tuning import curves
from pets.tuning.rule import Rule

FILE = Path(__file__).parent / "data" / "golden_curves.json"
EPSILONS = (0.05, 0.1, 0.13, 0.2, 0.25, 0.37, 0.5, 0.7, 1.0, 1.3, 2.0, 3.1, 5.0, 7.7, 10.0)
SENSITIVITIES = (1, 2, 3, 4, 6, 10)
COUNTS = (0, 0.4, 0.5, 1, 2, 2.7, 3, 4, 5, 7.5, 11, 16, 18, 31, 66, 100, 495.25, 12345)
DELTAS = (1e-5, 1e-6, 1e-9)
ADDERS = ((3, 2), (5, 3), (21, 8), (7, 7))
RULES = (Rule(), Rule("noise alone", 0.3, 0.1, 5, "noise"), Rule("strict", 0.1, 0.001, 10))


def cases() -> list[dict[str, object]]:
    """Return 400 Laplace and 100 Gaussian points, over all combinations by coprime steps; most are of shares."""
    found = []
    points = zip(cycle(EPSILONS), cycle((*SENSITIVITIES[:5], 10, 1)), cycle(COUNTS[:17]), cycle(DELTAS), cycle(RULES))
    for i, (epsilon, sensitivity, usual, delta, rule) in enumerate(islice(points, 500)):
        count = 12345 if i % 49 == 0 else usual
        noise = curves.laplace(epsilon, sensitivity)
        if i % 5 == 4:
            noise = curves.gaussian(curves.rho_for(epsilon, delta), sensitivity**2)
        adders = ADDERS[i % 3 + i % 2] if i % 3 else None
        noise = noise.in_shares(*adders) if adders else noise
        found.append(case(noise, epsilon, sensitivity, count, delta, rule) | {"adders": _named(adders)})
    return found


def case(
    noise: curves.Noise, epsilon: float, sensitivity: int, count: float, delta: float, rule: Rule
) -> dict[str, object]:
    """Return the inputs of one point and all that is expected of it."""
    return {
        "kind": "discrete_gaussian" if noise.kind in ("discrete_gaussian", "skellam") else "discrete_laplace",
        "epsilon": epsilon,
        "delta": delta,
        "sensitivity": sensitivity,
        "count": count,
        "person_years": 1_234_567,
        "rule": RULES.index(rule),
        "expect": {
            "parameter": noise.parameter,
            "variance": noise.variance,
            "half_width": noise.half_width(),
            "interval": list(curves.interval(noise, count)),
            "seen_as_zero": curves.seen_as_zero(noise, count),
            "phantom": curves.phantom(noise),
            "relative_noise": curves.relative_noise(noise, count),
            "relative_error": curves.relative_error(noise, count),
            "widening": curves.widening(noise, count),
            "rate": list(curves.rate(noise, count, 1_234_567)),
            "threshold": curves.threshold(noise, rule.max_relative_error),
            "smallest_usable": rule.smallest_usable(noise),
            "verdict": rule.verdict(noise, count),
            "odds_bound": curves.odds_bound(epsilon),
            "belief_after": curves.belief_after(0.1, epsilon),
            "belief_before": curves.belief_before(0.1, epsilon),
        },
    }


def _named(adders: tuple[int, int] | None) -> dict[str, int] | None:
    return None if adders is None else {"sites": adders[0], "honest": adders[1]}


def text() -> str:
    """Return the file."""
    lines = ",\n".join(json.dumps(found, separators=(",", ":")) for found in cases())
    rules = json.dumps([rule.to_dict() for rule in RULES])
    return f'{{"schema":1,"z95":{curves.Z95},"rules":{rules},"cases":[\n{lines}\n]}}\n'


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text(), encoding="utf-8")
    sys.stdout.write(f"{FILE}\n")
