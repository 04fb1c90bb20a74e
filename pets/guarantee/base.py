"""What every guarantee can do, and what every currency of differential privacy can do besides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from pets.errors import InvalidArgument
from pets.exact import Number, as_text
from pets.guarantee import wording
from pets.privacy_unit import PrivacyUnit


class Guarantee(ABC):
    """What is promised to the people in the data, against whom, and under which assumption.

    Guarantees are frozen values: equal when all their parts are equal, usable as dictionary keys.
    """

    __slots__ = ()

    @abstractmethod
    def explain(self) -> str:
        """Return the promise as one plain sentence for a reader who is no cryptographer."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return plain data for TOML and JSON, exact numbers as text; ``pets.guarantee.from_dict`` reads it back."""

    @abstractmethod
    def __str__(self) -> str:
        """Return a short form such as ``epsilon = 1 (pure DP)``."""


class DifferentialPrivacy(Guarantee):
    """A bound on what one unit's presence can change.

    All conversions are upper bounds, rounded against the spender.
    """

    __slots__ = ()

    unit: PrivacyUnit | None

    @abstractmethod
    def group(self, k: int) -> DifferentialPrivacy:
        """Return what is promised to any `k` units together, e.g. to a family of patients.

        The result keeps the unit's name, for which it holds all the more.
        """

    @abstractmethod
    def to_zcdp(self) -> DifferentialPrivacy:
        """Return the zero-concentrated guarantee that this one implies."""

    @abstractmethod
    def to_approx(self, delta: Number) -> DifferentialPrivacy:
        """Return the smallest epsilon that this guarantee implies at a failure probability of at most `delta`."""

    @abstractmethod
    def to_renyi(self, orders: Iterable[Number]) -> DifferentialPrivacy:
        """Return the Rényi guarantee that this one implies at the given orders."""

    def _sentence(self, distance: float, extra: str = "") -> str:
        who, odds = wording.subject(self.unit), wording.odds(distance, self.unit)
        return f"What a reader can learn about {who} is bounded: {odds}{extra}."

    def _record(self, tag: str, **parts: Any) -> dict[str, Any]:
        unit = {} if self.unit is None else {"unit": self.unit.to_dict()}
        return {"type": tag} | parts | unit

    def _repr(self, *parts: str) -> str:
        unit = () if self.unit is None else (f"unit={self.unit!r}",)
        return f"{type(self).__name__}({', '.join(parts + unit)})"


def literal(number: Fraction) -> str:
    """Return Python source for an exact number: ``0.1`` or ``'1/3'``."""
    text = as_text(number)
    return repr(text) if "/" in text else text


def checked_unit(unit: object) -> PrivacyUnit | None:
    """Return `unit` if it is a :class:`PrivacyUnit` or None."""
    if unit is None or isinstance(unit, PrivacyUnit):
        return unit
    raise InvalidArgument("unit", "must be a PrivacyUnit", "Write PrivacyUnit(id='patient_id', max_rows=...).")


def group_size(k: object) -> int:
    """Return `k` if it is a whole number between 1 and 1,000,000."""
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= 10**6:
        raise InvalidArgument("k", "must be a whole number between 1 and 1,000,000")
    return k
