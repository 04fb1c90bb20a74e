"""The results as plain data, for programs: ``results.json``."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pets.demo.material import AGES, CELLS, CITATION, PERIOD, SITE
from pets.demo.results import PLACES, Estimate, Masked, Noisy, Place, Study, best_guess
from pets.epi import SEGI_1960, Rate

SCHEMA = "pets-demo/1"
"""Raised when a key changes its name or meaning; new keys may be added under the same number."""

PACKAGES = ("numpy", "scipy", "pandas", "narwhals", "matplotlib")


def document(study: Study) -> dict[str, Any]:
    """Return the study as data for JSON: text, numbers, lists and objects only.

    Vectors over cells are in the order of ``question.cells``.
    """
    exact = study.exact
    return {
        "schema": SCHEMA,
        "source": {
            "citation": CITATION,
            "site": SITE,
            "period": PERIOD.replace("–", "-"),
            "registries": list(exact.tables),
        },
        "versions": versions(),
        "question": {
            "cells": [{"sex": sex, "age_group": age} for sex, age in CELLS],
            "privacy_unit": str(study.query.domain.unit),
            "person_years": dict(zip(AGES, study.person_years, strict=True)),
            "standard_population": SEGI_1960.name,
        },
        "exact": {
            "total": exact.total,
            "cells": list(exact.cells),
            "by_registry": {name: list(table) for name, table in exact.tables.items()},
            "rate": _rate(exact.rate),
        },
        "masked": [_masked(study, result) for result in (*study.masked, *study.masked_joint)],
        "noise": [_noisy(study, study.at(epsilon, place)) for epsilon in study.epsilons for place in PLACES],
        "epsilon": [{"epsilon": e, "best_guess_of_100": 100 * best_guess(e)} for e in study.epsilons],
        "ledger": asdict(study.account),
    }


def versions() -> dict[str, str]:
    """Return the versions of pets, Python and the packages that compute and draw."""
    found = {"python": platform.python_version()}
    for name in ("pets", *PACKAGES):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


_WHERE: dict[Place, str] = {"joint": "joint total", "registry": "each registry"}


def _masked(study: Study, result: Masked) -> dict[str, Any]:
    return {
        "minimum": result.minimum,
        "where": _WHERE[result.place],
        "published": result.total,
        "lost": result.lost,
        "lost_share": study.share(result.lost),
        "hidden_cells": result.hidden,
        "cells": list(result.cells),
        "hidden_in_tables": list(result.hidden_in),
        "possible_total": list(result.possible),
        "rate": _rate(result.rate),
        "possible_rate": list(result.possible_rate),
    }


def _noisy(study: Study, release: Noisy) -> dict[str, Any]:
    return {
        "epsilon": release.epsilon,
        "where": _WHERE[release.place],
        "promise": release.promise,
        "lost": 0,
        "total": _estimate(release.total),
        "stderr_share": study.share(release.total.stderr),
        "cells": [_estimate(cell) for cell in release.cells],
        "rate": _rate(release.rate),
    }


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {"value": estimate.value, "stderr": estimate.stderr, "ci_low": estimate.low, "ci_high": estimate.high}


def _rate(rate: Rate) -> dict[str, Any]:
    return {
        "value": rate.value,
        "ci_low": rate.low,
        "ci_high": rate.high,
        "per": rate.per,
        "method": rate.method,
        "level": rate.level,
    }
