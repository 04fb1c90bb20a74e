"""The report on privacy: what each attack achieved, beside chance and beside what is proven."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from pets.guarantee import Guarantee
from pets.release_view import show_value

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

INTERNAL = (
    "Internal: attacks were run on the confidential rows, and nothing of it was paid for from a budget. An attack that "
    "fails proves nothing; only the guarantee does."
)
SIMILARITY = "similarity, not privacy"
_NUMBER = "text-align:right;font-variant-numeric:tabular-nums;padding:2px 10px"
_ALARM = "border-left:4px solid #b0413e;padding:4px 10px;background:#b0413e18"


@dataclass(frozen=True)
class Finding:
    """What one attack achieved.

    Attributes
    ----------
    attack, rows
        Which attack, on which rows.
    measure
        What the number is.
    value, low, high
        The number with its 95 % interval.
    chance
        What somebody gets who has no artificial rows of the person's data.
    bound
        The most that the guarantee allows any attack; 1 without a guarantee, NaN if nothing is proven about this one.
    """

    attack: str
    rows: str
    measure: str
    value: float
    low: float
    high: float
    chance: float
    bound: float

    @property
    def works(self) -> bool:
        """Whether it is better than chance beyond its interval."""
        return self.low > self.chance

    @property
    def breaks(self) -> bool:
        """Whether it is better than the guarantee allows, beyond its interval: then the claim is wrong."""
        return not math.isnan(self.bound) and self.low > self.bound

    @property
    def reading(self) -> str:
        """One word or two."""
        if SIMILARITY in self.attack:
            return SIMILARITY
        if self.breaks:
            return "ABOVE THE PROVEN BOUND"
        return "works" if self.works else "not better than chance"


@dataclass(frozen=True, eq=False)
class PrivacyReport:
    """What attacks on a synthesizer achieved on these rows. There is no overall score, on purpose.

    Attributes
    ----------
    findings
        One for each attack and group of rows.
    guarantee
        What the attacked fits promise.
    fits, rows
        How many fits were attacked, and how many rows each had.
    """

    findings: tuple[Finding, ...]
    guarantee: Guarantee
    fits: int
    rows: int

    @property
    def working(self) -> tuple[Finding, ...]:
        """The attacks that are better than chance."""
        return tuple(f for f in self.findings if f.works and SIMILARITY not in f.attack)

    @property
    def broken(self) -> tuple[Finding, ...]:
        """The attacks that do what the guarantee rules out."""
        return tuple(f for f in self.findings if f.breaks)

    def __getitem__(self, attack: str) -> tuple[Finding, ...]:
        """Return the findings of attacks whose name begins with a text."""
        return tuple(finding for finding in self.findings if finding.attack.startswith(attack))

    def explain(self) -> str:
        """Return what was done and what came of it, in plain sentences."""
        found = [INTERNAL, self.guarantee.explain()]
        found.append(
            f"{self.fits} models of {self.rows:,} rows each were attacked, with as many other rows as controls."
        )
        found.append(f"{len(self.working)} of {len(self.findings)} numbers are better than chance.")
        if self.broken:
            found.append("SOME ARE BETTER THAN THE GUARANTEE ALLOWS: the claim is wrong. Do not release.")
        return " ".join(found)

    def to_frame(self) -> pd.DataFrame:
        """Return one line for each finding."""
        import pandas as pd

        table = pd.DataFrame(self._lines())
        table.attrs["internal"] = True
        return table

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; what has no value is ``None``."""
        lines = [
            {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in line.items()}
            for line in self._lines()
        ]
        return {"internal": True, "guarantee": self.guarantee.to_dict(), "fits": self.fits, "rows": self.rows,
                "findings": lines}  # fmt: skip

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw each attack with its interval, chance (grey) and the proven bound (red)."""
        if ax is None:
            from matplotlib.figure import Figure

            ax = Figure(figsize=(8, 1 + 0.3 * len(self.findings)), layout="constrained").subplots()
        for i, one in enumerate(self.findings):
            colour = "#b0413e" if one.breaks else "#1f5f8b"
            ax.hlines(i, one.low, one.high, color=colour, lw=2, alpha=0.6)
            ax.plot(one.value, i, "o", color=colour, ms=5)
            ax.plot(one.chance, i, "|", color="#777777", ms=12)
            ax.plot(one.bound, i, "|", color="#b0413e", ms=12)
        ax.set_yticks(range(len(self.findings)), [f"{one.attack}, {one.rows}" for one in self.findings], fontsize=7)
        ax.invert_yaxis()
        ax.set_xlabel("success with 95 % interval; grey: chance, red: proven bound")
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
        return ax

    def _lines(self) -> list[dict[str, Any]]:
        names = ("attack", "rows", "measure", "value", "low", "high", "chance", "bound", "reading")
        return [{name: getattr(finding, name) for name in names} for finding in self.findings]

    def _repr_html_(self) -> str:
        heads = ("attack", "rows", "measure", "value (95 %)", "chance", "proven bound", "reads as")
        head = "".join(f"<th>{name}</th>" for name in heads)
        rows = "".join(_row(finding) for finding in self.findings)
        return (
            f"<div><b>Attacks</b><p style='{_ALARM}'>{escape(self.explain())}</p>"
            f"<table><tr>{head}</tr>{rows}</table></div>"
        )

    def __repr__(self) -> str:
        return f"<PrivacyReport: {len(self.working)} of {len(self.findings)} numbers better than chance; internal>"


def _row(one: Finding) -> str:
    style = " style='color:#b0413e'" if one.breaks else ""
    numbers = (f"{show_value(one.value)} ({show_value(one.low)} to {show_value(one.high)})",
               show_value(one.chance), show_value(one.bound))  # fmt: skip
    texts = "".join(f"<td>{escape(text)}</td>" for text in (one.attack, one.rows, one.measure))
    cells = "".join(f"<td style='{_NUMBER}'>{number}</td>" for number in numbers)
    return f"<tr{style}>{texts}{cells}<td>{escape(one.reading)}</td></tr>"
