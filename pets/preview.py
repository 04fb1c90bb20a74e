"""What a pipeline would do, said before any row is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from pets.error_model import ErrorModel
from pets.guarantee import DifferentialPrivacy, Guarantee, beyond_one_unit
from pets.query import BoundQuery


@dataclass(frozen=True)
class Preview:
    """Promises, accuracy and knowledge of a pipeline. Print it, or show it in a notebook.

    Attributes
    ----------
    query
        The question.
    guarantees
        Output privacy, then input privacy.
    errors
        Error of the mechanism, then of the aggregator.
    who_learns
        For each party, what it sees.
    remaining
        What the ledger has left for this data set and unit, or ``None`` without a ledger.
    notes
        What else there is to say about the accuracy.
    """

    query: BoundQuery
    guarantees: tuple[Guarantee, ...]
    errors: tuple[ErrorModel, ...]
    who_learns: Mapping[str, str]
    remaining: Guarantee | None = None
    notes: tuple[str, ...] = ()

    @property
    def guarantee(self) -> Guarantee:
        """The promise about what is published."""
        return self.guarantees[0]

    @property
    def error(self) -> ErrorModel:
        """The error of what is published."""
        return self.errors[0]

    def sections(self) -> dict[str, list[tuple[str, str]]]:
        """Return the preview as titled lines: (term, explanation)."""
        unit = self.query.domain.unit
        left = "no ledger: nothing will be recorded" if self.remaining is None else f"{self.remaining} left"
        beyond = {"For more than one": self._beyond()} if isinstance(self.guarantee, DifferentialPrivacy) else {}
        return {
            "Question": [
                ("asks", f"{self.query.query!r}"),
                ("cells", f"{sum(block.cells for block in self.query.blocks):,}, empty ones included"),
                ("protects", str(unit)),
                ("one unit moves the table by", str(self.query.sensitivity)),
            ],
            "Promise": [(str(guarantee), guarantee.explain()) for guarantee in self.guarantees],
            **beyond,
            "Accuracy": [("", sentence) for sentence in (*self.error.explain(), *self.notes)],
            "Who learns what": list(self.who_learns.items()),
            "Budget": [("cost", str(self.guarantee)), ("ledger", left)],
        }

    def _beyond(self) -> list[tuple[str, str]]:
        unit, most = self.query.domain.unit, self.query.sensitivity
        reach = f"changes at most {most.l0:,} cells (L0), each by at most {most.linf:,} (Linf)"
        return [(f"one {unit.noun}", reach), *beyond_one_unit(self.guarantee)]

    def __str__(self) -> str:
        lines = []
        for title, rows in self.sections().items():
            lines.append(title)
            lines += [f"  {term}: {text}" if term else f"  {text}" for term, text in rows]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parts = []
        for title, rows in self.sections().items():
            body = "".join(
                f"<tr><th style='text-align:left;vertical-align:top'>{escape(term)}</th>"
                f"<td style='text-align:left'>{escape(text)}</td></tr>"
                for term, text in rows
            )
            parts.append(f"<tr><td colspan=2 style='text-align:left'><b>{escape(title)}</b></td></tr>{body}")
        return f"<table>{''.join(parts)}</table>"
