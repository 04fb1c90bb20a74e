"""Questions by name, in plain data: a count, a cross table, a rate, survival, a model; and their answers in plain data.

.. code-block:: json

    {"ask": "count"}
    {"ask": "crosstab", "by": ["sex", "age_group"]}
    {"ask": "rate", "by": "age_group", "person_years": [21.9e6, 23.1e6, 24.0e6], "standard": "segi_1960"}
    {"ask": "survival", "time": "months", "event": "status", "by": ["sex"]}
    {"ask": "model", "outcome": "status", "on": ["sex", "age_group"]}
    {"ask": "model", "on": ["sex", "age_group"], "person_years": [11.1e6, 10.8e6, 11.9e6, 11.2e6, 12.0e6, 12.0e6]}

Each takes also ``mechanism`` (or ``epsilon``, for discrete Laplace noise), ``where``, ``purpose`` and ``aggregator``.
A model with an outcome is logistic, one with person-years is Poisson. All of it is post-processing of one release.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from pets.domain import Domain
from pets.epi import (
    STANDARDS,
    age_standardised_rate,
    crude_rate,
    kaplan_meier,
    logistic_regression,
    poisson_regression,
)
from pets.errors import InvalidArgument, did_you_mean
from pets.guards import Question
from pets.release import Release

_COMMON: Final = ("ask", "mechanism", "epsilon", "where", "purpose", "aggregator")
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "count": (),
    "crosstab": ("by",),
    "rate": ("by", "person_years", "standard", "per"),
    "survival": ("time", "event", "by", "bins"),
    "model": ("outcome", "on", "person_years", "ridge"),
}


def question(asked: Mapping[str, Any], domain: Domain) -> Question:
    """Return the question that plain data ask.

    Parameters
    ----------
    asked
        See the module.
    domain
        What is declared.

    Raises
    ------
    InvalidArgument
        A key is missing or unknown.
    QueryRefused
        What is asked does not fit the domain.
    """
    kind = str(asked.get("ask"))
    if kind not in _KEYS:
        raise InvalidArgument("ask", "is not a known kind of question", did_you_mean(kind, _KEYS))
    for key in asked:
        if key not in (*_COMMON, *_KEYS[kind]):
            raise InvalidArgument(str(key), f"is not a key of {kind!r}", did_you_mean(str(key), _KEYS[kind]))
    given = {key: asked[key] for key in ("where", "purpose", "aggregator") if key in asked}
    noise = asked.get("mechanism") or {"type": "discrete_laplace", "epsilon": _needed(asked, "epsilon")}
    return Question.from_dict({"schema": 1, "query": _query(kind, asked), "mechanism": noise, **given}, domain)


def result(asked: Mapping[str, Any], release: Release) -> dict[str, Any]:
    """Return the answer as plain data, with the release it was made from.

    Parameters
    ----------
    asked
        The same as in :func:`question`.
    release
        What came of it.

    Raises
    ------
    InvalidArgument
        Person-years or the standard do not fit the table, or a model has no finite estimate.
    """
    return {
        "ask": asked["ask"], "result": _MAKERS[asked["ask"]](asked, release),
        "guarantee": str(release.guarantee), "sites": list(release.provenance.sites), "release": release.to_json(),
    }  # fmt: skip


def _query(kind: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    if kind == "survival":
        parts = {key: asked[key] for key in ("by", "bins") if key in asked}
        return {"type": "event_table", "time": _needed(asked, "time"), "event": _needed(asked, "event"), **parts}
    by = _needed(asked, "on") if kind == "model" else asked.get("by", [])
    outcome = [asked["outcome"]] if kind == "model" and "outcome" in asked else []
    return {"type": "count", "by": [*([by] if isinstance(by, str) else by), *outcome]}


def _needed(asked: Mapping[str, Any], key: str) -> Any:
    if key not in asked:
        raise InvalidArgument(key, f"is missing, and {asked.get('ask')!r} needs it")
    return asked[key]


def _table(_: Mapping[str, Any], release: Release) -> list[dict[str, Any]]:
    columns = release.to_columns()
    names = list(columns)
    return [
        {name: _plain(columns[name][row]) for name in names} for row in range(len(columns["value"]))
    ]  # fmt: skip


def _rate(asked: Mapping[str, Any], release: Release) -> dict[str, Any]:
    columns = release.to_columns()
    years, per = np.asarray(_needed(asked, "person_years"), dtype=float), asked.get("per", 1_000_000)
    noise = np.asarray(columns["stderr"], dtype=float) ** 2
    rates = {"crude": crude_rate(columns["value"], years, noise_variance=noise, per=per)}
    name = asked.get("standard")
    if name is not None:
        if name not in STANDARDS:
            raise InvalidArgument("standard", "is not a known population", did_you_mean(str(name), STANDARDS))
        groups = [str(label) for label in release.parts[0].block.axes[0].labels]
        weights = STANDARDS[name].weights(groups)
        rates["standardised"] = age_standardised_rate(columns["value"], years, weights, noise_variance=noise, per=per)
    return {
        kind: {"value": rate.value, "low": rate.low, "high": rate.high, "per": rate.per, "text": str(rate)}
        for kind, rate in rates.items()
    }


def _survival(_: Mapping[str, Any], release: Release) -> list[dict[str, Any]]:
    arrays = ("times", "value", "low", "high", "at_risk")
    return [
        {"stratum": [_plain(label) for label in curve.labels]}
        | {name: [_plain(number) for number in getattr(curve, name)] for name in arrays}
        for curve in kaplan_meier(release)
    ]


def _model(asked: Mapping[str, Any], release: Release) -> list[dict[str, Any]]:
    ridge = float(asked.get("ridge", 0))
    if "outcome" in asked:
        fit = logistic_regression(release, asked["outcome"], ridge=ridge)
    else:
        axes = [len(axis.labels) for axis in release.parts[0].block.axes]
        years = np.asarray(_needed(asked, "person_years"), dtype=float)
        fit = poisson_regression(release, years.reshape(axes) if years.size == np.prod(axes) else years, ridge=ridge)
    low, high = fit.interval()
    numbers = zip(fit.names, fit.coefficients, fit.stderr, low, high, strict=True)
    return [
        {"term": term, "coefficient": float(b), "stderr": float(s), "low": float(lo), "high": float(hi)}
        for term, b, s, lo, hi in numbers
    ]


def _plain(value: Any) -> Any:
    """Return a number or label that JSON has; what is no number is null."""
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and not np.isfinite(plain) else plain


_MAKERS: Final[Mapping[str, Callable[[Mapping[str, Any], Release], Any]]] = {
    "count": _table,
    "crosstab": _table,
    "rate": _rate,
    "survival": _survival,
    "model": _model,
}
