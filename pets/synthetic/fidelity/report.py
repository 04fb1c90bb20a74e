"""The report on fidelity: a list of numbers, each beside its floor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pets.guarantee import Guarantee
from pets.synthetic.fidelity.metric import Better

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

INTERNAL = (
    "Internal: these numbers were computed from the confidential rows and paid for from no budget. They are for people "
    "who may see the rows; publishing them publishes something about patients."
)


@dataclass(frozen=True)
class Score:
    """One number about the artificial rows.

    Attributes
    ----------
    metric, target
        What is measured, and of what.
    value
        The number; NaN if it could not be computed.
    better
        Which direction is better.
    floor, floor_low, floor_high
        What resamples of the real rows, as large as they are, score: mean, 5 % and 95 % quantile. Nothing nearer can
        be told from the truth. NaN for numbers that were bought, where it would cost more.
    as_good_as
        Share of the real rows a random sample of which would score the same; 1 is no worse than the floor, 0 worse than
        the smallest sample tried (1 %).
    problem
        Why there is no number; empty if there is one.
    """

    metric: str
    target: str
    value: float
    better: Better
    floor: float
    floor_low: float
    floor_high: float
    as_good_as: float
    problem: str = ""

    @property
    def reading(self) -> str:
        """The size of the equivalent real sample, in words."""
        if self.problem:
            return "not computable"
        if self.as_good_as != self.as_good_as:  # NaN
            return ""
        if self.as_good_as >= 1:
            return "as good as a new sample of that size"
        return "worse than a 1 % sample" if self.as_good_as <= 0 else f"as good as a {self.as_good_as:.0%} sample"


@dataclass(frozen=True, eq=False)
class Fidelity:
    """How close artificial rows are to real ones. There is no overall score, on purpose.

    Attributes
    ----------
    scores
        The numbers; those that could not be computed come first.
    rows_real, rows_synthetic
        How many rows of either table fit the domain; the first is ``None`` in a report that was bought.
    outside
        Share of the artificial rows with a value that is not declared.
    impossible
        Share of the other artificial rows that break a rule or hold clocks in the wrong order.
    internal
        Whether the report must stay with those who may see the rows.
    paid
        What was charged to a ledger for it; ``None`` if nothing.
    """

    scores: tuple[Score, ...]
    rows_real: int | None
    rows_synthetic: int
    outside: float
    impossible: float
    internal: bool
    paid: Guarantee | None = None

    @property
    def failed(self) -> tuple[Score, ...]:
        """The numbers that could not be computed."""
        return tuple(score for score in self.scores if score.problem)

    def __getitem__(self, metric: str) -> tuple[Score, ...]:
        """Return the scores whose metric begins with a text, such as ``'Kaplan-Meier'``."""
        return tuple(score for score in self.scores if score.metric.startswith(metric))

    def explain(self) -> str:
        """Return who may read the report and what is wrong with the rows, in plain sentences."""
        paid = "" if self.paid is None else f"These numbers hold noise and may be published; they cost {self.paid}."
        found = [INTERNAL if self.internal else paid]
        found += [f"{len(self.failed)} numbers could not be computed." for _ in self.failed[:1]]
        found.append(f"{self.impossible:.1%} of the artificial rows are impossible by the declared rules.")
        if self.outside > 0:
            found.append(f"{self.outside:.1%} of the artificial rows hold a value that is not declared; left out.")
        return " ".join(found)

    def to_frame(self) -> pd.DataFrame:
        """Return one line for each number."""
        import pandas as pd

        names = ("metric", "target", "value", "better", "floor", "floor_low", "floor_high", "as_good_as", "reading")
        table = pd.DataFrame([{n: getattr(s, n) for n in (*names, "problem")} for s in self.scores])
        table.attrs["internal"] = self.internal
        return table

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; what has no value is ``None``."""
        from pets.synthetic.fidelity.view import plain

        return plain(self)

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw each number as the size of the real sample that would do as well."""
        from pets.synthetic.fidelity.view import plot

        return plot(self, ax)

    def _repr_html_(self) -> str:
        from pets.synthetic.fidelity.view import html

        return html(self)

    def __repr__(self) -> str:
        kind = "internal" if self.internal else "bought"
        return f"<Fidelity: {len(self.scores)} numbers, {len(self.failed)} not computable; {kind}>"
