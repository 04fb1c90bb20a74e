"""The domain: all that is public before any row is read."""

from __future__ import annotations

import dataclasses
import math
import unicodedata
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from pets.config import as_config_error, digest
from pets.config.paths import dotted, hint, printable
from pets.domain.attributes import Attribute, AttributeLike, as_attributes
from pets.domain.axis import KeyAxis, any_in_group, key_axis
from pets.domain.files import DomainFiles
from pets.domain.labels import Label, as_sequence, as_text
from pets.domain.numbers import Integer, Numeric
from pets.domain.order import Chain, as_chains, chains_to_list, select_chains
from pets.domain.rules import Rule, as_rules, possible_cells, rules_to_list
from pets.errors import ConfigError, InvalidArgument
from pets.exact import Number
from pets.privacy_unit import PrivacyUnit

if TYPE_CHECKING:
    from pets.domain.suggestion import DomainSuggestion

SCHEMA = 1
"""Version of the file format."""

MAX_CELLS = 2**27
"""Largest table for which :meth:`Domain.possible` makes a mask."""

_EACH_ROW = PrivacyUnit()


@dataclass(frozen=True, slots=True, init=False, repr=False, eq=False)
class Domain(DomainFiles):
    """What everybody may know before any row is read; never inferred from rows.

    Parameters
    ----------
    attributes
        Attribute name, which is the column's name, to :class:`Categorical`, :class:`Integer`,
        :class:`Numeric`, :class:`Date`, or a bare list of categories. Names that are no Python words, or that other
        parameters use, go here; others may be keywords.
    unit
        Whose presence is protected; each row by default.
    impossible
        Structural zeros: mappings of attribute name to a label or list of labels. A cell that matches
        all entries of one mapping cannot occur.
    order
        Chains of columns, none of which can be before the one in front of it, where both are known:
        ``[["birth", "diagnosis", "last_contact"]]``. Dates, or numbers of one resolution.
    name
        A title for people.
    declared_by
        Who declared this to be public knowledge.

    Raises
    ------
    InvalidArgument
        A part is invalid or contradicts another; ``argument`` is its dotted path, such as
        ``attributes.sex.categories.1`` or ``impossible.0.diagnosis``.

    Examples
    --------
    >>> domain = Domain(sex=["female", "male"], site=["Brain", "Prostate"],
    ...                 impossible=[{"sex": "female", "site": "Prostate"}])
    >>> domain.possible(["sex", "site"]).tolist()
    [[True, False], [True, True]]
    """

    _attributes: tuple[tuple[str, Attribute], ...]
    unit: PrivacyUnit
    _rules: tuple[Rule, ...]
    order: tuple[Chain, ...]
    name: str
    declared_by: str
    _signature: str = field(compare=False)

    def __init__(
        self,
        attributes: Mapping[str, AttributeLike] | None = None,
        *,
        unit: PrivacyUnit = _EACH_ROW,
        impossible: Sequence[Mapping[str, Label | Sequence[Label]]] = (),
        order: Sequence[Sequence[str]] = (),
        name: str = "",
        declared_by: str = "",
        **more_attributes: AttributeLike,
    ) -> None:
        if not isinstance(unit, PrivacyUnit):
            raise InvalidArgument("unit", "must be a PrivacyUnit", "Give an attribute of this name in the mapping.")
        found = as_attributes(attributes, more_attributes)
        if unit.id is not None and as_text(unit.id, "unit.id") in found:
            raise InvalidArgument(
                dotted("attributes", unit.id),
                "is the identifier of the privacy unit",
                "An identifier is no attribute: leave it out.",
            )
        values = {
            "_attributes": tuple(found.items()),
            "unit": unit,
            "_rules": as_rules(impossible, found),
            "order": as_chains(order, found),
            "name": as_text(name, "name") if name != "" else "",
            "declared_by": as_text(declared_by, "declared_by") if declared_by != "" else "",
            "_signature": "",
        }
        for key, value in values.items():
            object.__setattr__(self, key, value)

    # Looking things up

    @property
    def attributes(self) -> Mapping[str, Attribute]:
        """The attributes by name, in order; read-only."""
        return MappingProxyType(dict(self._attributes))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the attributes, in the order in which they were declared.

        The order is for people: files may lose it, and neither equality nor :attr:`signature` depends on it.
        """
        return tuple(name for name, _ in self._attributes)

    @property
    def impossible(self) -> tuple[dict[str, tuple[Label, ...]], ...]:
        """The structural zeros: attribute name to labels."""
        return tuple(dict(rule) for rule in self._rules)

    def __getitem__(self, name: str) -> Attribute:
        for known, attribute in self._attributes:
            if known == name:
                return attribute
        raise InvalidArgument(
            "name", f"{printable(str(name))!r} is not an attribute of the domain", hint(name, self.names)
        )

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self._attributes)

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Domain) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        """Return what makes two domains equal; the order of attributes is for people only."""
        return frozenset(self._attributes), self.unit, self._rules, self.order, self.name, self.declared_by

    def key_axis(self, name: str, level: str | None = None) -> KeyAxis:
        """Return the labels by which `name` divides a table.

        Parameters
        ----------
        name
            An attribute.
        level
            A level of its hierarchy; ``None`` for its own labels.

        Raises
        ------
        InvalidArgument
            There is no such attribute or level, or the attribute cannot be a key.
        """
        return key_axis(name, self[name], level)

    def possible(self, by: Sequence[str], levels: Mapping[str, str] | None = None) -> NDArray[np.bool_]:
        """Return which cells of a table can be other than zero.

        A rule counts only if the table is made by all attributes it names: a rule about sex and
        diagnosis says nothing about a table by diagnosis alone, where the cell may hold the other sex.
        So a cell marked False is certainly zero, and several rules together may imply more zeros than
        are marked. At a coarser level a cell is impossible when all cells inside it are.

        Parameters
        ----------
        by
            Attribute names, the axes of the table.
        levels
            For some of them, a level of its hierarchy.

        Returns
        -------
        numpy.ndarray
            Booleans of shape (number of key labels of each attribute in `by`).

        Raises
        ------
        InvalidArgument
            A name is unknown or repeated, an attribute cannot be a key, or the table is too large.
        """
        names = [str(name) for name in as_sequence(by, "by")]
        if len(set(names)) < len(names):
            raise InvalidArgument("by", "names an attribute twice", "Name each attribute once.")
        coarser = {} if levels is None else dict(_as_mapping(levels))
        if not set(coarser) <= set(names):
            raise InvalidArgument("levels", "names an attribute that is not in by")
        axes = [self.key_axis(name, coarser.get(name)) for name in names]
        if math.prod(len(axis.index) for axis in axes) > MAX_CELLS:
            raise InvalidArgument(
                "by", f"would make a table of more than {MAX_CELLS:,} cells", "Leave out an attribute."
            )
        cells = possible_cells(self._rules, names, self.attributes)
        for i, axis in enumerate(axes):
            cells = cells if axis.level is None else any_in_group(cells, i, axis)
        return cells

    # Deriving other domains

    def with_unit(self, unit: PrivacyUnit) -> Domain:
        """Return the domain with another privacy unit."""
        return self._but(unit=unit)

    def declared(self, by: str) -> Domain:
        """Return the domain as declared public by a person."""
        return self._but(declared_by=by)

    def select(self, names: Sequence[str]) -> Domain:
        """Return the domain of some attributes, in the given order, with the rules that are only about them."""
        wanted = [str(name) for name in as_sequence(names, "names")]
        if len(set(wanted)) < len(wanted):
            raise InvalidArgument("names", "lists an attribute twice")
        kept = [rule for rule in self.impossible if all(name in wanted for name in rule)]
        chains = select_chains(self.order, wanted)
        return self._but(attributes={name: self[name] for name in wanted}, impossible=kept, order=chains)

    def replace(
        self, attributes: Mapping[str, AttributeLike] | None = None, /, **more_attributes: AttributeLike
    ) -> Domain:
        """Return the domain with other definitions of some attributes, which nobody has declared yet.

        Raises
        ------
        InvalidArgument
            An attribute does not exist, or a structural zero names a label that is gone.
        """
        new = as_attributes(attributes, more_attributes)
        for name in new:
            if name not in self:
                raise InvalidArgument(
                    dotted("attributes", name), "is not an attribute of the domain", hint(name, self.names)
                )
        return self._but(attributes={**self.attributes, **new}, declared_by="")

    def rebin(self, name: str, bins: Sequence[Number]) -> Domain:
        """Return the domain with the number `name` cut into other bins, for one table that asks for them.

        Unlike :meth:`replace` this leaves out the attribute's hierarchy and the structural zeros that name
        it: its labels have changed, and leaving a zero out only costs accuracy.

        Raises
        ------
        InvalidArgument
            There is no such number in the domain, or the bins do not fit its bounds.
        """
        attribute = self[name]
        if not isinstance(attribute, Integer | Numeric):
            raise InvalidArgument("name", f"{printable(name)!r} is not a number", "Declare it as Integer or Numeric.")
        cut = dataclasses.replace(attribute, bins=bins, hierarchy=None)  # type: ignore[arg-type]
        kept = [rule for rule in self.impossible if name not in rule]
        return self._but(attributes={**self.attributes, name: cut}, impossible=kept)

    def _but(self, **changes: Any) -> Domain:
        same: dict[str, Any] = {"attributes": self.attributes, "unit": self.unit}
        same |= {"impossible": self.impossible, "order": self.order}
        return Domain(**(same | {"name": self.name, "declared_by": self.declared_by} | changes))

    # Files

    @property
    def signature(self) -> str:
        """SHA-256 of what the domain means, 64 hexadecimal digits.

        Unicode is normalised first, and `name` and `declared_by`, which change no tally, are left out.
        The order of categories counts; that of attributes and of a hierarchy's tables does not.
        """
        if not self._signature:
            meaning = {key: value for key, value in self.to_dict().items() if key not in ("name", "declared_by")}
            object.__setattr__(self, "_signature", digest(_normalised(meaning)))
        return self._signature

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for TOML and JSON; what is empty is left out."""
        found: dict[str, Any] = {
            "schema": SCHEMA,
            "name": self.name,
            "declared_by": self.declared_by,
            "unit": self.unit.to_dict(),
            "attributes": {name: attribute.to_dict() for name, attribute in self._attributes},
            "impossible": rules_to_list(self._rules),
            "order": chains_to_list(self.order),
        }
        return {key: value for key, value in found.items() if value or key == "attributes"}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the domain that plain data describe, as made by :meth:`to_dict`.

        Raises
        ------
        ConfigError
            The data are malformed or contradict themselves; ``argument`` is the dotted key, such as
            ``attributes.age.lower``.
        """
        from pets.domain.schema import read_sections

        sections = read_sections(data)
        if sections.get("declared_by") == "":
            raise ConfigError(
                "declared_by",
                "is empty: what this file holds was read from rows, and nobody has declared it public",
                "Check the file line by line, then write the name of the person who declares it.",
            )
        with as_config_error():
            return cls(**sections)

    @classmethod
    def suggest(cls, frame: object, *, id: str | None = None, max_categories: int = 50) -> DomainSuggestion:  # noqa: A002
        """Read rows and propose a domain for a data steward to check. The proposal is confidential.

        What is proposed was read from rows, so it can reveal them: a category that one patient has, the
        age of the oldest. It is therefore no :class:`Domain` until a person declares it public.

        Parameters
        ----------
        frame
            Any data frame that narwhals supports.
        id
            Column that identifies the patient; guessed by its name if left out.
        max_categories
            Text columns with more distinct values are left out.

        Returns
        -------
        DomainSuggestion
            To be edited as TOML, or declared.

        Raises
        ------
        InvalidArgument
            `frame` is no data frame, or a parameter is invalid.
        DataError
            A column cannot be read.

        Warns
        -----
        UndeclaredDomainWarning
            Always.
        """
        from pets.domain.suggest import propose
        from pets.domain.suggestion import DomainSuggestion, UndeclaredDomainWarning

        proposal = propose(frame, id, max_categories)
        draft = cls(proposal.attributes, unit=PrivacyUnit(id=proposal.id))
        warnings.warn(UndeclaredDomainWarning(), stacklevel=2)
        return DomainSuggestion(draft, proposal.notes, proposal.left_out)

    # Showing

    def __repr__(self) -> str:
        from pets.domain.show import domain_line

        return domain_line(self)

    def _repr_html_(self) -> str:
        from pets.domain.show import domain_table

        return domain_table(self)


def _as_mapping(levels: object) -> Mapping[str, str]:
    if not isinstance(levels, Mapping):
        raise InvalidArgument("levels", "must map attribute names to levels")
    return levels


def _normalised(data: Any) -> Any:
    if isinstance(data, str):
        return unicodedata.normalize("NFC", data)
    if isinstance(data, dict):
        return {_normalised(key): _normalised(value) for key, value in data.items()}
    return [_normalised(item) for item in data] if isinstance(data, list) else data
