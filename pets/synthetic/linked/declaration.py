"""What is declared about linked tables, as one file: each table's domain, and how it hangs on the one above."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pets.config import read_file
from pets.config.paths import as_config_error, dotted
from pets.domain import Domain
from pets.errors import ConfigError, InvalidArgument, did_you_mean
from pets.synthetic.encoding import Survival
from pets.synthetic.linked.tree import Child, Tree

_ABOVE: Final = ("schema", "name", "declared_by", "tables")
_CLOCK: Final = ("time", "event", "after", "by", "origin")
_LINKS: Final = ("parent", "most", "key", "given", "after")


@dataclass(frozen=True, init=False)
class LinkedDomain:
    """What everybody may know about linked tables before any row is read.

    Parameters
    ----------
    domains
        Name of each table and its :class:`~pets.Domain`, patients first: their ``unit`` names the patient's column.
    children
        The tables below the patients.
    survival
        Times to events of the patients; those of other tables belong to their :class:`Child`.

    Raises
    ------
    InvalidArgument
        Tables, parents or keys do not fit together.

    Examples
    --------
    >>> declared = LinkedDomain.from_dict({
    ...     "tables": {
    ...         "patients": {
    ...             "unit": {"id": "patient_id"},
    ...             "attributes": {"sex": {"type": "categorical", "categories": ["f", "m"]}},
    ...         },
    ...         "tumours": {
    ...             "parent": "patients", "most": 3,
    ...             "attributes": {"site": {"type": "categorical", "categories": ["bone", "brain"]}},
    ...         },
    ...     },
    ... })
    >>> declared.children[0].most, list(declared.domains)
    (3, ['patients', 'tumours'])
    """

    domains: Mapping[str, Domain]
    children: tuple[Child, ...]
    survival: tuple[Survival, ...]

    def __init__(
        self, domains: Mapping[str, Domain], children: Sequence[Child], survival: Sequence[Survival] = ()
    ) -> None:
        tree = Tree.of(domains, children, tuple(survival))
        tree.views()
        for name, value in (("domains", dict(domains)), ("children", tree.children), ("survival", tree.survival)):
            object.__setattr__(self, name, value)

    def keys(self, table: str) -> tuple[str, ...]:
        """Return the columns that a table's file holds besides its attributes."""
        return Tree.of(self.domains, self.children, self.survival).keys(table)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> LinkedDomain:
        """Return what a ``.toml`` or ``.json`` file declares; see :meth:`from_dict`."""
        return cls.from_dict(read_file(path))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LinkedDomain:
        """Return what plain data declare.

        Under ``tables`` each table has the keys of a domain, ``survival`` as a list, and, unless it is the patients',
        ``parent``, ``most`` and, where they are needed, ``key``, ``given`` and ``after``, as for :class:`Child`.

        Raises
        ------
        ConfigError
            The data are malformed or contradict themselves; ``argument`` is the dotted key, such as
            ``tables.tumours.most``.
        """
        tables = _tables(data)
        common = {key: data[key] for key in ("schema", "name", "declared_by") if key in data}
        domains, children, survival = {}, [], tuple[Survival, ...]()
        for name, table in tables.items():
            own = {key: value for key, value in table.items() if key not in (*_LINKS, "survival")}
            domains[name] = _domain(name, common | own)
            clocks = _clocks(name, table.get("survival", []))
            if any(key in table for key in _LINKS):
                children.append(_child(name, table, clocks))
            else:
                survival = clocks
        roots = [name for name in tables if name not in {child.table for child in children}]
        if len(roots) != 1:
            raise ConfigError("tables", "must have one without a parent, the patients", "Give all others a parent.")
        ordered = {name: domains[name] for name in (*roots, *(child.table for child in children))}
        with as_config_error():
            return cls(ordered, children, survival)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for TOML and JSON."""
        first = next(iter(self.domains.values())).to_dict()
        common = {key: first[key] for key in ("schema", "name", "declared_by") if key in first}
        tables = {}
        for name, domain in self.domains.items():
            table = {key: value for key, value in domain.to_dict().items() if key not in _ABOVE}
            child = next((one for one in self.children if one.table == name), None)
            links = {"survival": [pair.to_dict() for pair in self.survival]} if child is None else child.to_dict()
            links.pop("table", None)
            tables[name] = {key: value for key, value in links.items() if value or key == "parent"} | table
            if child is not None:
                tables[name].pop("unit", None)
        return common | {"tables": tables}


def _tables(data: object) -> Mapping[str, Mapping[str, Any]]:
    if not isinstance(data, Mapping) or not isinstance(data.get("tables"), Mapping) or not data["tables"]:
        raise ConfigError("tables", "is missing: it holds one section for each table", "Begin with [tables.patients].")
    for key in data:
        if key not in _ABOVE:
            raise ConfigError(str(key), "is not a known key", "Everything about a table belongs into its section.")
    tables: Mapping[str, Mapping[str, Any]] = data["tables"]
    for name, table in tables.items():
        if not isinstance(table, Mapping):
            raise ConfigError(dotted("tables", name), "must be a section", f"Write [tables.{name}].")
        for key in ("schema", "name", "declared_by"):
            if key in table:
                raise ConfigError(dotted("tables", f"{name}.{key}"), "is not a known key", "Write it at the top.")
    return tables


def _domain(name: str, data: Mapping[str, Any]) -> Domain:
    try:
        return Domain.from_dict(data)
    except ConfigError as error:
        if error.argument in ("schema", "name", "declared_by"):
            raise
        raise ConfigError(f"{dotted('tables', name)}.{error.argument}", error.problem, error.remedy) from None


def _clocks(name: str, listed: object) -> tuple[Survival, ...]:
    with as_config_error(f"{dotted('tables', name)}.survival"):
        if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
            raise InvalidArgument("time", "is missing", 'Write survival = [{ time = "time", event = "status" }].')
        for i, one in enumerate(listed):
            for key in one:
                if key not in _CLOCK:
                    raise InvalidArgument(f"{i}.{key}", "is not a known key", did_you_mean(str(key), _CLOCK))
            for key in ("time", "event"):
                if key not in one:
                    raise InvalidArgument(f"{i}.{key}", "is missing", "A survival has a time and an event.")
        return tuple(Survival(**one) for one in listed)


def _child(name: str, table: Mapping[str, Any], clocks: tuple[Survival, ...]) -> Child:
    links = {key: table[key] for key in _LINKS if key in table}
    with as_config_error(dotted("tables", name)):
        for key in ("parent", "most"):
            if key not in links:
                raise InvalidArgument(key, "is missing", f"Say it, or leave {', '.join(links)} out for the patients.")
        return Child(table=name, survival=clocks, **links)
