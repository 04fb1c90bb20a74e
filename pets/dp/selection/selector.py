"""What all selections share: a rule that chooses, what it promises, and a result that says how good the choice is."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource, secure_random
from pets.domain import Label
from pets.dp.selection.candidates import candidates
from pets.errors import ConfigError, InvalidArgument
from pets.exact import Number, as_text, isqrt_up, positive, show
from pets.guarantee import DPGuarantee, PureDP, ZeroConcentratedDP
from pets.query import BoundQuery
from pets.tally import Tally

Outcome = tuple[tuple[int, ...], dict[str, int]]
"""Candidates chosen, in order, and further published numbers."""


class Selector(ABC):
    """A mechanism that publishes a choice and no table.

    It has the same methods as :class:`pets.Mechanism`, but for ``error``, and returns a :class:`Selected` rather than a
    release. :func:`~pets.dp.selection.charged.select` charges a ledger first.
    """

    kind: ClassVar[str]

    @abstractmethod
    def guarantee(self, query: BoundQuery) -> DPGuarantee:
        """Return what is promised about one privacy unit: what the ledger is charged."""

    @abstractmethod
    def choose(self, scores: NDArray[np.int64], query: BoundQuery, source: RandomSource) -> Outcome:
        """Return the choice for these confidential scores, with bits from `source`."""

    @abstractmethod
    def shortfall(self, query: BoundQuery, level: float = 0.95) -> int:
        """Return how far the choice may be from the best, in units of the score, with probability `level`.

        Known before any row is read, and valid whatever the rows are.
        """

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain data with a ``type``."""

    def label(self, query: BoundQuery, index: int) -> dict[str, Label]:
        """Return what candidate number `index` is."""
        return candidates(query).label(index)

    def scores(self, total: Tally, query: BoundQuery) -> NDArray[np.int64]:
        """Return the confidential scores of all candidates."""
        return candidates(query).scores(total)

    def explain(self, query: BoundQuery, notes: Mapping[str, int]) -> str:
        """Return in a plain sentence how good a choice with these published notes is."""
        return (
            f"In 95 of 100 publications the score of what is chosen is at most {self.shortfall(query)} below the best."
        )

    def release(self, total: Tally, query: BoundQuery) -> Selected:
        """Return the choice for `total`. Nothing is charged: see :func:`~pets.dp.selection.charged.select`.

        Raises
        ------
        PairingRefused, InvalidArgument
            The query has no candidates to choose among.
        IncompatibleTallies
            `total` answers another question.
        """
        self.guarantee(query)
        chosen, notes = self.choose(self.scores(total, query), query, secure_random())
        return Selected(query, self, chosen, notes)


@dataclass(frozen=True)
class Selected:
    """A published choice.

    Parameters
    ----------
    query
        The question whose cells were the candidates.
    mechanism
        How it was chosen.
    chosen
        Numbers of the candidates, in the order in which they came out.
    notes
        Further published numbers, such as the lead of the winner.
    """

    query: BoundQuery
    mechanism: Selector
    chosen: tuple[int, ...]
    notes: Mapping[str, int] = field(default_factory=dict)

    @property
    def guarantee(self) -> DPGuarantee:
        """The promise about what is published."""
        return self.mechanism.guarantee(self.query)

    @property
    def labels(self) -> tuple[dict[str, Label], ...]:
        """What was chosen."""
        return tuple(self.mechanism.label(self.query, index) for index in self.chosen)

    def shortfall(self, level: float = 0.95) -> int:
        """Return how far the choice may be from the best (see :meth:`Selector.shortfall`)."""
        return self.mechanism.shortfall(self.query, level)

    def explain(self) -> tuple[str, ...]:
        """Return what is promised, and how certain the choice is, in plain sentences."""
        return (self.guarantee.explain(), self.mechanism.explain(self.query, self.notes))

    def to_json(self) -> str:
        """Return the choice as a JSON document that can be read alone."""
        document = {
            "format": "pets-selection", "version": 1, "query": self.query.query.to_dict(),
            "domain": self.query.domain.to_dict(), "mechanism": self.mechanism.to_dict(),
            "chosen": list(self.chosen), "notes": dict(self.notes), "guarantee": self.guarantee.to_dict(),
        }  # fmt: skip
        return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Selected:
        """Read :meth:`to_json`.

        Raises
        ------
        ConfigError
            The document is malformed.
        """
        from pets.config import build
        from pets.dp.selection import SELECTORS

        try:
            document = json.loads(text)
            format_, chosen, notes = document["format"], document["chosen"], document["notes"]
            query, domain, settings = document["query"], document["domain"], document["mechanism"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ConfigError("document", "is no selection", "Give what to_json() returned.") from None
        numbers = list(chosen) + list(notes.values()) if isinstance(chosen, list) and isinstance(notes, dict) else [""]
        if format_ != "pets-selection" or not all(type(number) is int for number in numbers):
            raise ConfigError("document", "is no selection", "Give what to_json() returned.")
        mechanism = build(SELECTORS, settings, "mechanism")
        selected = cls(BoundQuery.from_dicts(query, domain), cast("Selector", mechanism), tuple(chosen), notes)
        _ = selected.labels, selected.guarantee
        return selected


@dataclass(frozen=True)
class Cost:
    """What a choice may cost: pure epsilon, or rho of zero-concentrated privacy, at the chooser's option.

    Parameters
    ----------
    amount
        Above 0.
    pure
        Whether it is an epsilon.
    """

    amount: Fraction
    pure: bool

    def __repr__(self) -> str:
        return f"{'epsilon' if self.pure else 'rho'} {show(self.amount)}"

    @classmethod
    def of(cls, epsilon: Number | None, rho: Number | None) -> Cost:
        """Return the cost, of which exactly one is given.

        Raises
        ------
        InvalidArgument
            None or both are given, or the one is not above 0.
        """
        if (epsilon is None) == (rho is None):
            raise InvalidArgument("epsilon", "or rho must be given, and not both")
        return cls(positive(rho, "rho"), False) if epsilon is None else cls(positive(epsilon, "epsilon"), True)

    def bounded_range(self, times: int) -> Fraction:
        """Return the epsilon of each of `times` exponential mechanisms that together cost no more than this.

        Pure losses add up. Concentrated: an exponential mechanism of epsilon is epsilon²/8-zCDP (Cesar and Rogers
        2021, Lemma 3.2), and these add up too, also when each choice depends on the ones before.
        """
        if self.pure:
            return self.amount / times
        square = 8 * self.amount / times
        return square / isqrt_up(square)  # rational, and not above the root

    def guarantee(self, query: BoundQuery) -> PureDP | ZeroConcentratedDP:
        """Return it as a guarantee for the privacy unit of the query's domain."""
        kind = PureDP if self.pure else ZeroConcentratedDP
        return kind(self.amount, unit=query.domain.unit)

    def to_dict(self) -> dict[str, str]:
        """Return plain data."""
        return {"epsilon" if self.pure else "rho": as_text(self.amount)}
