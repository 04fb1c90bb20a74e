"""What an audit has found, and what it has not."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from html import escape
from typing import Any, Literal

from pets.dp.auditing.bounds import Found
from pets.dp.auditing.proof import Proof
from pets.exact import as_text, show
from pets.guarantee import Guarantee

Verdict = Literal["refuted", "noise differs", "proven", "not refuted"]

_MEANS: dict[Verdict, str] = {
    "refuted": "The claim is false.",
    "noise differs": "The claim was not refuted, but the draws lose more than the law that the mechanism states.",
    "proven": "The stated law of the noise keeps the claim for certain, and the draws agree with it.",
    "not refuted": "The claim was not refuted.",
}


@dataclass(frozen=True)
class Audit:
    """The result of :func:`pets.dp.audit`. Print it, or show it in a notebook.

    Attributes
    ----------
    mechanism
        What was audited.
    claim
        What it promises about one unit.
    currency
        ``'epsilon'`` or ``'rho'``: what the three figures below are counted in.
    delta
        Mass that epsilon leaves out; 0 for pure DP and for rho.
    distance
        How many units were added or exchanged together in the draws.
    told
        How the two data sets differ.
    claimed
        What the claim allows, exact: for one unit, or at a delta above 0 for that distance.
    found
        The lower confidence bound at that distance.
    confidence
        Of the bound.
    proof
        An upper bound, for as many units as `claimed`, that is certain if the noise has its stated law; or ``None``.
    """

    mechanism: str
    claim: Guarantee
    currency: Literal["epsilon", "rho"]
    delta: Fraction
    distance: int
    told: str
    claimed: Fraction
    found: Found
    confidence: float
    proof: Proof | None

    @property
    def lower(self) -> float:
        """The lower confidence bound, brought back to one unit where `delta` is 0.

        A loss of L between data sets that are k units apart is one of at least L / k (epsilon, delta 0) or L / k² (rho)
        between some two that are one unit apart.
        """
        return self.found.value / self._steps

    @property
    def upper(self) -> float | None:
        """The proven upper bound, or ``None``."""
        return None if self.proof is None else float(self.proof.value)

    @property
    def _steps(self) -> int:
        if self.currency == "rho":
            return self.distance**2
        return self.distance if self.delta == 0 else 1

    @property
    def verdict(self) -> Verdict:
        """``'refuted'``, ``'noise differs'``, ``'proven'`` or ``'not refuted'``."""
        if self.lower > self.claimed or (self.proof is not None and self.proof.value > self.claimed):
            return "refuted"
        if self.proof is None:
            return "not refuted"
        return "noise differs" if self.lower > self.proof.value else "proven"

    @property
    def passed(self) -> bool:
        """Whether nothing was found against the claim or the stated noise."""
        return self.verdict in ("proven", "not refuted")

    def rows(self) -> list[tuple[str, str]]:
        """Return the figures as (term, text)."""
        at = f" at delta = {show(self.delta)}" if self.delta else ""
        per = ", for one unit" if self.delta == 0 or self.distance == 1 else f", for {self.distance} units together"
        proven = "none: there is no exact proof for this mechanism and question"
        if self.proof is not None:
            proven = (
                f"{self.currency} <= {show(self.proof.value)}{per} if the noise has its stated law "
                f"({self.proof.neighbours:,} neighbours; {self.proof.how})"
            )
        return [
            ("mechanism", self.mechanism),
            ("claim", str(self.claim)),
            ("allows", f"{self.currency} = {show(self.claimed)}{at}{per}"),
            (
                "lower bound",
                f"{self.currency} >= {show(self.lower)}{per}, with {100 * self.confidence:g} % confidence",
            ),
            ("proven", proven),
            ("data sets", f"{self.told}; {self.found.draws:,} draws of each decide"),
            ("verdict", f"{self.verdict}: {_MEANS[self.verdict]}"),
            ("what this does not prove", self.caveat()),
        ]

    def caveat(self) -> str:
        """Return what this verdict leaves open, in plain words."""
        if self.verdict == "refuted":
            wrong = f"with probability {1 - self.confidence:.2g} a right mechanism is called false by the draws"
            return f"Little: {wrong}." if self.lower > self.claimed else "Nothing: the stated law itself breaks it."
        common = (
            "One pair of data sets was tried, and rare outcomes are not seen in draws. Timing, memory, the random "
            "generator and what happens to the rows before they are added up were not looked at."
        )
        if self.verdict == "not refuted":
            return "A failed refutation is no proof. " + common
        return "That the drawn noise follows its law in every detail is the samplers' own tests' concern. " + common

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "mechanism": self.mechanism,
            "claim": self.claim.to_dict(),
            "currency": self.currency,
            "delta": as_text(self.delta),
            "distance": self.distance,
            "claimed": as_text(self.claimed),
            "lower": self.lower,
            "confidence": self.confidence,
            "proven": self.upper,
            "draws": self.found.draws,
            "verdict": self.verdict,
        }

    def __str__(self) -> str:
        return "\n".join(["Audit", *(f"  {term}: {text}" for term, text in self.rows())])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        body = "".join(
            f"<tr><th style='text-align:left;vertical-align:top'>{escape(term)}</th>"
            f"<td style='text-align:left'>{escape(text)}</td></tr>"
            for term, text in self.rows()
        )
        return f"<table><tr><td colspan=2 style='text-align:left'><b>Audit</b></td></tr>{body}</table>"
