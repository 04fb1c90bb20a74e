"""What is public before any row is read: attributes, their categories and bounds, what cannot occur."""

from pets.domain.attributes import Attribute
from pets.domain.axis import KeyAxis
from pets.domain.categorical import Categorical
from pets.domain.dates import Date
from pets.domain.domain import Domain
from pets.domain.hierarchy import Hierarchy
from pets.domain.labels import InvalidPolicy, Label
from pets.domain.numbers import Integer, Numeric
from pets.domain.suggestion import DomainSuggestion, UndeclaredDomainWarning

__all__ = [
    "Attribute",
    "Categorical",
    "Date",
    "Domain",
    "DomainSuggestion",
    "Hierarchy",
    "Integer",
    "InvalidPolicy",
    "KeyAxis",
    "Label",
    "Numeric",
    "UndeclaredDomainWarning",
]
