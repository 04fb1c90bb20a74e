"""Promises that are no differential privacy: input privacy, suppression rules, and none at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pets.errors import InvalidArgument
from pets.guarantee.base import Guarantee

_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class InputPrivacy(Guarantee):
    """Nobody in `hidden_from` sees the tally of a single site; what the total reveals is not limited by it.

    Parameters
    ----------
    scheme
        How the tallies are joined, e.g. ``'pairwise masked sum'``.
    hidden_from
        Who sees no single site's tally, e.g. ``('the server', 'the other sites')``. Not empty.
    assumes
        What must hold for this, e.g. ``'no more than one site shares its keys with the server'``.

    Raises
    ------
    InvalidArgument
        A text is empty, too long or no text.
    """

    scheme: str
    hidden_from: tuple[str, ...]
    assumes: str

    def __post_init__(self) -> None:
        _require_text("scheme", self.scheme)
        _require_text("assumes", self.assumes)
        object.__setattr__(self, "hidden_from", _parties(self.hidden_from))

    def explain(self) -> str:
        """Return the promise, and what it does not cover, in one sentence."""
        *others, last = self.hidden_from
        parties = f"{', '.join(others)} nor {last}" if others else last
        opening = f"Neither {parties} sees" if others else f"{last[0].upper()}{last[1:]} does not see"
        return (
            f"{opening} the tally of any single site, only what the sites' total tells ({self.scheme}), "
            f"assuming that {self.assumes}; what the published total tells about a patient is not limited by this."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "type": "input_privacy",
            "scheme": self.scheme,
            "hidden_from": list(self.hidden_from),
            "assumes": self.assumes,
        }

    def __str__(self) -> str:
        return f"input privacy by {self.scheme}, hidden from {', '.join(self.hidden_from)}"


@dataclass(frozen=True, slots=True)
class SuppressionRule(Guarantee):
    """Exact values are published except for small cells; there is no bound on what they tell.

    Parameters
    ----------
    minimum
        Smallest count that is published, at least 1.
    zeros
        What is done with cells that are 0, in a word: ``'publish'`` or ``'suppress'``.
    complementary
        Whether further cells are withheld so that the small ones cannot be found by subtraction.
    withheld
        Whom the totals count which the release does not print, and nobody may: with one of them a cell could be found.

    Raises
    ------
    InvalidArgument
        `minimum` is no whole number of at least 1, `zeros` is no text, `complementary` no truth value, or `withheld`
        holds anything but texts.
    """

    minimum: int
    zeros: str
    complementary: bool = False
    withheld: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require_count("minimum", self.minimum)
        _require_text("zeros", self.zeros)
        _require_truth("complementary", self.complementary)
        object.__setattr__(self, "withheld", _names(self.withheld))

    def explain(self) -> str:
        """Return the promise, and what it does not cover, in one sentence."""
        further = (
            "further cells are withheld so that none of these follows by subtraction"
            if self.complementary
            else "a withheld cell may follow by subtraction from totals or from another table"
        )
        return (
            f"Exact counts are published, except that those below {self.minimum} are withheld "
            f"(zeros: {self.zeros}); {further}{self._kept_back()}; "
            "nothing bounds what the published counts tell about a patient."
        )

    def _kept_back(self) -> str:
        if not self.withheld:
            return ""
        named, more = self.withheld[:3], len(self.withheld) - 3
        listed = "; ".join(named) + (f"; and {more} more, see `withheld`" if more > 0 else "")
        return f", as long as nobody prints the total of {listed}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "type": "suppression_rule",
            "minimum": self.minimum,
            "zeros": self.zeros,
            "complementary": self.complementary,
        } | ({"withheld": list(self.withheld)} if self.withheld else {})

    def __str__(self) -> str:
        return f"cells below {self.minimum} withheld{', with complements' * self.complementary} (no bound)"


@dataclass(frozen=True, slots=True)
class NoFormalGuarantee(Guarantee):
    """Nothing is proven about what the publication tells.

    Parameters
    ----------
    why
        The reason, as a clause: ``'the rows are sampled from a model without noise'``.

    Raises
    ------
    InvalidArgument
        `why` is empty, too long or no text.
    """

    why: str

    def __post_init__(self) -> None:
        _require_text("why", self.why)

    def explain(self) -> str:
        """Return the promise, and what it does not cover, in one sentence."""
        return f"Nothing is proven about what a reader can learn about a patient, because {self.why}."

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"type": "none", "why": self.why}

    def __str__(self) -> str:
        return f"no formal guarantee ({self.why})"


def _parties(value: object) -> tuple[str, ...]:
    if not isinstance(value, tuple | list) or not value:
        raise InvalidArgument("hidden_from", "must name at least one party", "Write ('the server',).")
    for party in value:
        _require_text("hidden_from", party)
    return tuple(value)


def _names(value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(item, str) for item in value):
        raise InvalidArgument("withheld", "must be a list of texts")
    return tuple(value)


def _require_count(argument: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10**9:
        raise InvalidArgument(argument, "must be a whole number between 1 and 1,000,000,000")


def _require_truth(argument: str, value: object) -> None:
    if not isinstance(value, bool):
        raise InvalidArgument(argument, "must be true or false")


def _require_text(argument: str, text: object) -> None:
    if not isinstance(text, str) or not text.strip():
        raise InvalidArgument(argument, "must be a text that is not empty")
    if len(text) > _LONGEST:
        raise InvalidArgument(argument, f"is longer than {_LONGEST} characters")
    # A lone surrogate or a control character could be written to no TOML file.
    if any("\ud800" <= c <= "\udfff" or (ord(c) < 32 and c not in "\n\t") or ord(c) == 127 for c in text):
        raise InvalidArgument(argument, "contains control or unpaired characters", "Remove them.")
