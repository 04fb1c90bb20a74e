"""The form of a domain file, as pydantic models. Importing this imports pydantic: do so inside functions.

The models check form only (which keys, which types); what the values mean is checked by the constructors.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from pets.config import as_config_error, dotted
from pets.config.sections import Section, known_tag, validate
from pets.domain.attributes import Attribute
from pets.domain.categorical import Categorical
from pets.domain.dates import Date
from pets.domain.labels import InvalidPolicy
from pets.domain.numbers import Integer, Numeric
from pets.errors import ConfigError
from pets.privacy_unit import Neighbours, PrivacyUnit


def _label(value: object) -> object:
    if not isinstance(value, str | int):
        raise PydanticCustomError("label", "must be text, a whole number or a boolean")
    return value


def _labels(value: object) -> object:
    return [_label(item) for item in value] if isinstance(value, list) else _label(value)


def _number(value: object) -> object:
    if not isinstance(value, str | int | float):
        raise PydanticCustomError("number", "must be a number, or a text such as '0.1' or '1/3'")
    return value


_LABEL_SCHEMA: dict[str, Any] = {"type": ["string", "integer", "boolean"]}
_LabelValue = Annotated[Any, PlainValidator(_label), WithJsonSchema(_LABEL_SCHEMA)]
_LabelOrList = Annotated[
    Any, PlainValidator(_labels), WithJsonSchema({"anyOf": [_LABEL_SCHEMA, {"type": "array", "items": _LABEL_SCHEMA}]})
]
_NumberValue = Annotated[Any, PlainValidator(_number), WithJsonSchema({"type": ["number", "string"]})]
_Policy = Annotated[str, WithJsonSchema({"enum": list(get_args(InvalidPolicy))})]


class UnitSection(Section):
    """``[unit]``: whose presence is protected."""

    id: str | None = None
    max_rows: int = 1
    neighbours: Annotated[str, WithJsonSchema({"enum": list(get_args(Neighbours))})] = "add_remove"
    max_sites: int = 1


class _AttributeSection(Section):
    hierarchy: dict[str, dict[str, list[_LabelValue]]] | None = None
    invalid: _Policy = "drop"
    invalid_label: _LabelValue = None


class CategoricalSection(_AttributeSection):
    """``[attributes.NAME]`` with ``type = "categorical"``."""

    type: Literal["categorical"]
    categories: list[_LabelValue]


class IntegerSection(_AttributeSection):
    """``[attributes.NAME]`` with ``type = "integer"``."""

    type: Literal["integer"]
    lower: int
    upper: int
    bins: list[int] | None = None


class NumericSection(_AttributeSection):
    """``[attributes.NAME]`` with ``type = "numeric"``."""

    type: Literal["numeric"]
    lower: _NumberValue
    upper: _NumberValue
    resolution: _NumberValue
    bins: list[_NumberValue] | None = None


class DateSection(_AttributeSection):
    """``[attributes.NAME]`` with ``type = "date"``; dates are texts such as ``"2004-03-15"``."""

    type: Literal["date"]
    lower: str
    upper: str
    resolution: str = "day"
    bins: str | list[str] = "year"


_ATTRIBUTES: dict[str, type[Attribute]] = {a.type: a for a in (Categorical, Integer, Numeric, Date)}

AttributeSection = Annotated[
    CategoricalSection | IntegerSection | NumericSection | DateSection,
    Field(discriminator="type"),
    BeforeValidator(known_tag(*_ATTRIBUTES)),
]


class DomainSection(Section):
    """A whole domain file."""

    version: int = Field(default=1, alias="schema")
    name: str = ""
    declared_by: str | None = None
    unit: UnitSection = UnitSection()
    attributes: dict[str, AttributeSection] = Field(default_factory=dict)
    impossible: list[dict[str, _LabelOrList]] = Field(default_factory=list)
    order: list[list[str]] = Field(default_factory=list)


def read_sections(data: object) -> dict[str, Any]:
    """Return the arguments of ``Domain(...)`` that a domain file describes.

    Raises
    ------
    ConfigError
        The file does not have the right form, or a section contradicts itself.
    """
    section = validate(DomainSection, data)
    if section.version != 1:
        raise ConfigError("schema", "is a version that this release cannot read", "Write schema = 1, or update pets.")
    with as_config_error("unit"):
        unit = PrivacyUnit(**section.unit.model_dump())
    attributes = {name: _attribute(name, part) for name, part in section.attributes.items()}
    found = {"unit": unit, "attributes": attributes, "name": section.name}
    found |= {"impossible": section.impossible, "order": section.order}
    return found if section.declared_by is None else found | {"declared_by": section.declared_by}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a domain file."""
    return DomainSection.model_json_schema(by_alias=True)


def _attribute(name: str, section: _AttributeSection) -> Attribute:
    given = section.model_dump(exclude_unset=True)
    tag = given.pop("type")
    with as_config_error(dotted("attributes", name)):
        return _ATTRIBUTES[tag](**{key: value for key, value in given.items() if value is not None})
