"""What `suppress` returns: the pattern, what it costs, and how far from the best it can be."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from pets.disclosure.attacker import Attacker
from pets.disclosure.highs import Flags, Floats

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_SHOWN = 20
_FAR = 0.2


@dataclass(frozen=True, eq=False, repr=False)
class Suppression:
    """A pattern that was audited, and what is known of its cost.

    Attributes
    ----------
    suppressed
        Which cells are hidden, primaries included, bool (n,), in the table's order.
    primary
        Which of them a rule calls sensitive, bool (n,).
    values
        The shown values, NaN where hidden, (n,). No true value of a hidden cell is kept.
    cost
        What hiding the complementary cells costs: by default the sum of what they hold. It is no number of cases, as
        a case in a hidden margin is in other cells too.
    bound
        No pattern that protects against this attacker costs less.
    optimal
        Whether the pattern is proven to be the cheapest.
    attacker
        Against whom it protects.
    method
        How it was found.
    seconds
        How long that took.
    dimensions, codes
        Names of the dimensions and, for each, the label of every cell.

    Notes
    -----
    `cost` and `bound` are sums over hidden cells: for whoever holds the table, not for print.
    """

    suppressed: Flags
    primary: Flags
    values: Floats
    cost: float
    bound: float
    optimal: bool
    attacker: Attacker
    method: str
    seconds: float
    dimensions: tuple[str, ...] = ()
    codes: tuple[NDArray[np.str_], ...] = ()

    @property
    def secondary(self) -> Flags:
        """Which hidden cells are not sensitive themselves, bool (n,)."""
        return np.asarray(self.suppressed & ~self.primary)

    @property
    def gap(self) -> float:
        """By what share of its cost the pattern may exceed the cheapest one."""
        if self.optimal or self.cost <= 0:
            return 0.0
        return (self.cost - self.bound) / self.cost

    def published(self) -> Floats:
        """Return the values to print, (n,), NaN where a cell is hidden."""
        return self.values.copy()

    def to_frame(self, symbol: str = "x") -> pd.DataFrame:
        """Return one row for each cell as it may be printed: its labels, its value, and `symbol` where it is hidden.

        All hidden cells get the same symbol: to tell sensitive from complementary ones gives many of the former away.
        """
        import pandas as pd

        labels = zip(self.dimensions, self.codes, strict=True)
        columns: dict[str, object] = dict(labels) if self.codes else {"cell": np.arange(len(self.suppressed))}
        whole = bool((self.values[~self.suppressed] == np.rint(self.values[~self.suppressed])).all())
        columns["value"] = pd.Series(self.values).astype("Int64" if whole else "Float64")
        columns["status"] = np.where(self.suppressed, symbol, "")
        return pd.DataFrame(columns)

    def __str__(self) -> str:
        hidden, extra = int(self.suppressed.sum()), int(self.secondary.sum())
        far = " It may be far from the best: take fewer columns, or more time." if self.gap > _FAR else ""
        if self.optimal:
            quality = "proven to be the least possible"
        elif self.bound > 0:
            quality = f"at most {100 * self.gap:.1f} % above the least possible (bound {self.bound:g})"
        else:
            quality = "not proven to be the least possible"
        return (
            f"{hidden} of {len(self.suppressed)} cells hidden, {extra} of them complementary, at a cost of "
            f"{self.cost:g}, {quality}.{far} Audited against an attacker who {self.attacker}."
        )

    def __repr__(self) -> str:
        kind = "optimal" if self.optimal else f"gap {self.gap:.2%}"
        return f"Suppression({int(self.suppressed.sum())} hidden, cost {self.cost:g}, {kind}, {self.seconds:.1f} s)"

    def _repr_html_(self) -> str:
        names = self.dimensions if self.codes else ("cell",)
        rows = []
        for cell in range(min(_SHOWN, len(self.values))):
            labels = [str(code[cell]) for code in self.codes] if self.codes else [str(cell)]
            shown = "x" if self.suppressed[cell] else f"{self.values[cell]:g}"
            rows.append("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in (*labels, shown)) + "</tr>")
        head = "".join(f"<th>{escape(name)}</th>" for name in (*names, "value"))
        more = len(self.values) - len(rows)
        rest = f"<p>{more:,} more cells: <code>to_frame()</code></p>" if more > 0 else ""
        return f"<div><b>Suppression</b> {escape(str(self))}<table><tr>{head}</tr>{''.join(rows)}</table>{rest}</div>"
