"""Domains for people: one line for the console, a table for notebooks."""

from __future__ import annotations

from fractions import Fraction
from html import escape
from typing import TYPE_CHECKING

from pets.config.paths import printable
from pets.domain.attributes import Attribute
from pets.domain.dates import Date
from pets.domain.numbers import Integer, Numeric
from pets.exact import as_text

if TYPE_CHECKING:
    from pets.domain.domain import Domain

_SHOWN = 8


def domain_line(domain: Domain) -> str:
    """Return ``<Domain: sex (2), age 0 to 19 (4 bins); protects one row added or removed>``."""
    parts = [f"{printable(name)} {_short(attribute)}" for name, attribute in domain.attributes.items()]
    shown = ", ".join(parts[:_SHOWN]) + (f", and {len(parts) - _SHOWN} more" if len(parts) > _SHOWN else "")
    title = f" {printable(domain.name)!r}" if domain.name else ""
    return f"<Domain{title}: {shown or 'no attributes'}; protects {domain.unit}>"


def domain_table(domain: Domain) -> str:
    """Return an HTML table with one line per attribute; all texts are escaped."""
    lines = [
        f"<tr><th>{escape(name)}</th><td>{attribute.type}</td><td>{escape(_values(attribute))}</td>"
        f"<td>{escape(', '.join(attribute.levels)) or '&ndash;'}</td><td>{escape(_policy(attribute))}</td></tr>"
        for name, attribute in domain.attributes.items()
    ]
    about = [f"Protects {domain.unit}."]
    if domain.impossible:
        about.append(f"Rules for impossible cells: {len(domain.impossible)}.")
    about += [f"In this order: {', '.join(chain)}." for chain in domain.order]
    if domain.declared_by:
        about.append(f"Declared public by {domain.declared_by}.")
    return (
        f"<table><caption>{escape(domain.name or 'Domain')}</caption>"
        "<thead><tr><th>attribute</th><th>type</th><th>values</th><th>levels</th><th>other values</th></tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table><p>{escape(' '.join(about))}</p>"
    )


def _short(attribute: Attribute) -> str:
    if isinstance(attribute, Integer | Numeric):
        bins = f" ({len(attribute.labels)} bins)" if attribute.bins else ""
        return f"{_number(attribute.lower)} to {_number(attribute.upper)}{bins}"
    if isinstance(attribute, Date):
        return f"{attribute.lower} to {attribute.upper} ({len(attribute.labels)} bins)"
    return f"({len(attribute.labels)})"


def _values(attribute: Attribute) -> str:
    found = []
    if isinstance(attribute, Integer | Numeric | Date):
        found.append(_short(attribute))
    if isinstance(attribute, Numeric):
        found.append(f"in steps of {as_text(attribute.resolution)}")
    if not isinstance(attribute, Integer | Numeric) or attribute.bins:
        labels = [str(label) for label in attribute.labels]
        found.append(", ".join(labels[:_SHOWN]) + (f", ... ({len(labels)})" if len(labels) > _SHOWN else ""))
    return "; ".join(found)


def _policy(attribute: Attribute) -> str:
    return {
        "drop": "dropped and counted",
        "error": "an error",
        "clamp": "moved to the bound; missing ones dropped",
        "category": f"a category: {attribute.invalid_label}",
    }[attribute.invalid]


def _number(number: int | Fraction) -> str:
    return as_text(Fraction(number))
