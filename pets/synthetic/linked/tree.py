"""Which table belongs to which, how many rows a parent may have, and what the model of each table looks at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from pets.domain import Attribute, Date, Domain, Integer
from pets.errors import InvalidArgument, did_you_mean
from pets.privacy_unit import PrivacyUnit
from pets.synthetic.encoding import Anchor, Encoding, Survival

MOST_LINK = 2**12
"""Most combinations of the columns of parents on which the rows of a child table may depend."""

MOST_ROWS = 1000
"""Most rows of one table that one patient may have."""


@dataclass(frozen=True)
class Child:
    """A table with several rows for each row of another one.

    Parameters
    ----------
    table, parent
        Names of the tables.
    most
        How many rows of it one row of the parent may have: a **public** bound, which is enforced. The guarantee is
        about a patient with all rows of all tables, so what is measured gets the more noise the larger this is.
    key
        Column, of this table and of its parent, that says which row of the parent a row belongs to. Needed if the
        parent is itself a child; rows are looked for among those of the same patient only.
    given
        Columns of the parent on which its rows may depend; also ``'patients.sex'`` for what the parent itself depends
        on, and ``'number of tumours'``. By default as many as leave at most 4,096 combinations.
    survival
        Times to events of its rows.
    after
        For dates of this table the date of the parent's row that each cannot be before, as in
        ``{'diagnosis': 'birth'}``. They are coded as the time between the two, so no row can break it. The parent's is
        never missing; of dates that are ordered with each other, the one from which the others count may be named.

    Raises
    ------
    InvalidArgument
        An argument is of the wrong kind or out of range.

    Examples
    --------
    >>> Child("treatments", "tumours", most=3, key="tumour_id", after={"begin": "diagnosis"}).after
    (('begin', 'diagnosis'),)
    """

    table: str
    parent: str
    most: int
    key: str | None = None
    given: Sequence[str] | None = None
    survival: Sequence[Survival] = ()
    after: Mapping[str, str] | Sequence[tuple[str, str]] = ()

    def __post_init__(self) -> None:
        for argument in ("table", "parent"):
            if not isinstance(getattr(self, argument), str) or not getattr(self, argument):
                raise InvalidArgument(argument, "must be the name of a table")
        if isinstance(self.most, bool) or not isinstance(self.most, int) or not 1 <= self.most <= MOST_ROWS:
            raise InvalidArgument("most", f"must be a whole number from 1 to {MOST_ROWS:,}")
        if self.key is not None and (not isinstance(self.key, str) or not self.key):
            raise InvalidArgument("key", "must be the name of a column, or be left out")
        if self.given is not None:
            if isinstance(self.given, str) or not all(isinstance(name, str) for name in self.given):
                raise InvalidArgument("given", "must be a list of names of columns")
            object.__setattr__(self, "given", tuple(self.given))
        pairs = (self.survival,) if isinstance(self.survival, Survival) else tuple(self.survival)
        object.__setattr__(self, "survival", pairs)
        object.__setattr__(self, "after", _as_after(self.after))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        found: dict[str, Any] = {"table": self.table, "parent": self.parent, "most": self.most}
        found |= {} if self.key is None else {"key": self.key}
        found |= {} if self.given is None else {"given": list(self.given)}
        found |= {"after": dict(self.after)} if self.after else {}
        return found | {"survival": [pair.to_dict() for pair in self.survival]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Child:
        """Return what :meth:`to_dict` described."""
        return cls(**{**data, "survival": [Survival(**pair) for pair in data["survival"]]})


@dataclass(frozen=True, eq=False)
class View:
    """What the model of one table looks at.

    Attributes
    ----------
    name
        Of the table.
    own
        Its declared columns.
    whole
        Besides, the columns of parents that it depends on, and the number of rows in each table below it.
    link
        For each of those columns of parents its name in the parent's view.
    most
        Rows that one patient may have.
    starts
        For each own date that counts from one of the parent's row, the name of that.
    """

    name: str
    own: Encoding
    whole: Encoding
    link: Mapping[str, str]
    most: int
    starts: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Tree:
    """Tables and how they hang together.

    Attributes
    ----------
    root
        The table of patients.
    children
        The others, each after its parent.
    domains
        What is declared about each table.
    survival
        Times to events of the patients.
    """

    root: str
    children: tuple[Child, ...]
    domains: Mapping[str, Domain]
    survival: tuple[Survival, ...]

    @classmethod
    def of(cls, domains: object, children: Sequence[Child], survival: Sequence[Survival]) -> Tree:
        """Return the tree after checking it.

        Raises
        ------
        InvalidArgument
            Tables, parents or keys do not fit together.
        """
        if not isinstance(domains, Mapping) or not domains:
            raise InvalidArgument("domain", "must map names of tables to domains", "Give {'patients': ..., ...}.")
        for name, domain in domains.items():
            if not isinstance(domain, Domain) or not len(domain):
                raise InvalidArgument(f"domain.{name}", "must be a Domain with attributes")
        root, *others = domains
        ordered = _ordered(root, children)
        for name in others:
            if name not in {child.table for child in ordered}:
                raise InvalidArgument(
                    f"domain.{name}", "is no Child", f"Add Child({name!r}, parent={root!r}, most=...)."
                )
        found = cls(root, ordered, dict(domains), tuple(survival))
        found._check()
        return found

    @property
    def unit(self) -> PrivacyUnit:
        """The patient."""
        return self.domains[self.root].unit

    def child(self, name: str) -> Child | None:
        """Return how a table hangs on its parent; ``None`` for the patients."""
        return next((child for child in self.children if child.table == name), None)

    def below(self, name: str) -> list[Child]:
        """Return the tables right below one."""
        return [child for child in self.children if child.parent == name]

    def most(self, name: str) -> int:
        """Return how many rows of a table one patient may have."""
        child = self.child(name)
        return 1 if child is None else child.most * self.most(child.parent)

    def keys(self, name: str) -> tuple[str, ...]:
        """Return the columns of a table's file that hold no attribute: the patient, its parent's key, its own."""
        child = self.child(name)
        found = [str(self.unit.id), *([child.key] if child is not None and child.key else [])]
        return tuple(dict.fromkeys([*found, *(c.key for c in self.below(name) if c.key)]))

    def views(self) -> dict[str, View]:
        """Return the view of each table, parents first."""
        found: dict[str, View] = {}
        for name in (self.root, *(child.table for child in self.children)):
            child = self.child(name)
            found[name] = self._view(name, child, None if child is None else found[child.parent])
        return found

    def _view(self, name: str, child: Child | None, parent: View | None) -> View:
        domain = self.domains[name].with_unit(PrivacyUnit())
        survival = self.survival if child is None else child.survival
        link = {} if child is None or parent is None else _link(child, parent)
        attributes: dict[str, Attribute] = {}
        if parent is not None:
            columns = {column.name: column.attribute for column in parent.whole.columns}
            attributes |= {new: columns[old] for new, old in link.items()}
        attributes |= domain.attributes
        attributes |= {number_of(below.table): Integer(0, below.most) for below in self.below(name)}
        unit = PrivacyUnit(self.unit.id, self.most(name), self.unit.neighbours, self.unit.max_sites)
        whole = Domain(attributes, unit=unit, impossible=domain.impossible, order=domain.order)
        starts = {} if child is None else dict(child.after)
        anchors = self._anchors(child) if child is not None else ()
        encoding = Encoding.of(whole, tuple(survival), link=tuple(link), anchors=anchors)
        own = Encoding.of(domain, tuple(survival), anchors=anchors)
        return View(name, own, encoding, link, self.most(name), starts)

    def _anchors(self, child: Child) -> tuple[Anchor, ...]:
        """Return the dates of a parent from which dates of a child count, after checking that they can be used."""
        found = []
        for column, above in dict(child.after).items():
            path = f"children.{child.table}.after.{column}"
            for name, table in ((column, child.table), (above, child.parent)):
                domain = self.domains[table]
                if name not in domain or not isinstance(domain[name], Date):
                    dates = [other for other in domain if isinstance(domain[other], Date)]
                    raise InvalidArgument(path, f"{name!r} is no date of {table!r}", did_you_mean(name, dates))
            date, start = self.domains[child.table][column], self.domains[child.parent][above]
            assert isinstance(date, Date)  # noqa: S101 checked above
            assert isinstance(start, Date)  # noqa: S101
            if start.invalid == "category":
                raise InvalidArgument(
                    path, f"{above!r} of {child.parent!r} may be missing", "Name a date that every row of it has."
                )
            if date.resolution != start.resolution:
                raise InvalidArgument(path, "and the parent's date have two resolutions", "Declare both in one.")
            found.append(Anchor(column, f"{child.parent}.{above}", start))
        return tuple(found)

    def _check(self) -> None:
        if self.unit.id is None or self.unit.max_rows != 1:
            raise InvalidArgument(
                f"domain.{self.root}.unit", "must name the patient's column and allow one row",
                "Declare unit=PrivacyUnit(id='patient_id').",
            )  # fmt: skip
        for child in self.children:
            if child.table not in self.domains:
                raise InvalidArgument(f"domain.{child.table}", "is missing", did_you_mean(child.table, self.domains))
            if child.parent != self.root and child.key is None:
                raise InvalidArgument(
                    f"children.{child.table}.key", f"is needed: {child.parent!r} may have several rows of one patient",
                    "Name the column that both tables have.",
                )  # fmt: skip
            if self.most(child.table) > MOST_ROWS:
                raise InvalidArgument(f"children.{child.table}.most", f"allows a patient over {MOST_ROWS:,} rows")
            if self.domains[child.table].unit.id not in (None, self.unit.id):
                raise InvalidArgument(f"domain.{child.table}.unit", f"must be that of {self.root!r}, or be left out")
        self._check_names()

    def _check_names(self) -> None:
        """Refuse attributes that are keys, or are named like columns that models of linked tables add."""
        for name, domain in self.domains.items():
            for key in self.keys(name):
                if key in domain:
                    raise InvalidArgument(f"domain.{name}.{key}", "is a key, not an attribute", "Leave it out.")
            for column in domain:
                if _is_made(column, self.domains):
                    raise InvalidArgument(
                        f"domain.{name}.{column}", "has a name that models of linked tables give to other columns",
                        "Rename it: no 'number of' a table, and no name of a table before a point.",
                    )  # fmt: skip


def _as_after(after: object) -> tuple[tuple[str, str], ...]:
    """Return pairs of a child's date and its parent's, sorted."""
    pairs = tuple(after.items()) if isinstance(after, Mapping) else after
    if not isinstance(pairs, tuple) or not all(
        isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(name, str) and name for name in pair)
        for pair in pairs
    ):
        raise InvalidArgument(
            "after", "must map dates of the table to dates of its parent", "Give {'diagnosis': 'birth'}."
        )
    if len(dict(pairs)) < len(pairs):
        raise InvalidArgument("after", "names a date twice", "A date counts from one other.")
    return tuple(sorted(pairs))


def _is_made(column: str, tables: Mapping[str, Domain]) -> bool:
    """Whether a column is named like the number of rows in a table, or like a column of a parent."""
    return any(column == number_of(table) or column.startswith(f"{table}.") for table in tables)


def number_of(table: str) -> str:
    """Return the name of the column for the number of a row's rows in a table below."""
    return f"number of {table}"


def _ordered(root: str, children: Sequence[Child]) -> tuple[Child, ...]:
    """Return the child tables, each after its parent."""
    if isinstance(children, Child):
        children = (children,)
    if not isinstance(children, Sequence) or not children or not all(isinstance(one, Child) for one in children):
        raise InvalidArgument("children", "must be a list of Child", "Give [Child('tumours', 'patients', most=3)].")
    names = [child.table for child in children]
    if len({root, *names}) < len(names) + 1:
        raise InvalidArgument("children", "names a table twice, or the first table, which has no parent")
    known, found, waiting = {root}, [], list(children)
    while waiting:
        ready = [child for child in waiting if child.parent in known]
        if not ready:
            raise InvalidArgument(
                f"children.{waiting[0].table}.parent", f"{waiting[0].parent!r} is no table that leads to {root!r}",
                did_you_mean(waiting[0].parent, known),
            )  # fmt: skip
        found += ready
        known |= {child.table for child in ready}
        waiting = [child for child in waiting if child not in ready]
    return tuple(found)


def _link(child: Child, parent: View) -> dict[str, str]:
    """Return the columns of the parent's view that a child depends on, by their names in the child's view."""
    count = number_of(child.table)
    columns = {column.name: column for column in parent.whole.columns}
    plain = [name for name, column in columns.items() if column.since is None and column.after is None]
    order = [count, *(n for n in plain if n in parent.own.domain), *(n for n in plain if n in parent.link)]
    if child.given is None:
        chosen: list[str] = []
        for name in order:
            if prod(columns[one].size for one in (*chosen, name)) <= MOST_LINK:
                chosen.append(name)
    else:
        chosen = list(dict.fromkeys(child.given))
        for name in chosen:
            if name not in order:
                raise InvalidArgument(
                    f"children.{child.table}.given", f"names {name!r}, which no row of {child.parent!r} is known by",
                    did_you_mean(name, order),
                )  # fmt: skip
        if prod(columns[one].size for one in chosen) > MOST_LINK:
            raise InvalidArgument(
                f"children.{child.table}.given", f"has over {MOST_LINK:,} combinations", "Name fewer."
            )
    return {name if name in parent.link or name == count else f"{parent.name}.{name}": name for name in chosen}
