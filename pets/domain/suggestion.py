"""A proposal for a domain that nobody has declared public yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from pets.config.paths import printable
from pets.errors import InvalidArgument

if TYPE_CHECKING:
    from pets.domain.domain import Domain

WARNING = (
    "This proposal was READ FROM ROWS and is CONFIDENTIAL until a person declares it public: "
    "a category that one patient has, or a bound that one patient sets, would reveal that patient."
)

_BANNER = """\
# ############################################################################
# CONFIDENTIAL: READ FROM ROWS, NOT PUBLIC.
# A category that a single patient has, or a bound that a single patient sets,
# reveals that patient. Keep this file where the rows are kept, until:
#   1. categories are those of a published classification, not those seen here;
#   2. bounds come from rules (the ages a registry records), not from the rows;
#   3. a person who may decide so writes a name into declared_by.
# Until then pets refuses to load it.
# ############################################################################
"""


class UndeclaredDomainWarning(UserWarning):
    """A domain was proposed from rows; it is confidential until a person declares it public."""

    def __init__(self, message: str = WARNING) -> None:
        super().__init__(message)


@dataclass(frozen=True, slots=True, repr=False)
class DomainSuggestion:
    """What :meth:`Domain.suggest` proposes: to be checked by a person, and no domain before that.

    Its repr shows names and types only, since the rest was read from rows.

    Attributes
    ----------
    notes
        Attribute name to how its definition was guessed.
    left_out
        Column name to why it is no attribute.
    """

    _draft: Domain
    notes: Mapping[str, str]
    left_out: Mapping[str, str]

    def declare_public(self, by: str) -> Domain:
        """Return the proposal as a domain, declared public by a person.

        Parameters
        ----------
        by
            Name of the person who declares that everything in :meth:`to_toml` may be known to all. It is
            kept in the domain's ``declared_by``.

        Raises
        ------
        InvalidArgument
            `by` is empty or no name.
        """
        if not str(by).strip():
            raise InvalidArgument("by", "must be the name of the person who declares the domain public")
        return self._draft.declared(by)

    def to_toml(self) -> str:
        """Return the proposal as a TOML document to be edited, with a comment for each column.

        It cannot be loaded as it is: ``declared_by`` is empty until a person writes a name into it.
        """
        import tomli_w

        data = self._draft.to_dict()
        unit = tomli_w.dumps({"unit": data["unit"]})
        parts = [
            _BANNER,
            f'schema = {data["schema"]}\nname = ""\ndeclared_by = ""  # the person who declares this file public\n',
            f"# {_about_unit(self._draft.unit.id)}\n{unit}",
        ]
        for name, attribute in data["attributes"].items():
            table = tomli_w.dumps({"attributes": {name: attribute}})
            parts.append(f"{_comment(self.notes[name])}\n{table}")
        if self.left_out:
            parts.append(
                "\n".join(_comment(f"Left out: {printable(n)!r}: {why}") for n, why in self.left_out.items()) + "\n"
            )
        return "\n".join(parts)

    def __repr__(self) -> str:
        kinds = ", ".join(f"{printable(name)} ({a.type})" for name, a in self._draft.attributes.items())
        without = ", ".join(map(printable, self.left_out))
        return (
            f"<DomainSuggestion: {kinds or 'no attributes'}; left out: {without or 'nothing'}.\n"
            f" {WARNING}\n Read .to_toml(), correct it, then .declare_public(by='your name')>"
        )

    def _repr_html_(self) -> str:
        kinds = "".join(f"<li>{escape(name)}: {a.type}</li>" for name, a in self._draft.attributes.items())
        return (
            f"<p style='border:2px solid #b00;padding:0.5em'><strong>{escape(WARNING)}</strong></p><ul>{kinds}</ul>"
            "<p>Read <code>.to_toml()</code>, correct it, then <code>.declare_public(by='your name')</code>.</p>"
        )


def _about_unit(id_column: str | None) -> str:
    if id_column is None:
        return "No column looks like an identifier: each row counts as a patient. If that is wrong, name the id."
    return (
        "Whose presence is protected. Raise max_rows if one patient may contribute several rows; the rest is left out."
    )


def _comment(text: str) -> str:
    return "\n".join(f"# {line}" for line in text.splitlines())
