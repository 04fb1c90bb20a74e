"""Reading a tuning plan: strictly, with the name of the key that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pets.config import as_config_error
from pets.errors import ConfigError, did_you_mean
from pets.exact import exact
from pets.privacy_unit import PrivacyUnit
from pets.tuning.plan import Axis, Budget, Decision, Privacy, Source, Spent, Table, TuningPlan
from pets.tuning.plan_text import KIND, share_of
from pets.tuning.rule import Rule
from pets.tuning.totals_asked import Life, Total

_TOP = (
    "schema", "kind", "title", "language", "built", "internal", "sites", "aggregator", "noise_at", "honest", "assumed",
    "privacy", "rule", "budget", "source", "decision", "tables", "totals",
)  # fmt: skip
_OPTIONS = {
    "title": str, "language": str, "built": str, "internal": bool, "sites": int, "aggregator": str, "noise_at": str,
    "honest": int,
}  # fmt: skip
_PRIVACY = (
    "epsilon", "mechanism", "delta", "contribution", "max_sites", "neighbours", "unit_id", "rows_per_person"
)  # fmt: skip


def plan_from_dict(data: Mapping[str, Any], counted: Mapping[str, Any] | None = None) -> TuningPlan:
    """Build the tuning plan that a document describes.

    Parameters
    ----------
    data
        Plain data, as :func:`pets.tuning.plan_text.to_dict` writes it. Everything but ``tables`` has a default.
    counted
        By table name: counts, person-years (or ``None``) and the source, where the document has none.

    Raises
    ------
    ConfigError
        A key is missing, unknown or wrong; the error names it.
    """
    _known(data, _TOP, "")
    if data.get("schema") != 1 or data.get("kind") != KIND:
        raise ConfigError("kind", "is not that of a tuning plan", "Begin it with: schema = 1 and kind = 'tuning'.")
    listed = data.get("tables")
    if not isinstance(listed, list) or not listed:
        raise ConfigError("tables", "are missing", "Add a table [[tables]] with name and axes.")
    tables = tuple(
        _table(_mapping(t, f"tables.{i}"), f"tables.{i}", len(listed), counted or {}) for i, t in enumerate(listed)
    )
    totals = _list(data.get("totals", []), "totals")
    options = {key: data[key] for key in _OPTIONS if key in data}
    for key, kind in _OPTIONS.items():
        if kind is not int and key in options and not isinstance(options[key], kind):
            raise ConfigError(key, f"must be {'true or false' if kind is bool else 'text'}")
    with as_config_error():
        return TuningPlan(
            tables=tables,
            source=_source(data, counted),
            privacy=_privacy(_mapping(data.get("privacy", {}), "privacy")),
            rule=_made(Rule, _mapping(data.get("rule", {}), "rule"), "rule"),
            budget=_budget(_mapping(data.get("budget", {}), "budget")),
            totals=tuple(_total(_mapping(t, f"totals.{i}"), f"totals.{i}") for i, t in enumerate(totals)),
            decision=_made(Decision, _mapping(data.get("decision", {}), "decision"), "decision"),
            assumed=_assumed(data),
            **options,
        )


def _assumed(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return which settings nobody has stated: those that the document says are assumed, and those that it lacks."""
    said, privacy = data.get("assumed", ""), _mapping(data.get("privacy", {}), "privacy")
    if not isinstance(said, str):
        raise ConfigError("assumed", "must be text", "Name the settings that nobody stated: 'sites, rule'.")
    lacking = {name for name in ("sites", "aggregator", "noise_at", "rule") if name not in data}
    lacking |= {"epsilon"} - set(privacy) | ({"unit"} if "contribution" not in privacy else set())
    return (*lacking, *filter(None, (name.strip() for name in said.split(","))))


def axes_of(table: Mapping[str, Any], path: str) -> tuple[Axis, ...]:
    """Return the axes that a table of a document declares."""
    axes = []
    for i, axis in enumerate(_list(table.get("axes", []), f"{path}.axes")):
        here = f"{path}.axes.{i}"
        found = _mapping(axis, here)
        _known(found, ("name", "labels"), here)
        labels = _list(found.get("labels"), f"{here}.labels")
        if not isinstance(found.get("name"), str) or not all(isinstance(label, str) for label in labels):
            raise ConfigError(here, "needs a name and labels, all of them text")
        with as_config_error(here):
            axes.append(Axis(found["name"], tuple(labels)))
    if len({axis.name for axis in axes}) < len(axes):
        raise ConfigError(f"{path}.axes", "name an attribute twice")
    return tuple(axes)


def _table(data: Mapping[str, Any], path: str, tables: int, counted: Mapping[str, Any]) -> Table:
    _known(data, ("name", "share", "years", "axes", "counts", "person_years"), path)
    name, axes = data.get("name"), axes_of(data, path)
    if not isinstance(name, str):
        raise ConfigError(f"{path}.name", "must be text")
    counts, person_years = data.get("counts"), data.get("person_years")
    if name in counted:
        counts, person_years = counted[name][:2]
    if counts is None:
        raise ConfigError(f"{path}.counts", "are not in the plan", "Give them in a file: --planning last_year.csv")
    with as_config_error(path):
        return Table(
            name=name,
            axes=axes,
            share=share_of(data.get("share"), "share", tables),
            counts=_numbers(counts, "counts"),
            person_years=None if person_years is None else _numbers(person_years, "person_years"),
            years=_numbers([data.get("years", 1)], "years")[0],
        )


def _source(data: Mapping[str, Any], counted: Mapping[str, Any] | None) -> Source:
    given = (counted or {}).get("")
    if isinstance(given, Source):
        return given
    found: Source = _made(Source, _mapping(data.get("source"), "source"), "source")
    return found


def _privacy(data: Mapping[str, Any]) -> Privacy:
    _known(data, _PRIVACY, "privacy")
    with as_config_error("privacy"):
        unit = PrivacyUnit(
            id=data.get("unit_id"),
            max_rows=data.get("contribution", 1),
            neighbours=data.get("neighbours", "add_remove"),
            max_sites=data.get("max_sites", 1),
        )
        return Privacy(
            epsilon=exact(data.get("epsilon", 1), "epsilon"),
            mechanism=data.get("mechanism", "discrete_laplace"),
            delta=exact(data.get("delta", "1e-6"), "delta"),
            unit=unit,
            rows_per_person=_numbers(data.get("rows_per_person", []), "rows_per_person"),
        )


def _budget(data: Mapping[str, Any]) -> Budget:
    _known(data, ("total", "years", "spent", "assumed"), "budget")
    spent = []
    for i, line in enumerate(_list(data.get("spent", []), "budget.spent")):
        path = f"budget.spent.{i}"
        found = _mapping(line, path)
        _known(found, ("date", "label", "loss"), path)
        with as_config_error(path):
            spent.append(
                Spent(str(found.get("date", "")), str(found.get("label", "")), exact(found.get("loss"), "loss"))
            )
    with as_config_error():
        total = exact(data.get("total", 3), "budget.total")
        return Budget(total, tuple(spent), data.get("years", 10), data.get("assumed", "total" not in data))


def _total(data: Mapping[str, Any], path: str) -> Total:
    _known(data, ("label", "kind", "table", "where", "age", "standard", "expected", "life"), path)
    life = data.get("life")
    where = {k: _list(v, f"{path}.where") for k, v in _mapping(data.get("where", {}), f"{path}.where").items()}
    options = {key: data[key] for key in ("age", "standard", "expected") if key in data}
    for key in ("label", "kind", "table"):
        if not isinstance(data.get(key), str):
            raise ConfigError(f"{path}.{key}", "must be text")
    with as_config_error(path):
        return Total(data["label"], data["kind"], data["table"], where, life=_life(life, path), **options)


def _life(data: object, path: str) -> Life | None:
    if data is None:
        return None
    found = _mapping(data, f"{path}.life")
    _known(found, ("times", "events", "censored", "beyond"), f"{path}.life")
    times, events, censored = (_numbers(found.get(name), name) for name in ("times", "events", "censored"))
    return Life(times, events, censored, _numbers([found.get("beyond")], "beyond")[0])


def _numbers(values: object, argument: str) -> tuple[float, ...]:
    if not isinstance(values, list | tuple) or any(
        isinstance(v, bool) or not isinstance(v, int | float) for v in values
    ):
        raise ConfigError(argument, "must be numbers")
    return tuple(values)


def _made(kind: Any, data: Mapping[str, Any], path: str) -> Any:
    _known(data, tuple(kind.__dataclass_fields__), path)
    try:
        with as_config_error(path):
            return kind(**data)
    except TypeError:
        needed = ", ".join(kind.__dataclass_fields__)
        raise ConfigError(path, f"lacks a key; it needs {needed}") from None


def _known(data: Mapping[str, Any], keys: tuple[str, ...], path: str) -> None:
    for key in data:
        if key not in keys:
            raise ConfigError(f"{path}.{key}" if path else key, "is not a known key", did_you_mean(key, keys))


def _mapping(value: object, path: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(path, "is missing or no table")
    return value


def _list(value: object, path: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ConfigError(path, "must be a list")
    return list(value)
