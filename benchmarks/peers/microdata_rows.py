"""The same made-up registry in every process: records with six keys and one sensitive column. Needs NumPy only."""

from __future__ import annotations

import numpy as np

KEYS = ["site", "age", "sex", "district", "year", "laterality"]
SENSITIVE = "status"

SITES, DISTRICTS, FIRST_YEAR, YEARS = 47, 16, 2012, 10


def rows(number: int) -> dict[str, np.ndarray]:
    """Return columns of texts and integers; sites are as unequal as childhood cancers are."""
    generator = np.random.default_rng(2026)
    weight = 1 / np.arange(1, SITES + 1) ** 1.1
    sites = np.array([f"S{i:02d}" for i in range(SITES)], dtype=object)
    districts = np.array([f"D{i:02d}" for i in range(DISTRICTS)], dtype=object)
    return {
        "site": sites[generator.choice(SITES, number, p=weight / weight.sum())],
        "age": generator.integers(0, 18, number),
        "sex": np.array(["f", "m"], dtype=object)[generator.integers(0, 2, number)],
        "district": districts[generator.integers(0, DISTRICTS, number)],
        "year": FIRST_YEAR + generator.integers(0, YEARS, number),
        "laterality": np.array(["left", "right", "both"], dtype=object)[generator.integers(0, 3, number)],
        SENSITIVE: np.array(["alive", "dead", "lost"], dtype=object)[generator.choice(3, number, p=[0.8, 0.15, 0.05])],
    }


def groups() -> dict[str, list[dict[object, str]]]:
    """Return for each key its levels from fine to coarse, as value to group."""
    sites = [f"S{i:02d}" for i in range(SITES)]
    years = range(FIRST_YEAR, FIRST_YEAR + YEARS)
    return {
        "site": [
            {s: f"group {i // 4}" for i, s in enumerate(sites)},
            {s: "blood" if i < 16 else "solid" for i, s in enumerate(sites)},
        ],
        "age": [
            {a: f"{5 * (a // 5)}-{5 * (a // 5) + 4}" for a in range(18)},
            {a: "under 10" if a < 10 else "10-17" for a in range(18)},
        ],
        "district": [{f"D{i:02d}": f"region {i // 4}" for i in range(DISTRICTS)}],
        "year": [{y: f"{y - y % 2}-{y - y % 2 + 1}" for y in years}, {y: f"{10 * (y // 10)}s" for y in years}],
    }
