"""The script's closed forms against those of Python, on the golden file, in a browser."""

from __future__ import annotations

import json
import math
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "golden_curves.json").read_text(encoding="utf-8"))
SCRIPTS = files("pets.tuning.page") / "scripts"
EVALUATE = """
const noiseOf = (c) => c.kind === "discrete_laplace"
  ? laplace(c.epsilon, c.sensitivity, c.adders)
  : gaussian(rhoFor(c.epsilon, c.delta), c.sensitivity ** 2, c.adders);
return JSON.stringify(cases.map((c) => {
  const noise = noiseOf(c);
  const rule = rules[c.rule];
  return {
    parameter: noise.parameter, variance: noise.variance, half_width: noise.halfWidth(),
    interval: interval(noise, c.count), seen_as_zero: seenAsZero(noise, c.count), phantom: phantom(noise),
    relative_noise: relativeNoise(noise, c.count), relative_error: relativeError(noise, c.count),
    widening: widening(noise, c.count), rate: rate(noise, c.count, c.person_years),
    threshold: threshold(noise, rule.max_relative_error), smallest_usable: smallestUsable(rule, noise),
    verdict: verdictOf(rule, noise, c.count), odds_bound: oddsBound(c.epsilon),
    belief_after: beliefAfter(0.1, c.epsilon), belief_before: beliefBefore(0.1, c.epsilon),
  };
}));
"""


def computed(browser: Any, change: tuple[str, str] = ("", "")) -> list[dict[str, Any]]:
    """Return what the shipped functions give for each golden case; `change` plants a bug in them."""
    source = "\n".join(SCRIPTS.joinpath(f"{name}.js").read_text(encoding="utf-8") for name in ("curves", "rule"))
    assert change[0] in source
    page = browser.new_page()
    text = page.evaluate(
        f"(text) => {{ const {{ cases, rules }} = JSON.parse(text); {source.replace(*change) if change[0] else source} "
        f"{EVALUATE} }}",
        json.dumps(GOLDEN),
    )
    page.close()
    found: list[dict[str, Any]] = json.loads(text)
    return found


def differing(found: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return [
        (i, name)
        for i, (case, values) in enumerate(zip(GOLDEN["cases"], found, strict=True))
        for name, expected in case["expect"].items()
        if (values[name] != expected if isinstance(expected, str) else not close(values[name], expected))
    ]


def close(found: Any, expected: Any) -> bool:
    if isinstance(expected, list):
        return all(map(close, found, expected))
    return found is None if expected is None else math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12)


def test_the_browser_agrees_with_python(browser: Any) -> None:
    assert len(GOLDEN["cases"]) == 500
    assert differing(computed(browser)) == []


@pytest.mark.parametrize(
    "change",
    [
        ("Math.ceil(reach - 1e-9)", "Math.round(reach)"),
        ("Math.exp(-x * k) / (1 + decay)", "Math.exp(-x * k) / 2"),
        ("const SUMMED = 9.5", "const SUMMED = 4.5"),
        ("Z95 ** 2 / 4", "Z95 / 4"),
        ("decay * (k + 1 - shape) * ratio", "decay * (k - 1 + shape) * ratio"),
        ("variance / (2 * k + variance * ratio)", "variance / (2 * k + ratio)"),
        ("sigma2 < SMOOTH * adders.honest", "sigma2 < SMOOTH"),
        ("Math.floor(count + 0.5)", "Math.floor(count)"),
        ("whole(count) >= rule.minimum_count", "whole(count) > rule.minimum_count"),
    ],
)
def test_a_wrong_formula_would_be_found(browser: Any, change: tuple[str, str]) -> None:
    assert differing(computed(browser, change))
