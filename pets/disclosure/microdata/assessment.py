"""One look at a frame: how many records its keys single out, and what an intruder would learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

from pets.disclosure.microdata.classes import Classes, classes_of_codes
from pets.disclosure.microdata.closeness import closeness
from pets.disclosure.microdata.codes import Coded
from pets.disclosure.microdata.diversity import diversity, refuse_key, sensitive_codes
from pets.disclosure.microdata.frame import Missing, choice, column_name, key_names, open_rows
from pets.disclosure.microdata.individual_risk import individual_risk
from pets.disclosure.microdata.population import PopulationUniques, uniques_of_sizes
from pets.disclosure.microdata.suda import special_uniques
from pets.errors import InvalidArgument

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

BANDS = ((1, 1), (2, 2), (3, 4), (5, 10), (11, 19), (20, 49), (50, None))
"""Class sizes that are counted together, from and to."""

MAX_WORK = 10**8
"""Special uniques are looked for if sets of keys times classes stay below this."""

Line = tuple[str, float, str]


@dataclass(frozen=True)
class Sensitive:
    """What an intruder who finds somebody's class learns about one sensitive column.

    Attributes
    ----------
    column
        Its name.
    distinct, entropy
        The l of distinct and of entropy l-diversity.
    t
        The t of t-closeness with equal distances.
    """

    column: str
    distinct: int
    entropy: float
    t: float


@dataclass(frozen=True, repr=False)
class Assessment:
    """How identifying a frame is. Holds counts only, no value of a cell.

    Attributes
    ----------
    keys, missing
        What an intruder is assumed to know, and what a missing key value means.
    rows, classes
        Number of records, and of distinct combinations of key values.
    k
        The k of k-anonymity.
    uniques
        Number of records that are alone with their key values.
    bands
        Number of records whose class has a size of each band of :data:`BANDS`.
    mean_risk
        Mean of 1 / class size: the share of correct matches of an intruder who knows that a person is among the
        records.
    sensitive
        What the classes tell about each sensitive column.
    contributions
        For each key, the share of the special uniques' scores that needs it; empty if they were not looked for.
    population
        Estimate of the population uniques, if the population's size was given.
    expected_matches, largest_risk
        Of the individual risks, if weights were given.
    """

    keys: tuple[str, ...]
    missing: Missing
    rows: int
    classes: int
    k: int
    uniques: int
    bands: tuple[int, ...]
    mean_risk: float
    sensitive: tuple[Sensitive, ...] = ()
    contributions: tuple[tuple[str, float], ...] = ()
    population: PopulationUniques | None = None
    expected_matches: float | None = None
    largest_risk: float | None = None

    def below(self, size: int) -> int:
        """Return how many records are in classes below `size`, one of 2, 3, 5, 11, 20, 50.

        Raises
        ------
        InvalidArgument
            It is another number.
        """
        starts = [low for low, _ in BANDS]
        if size not in starts[1:]:
            raise InvalidArgument("size", "must be one of 2, 3, 5, 11, 20, 50", "Use equivalence_classes for others.")
        return sum(self.bands[: starts.index(size)])

    def lines(self) -> tuple[Line, ...]:
        """Return each measure with its value and meaning."""
        found: list[Line] = [
            ("k", self.k, _company(self.k)),
            ("unique records", self.uniques, f"{_share(self.uniques, self.rows)} of {self.rows:,} are alone"),
            ("records in classes below 5", self.below(5), _share(self.below(5), self.rows)),
            ("records in classes below 11", self.below(11), _share(self.below(11), self.rows)),
            ("mean risk", self.mean_risk, "share of correct matches if an intruder knows who is in the data"),
        ]
        for column in self.sensitive:
            found += [
                (f"l of {column.column}", column.distinct, "distinct values in the least diverse class"),
                (f"entropy l of {column.column}", column.entropy, "as diverse as so many equally frequent values"),
                (f"t of {column.column}", column.t, "largest distance of a class from the whole table, 0 to 1"),
            ]
        if self.population is not None:
            share = 100 * self.population.share
            found += [("population uniques", self.population.both, f"estimate: {share:.0f} % of the unique records")]
        if self.expected_matches is not None and self.largest_risk is not None:
            found += [
                ("expected matches", self.expected_matches, "correct ones if all records are attacked (weights)"),
                ("largest individual risk", self.largest_risk, "of any record (weights)"),
            ]
        found += [
            (f"part of {key} in uniques", part, "share of SUDA scores with this key")
            for key, part in self.contributions
        ]
        return tuple(found)

    def to_frame(self) -> pd.DataFrame:
        """Return the measures as a table."""
        import pandas as pd

        return pd.DataFrame(list(self.lines()), columns=["measure", "value", "meaning"])

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw how many records are in classes of which size.

        Parameters
        ----------
        ax
            Matplotlib axes; new ones when left out.
        """
        if ax is None:
            from matplotlib.figure import Figure

            ax = Figure(figsize=(6, 3), layout="constrained").subplots()
        names = [_band_name(low, high) for low, high in BANDS]
        colours = ["#b0413e" if low < 5 else "#1f5f8b" for low, _ in BANDS]
        bars = ax.bar(names, [100 * n / self.rows for n in self.bands], color=colours)
        ax.bar_label(bars, [f"{n:,}" for n in self.bands], fontsize=8)
        ax.set_xlabel(f"records that look alike in {', '.join(self.keys)}")
        ax.set_ylabel("% of records")
        ax.margins(y=0.12)
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
        return ax

    def __str__(self) -> str:
        lines = self.lines()
        width = max(len(name) for name, _, _ in lines)
        shown = (f"  {name:<{width}}  {_show(value):>9}  {meaning}" for name, value, meaning in lines)
        return "\n".join([self._title, *shown])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from pets.disclosure.microdata.view import html_table

        rows = [(name, _show(value), meaning) for name, value, meaning in self.lines()]
        note = "A small class is a way to find somebody; a large one whose members share a value tells it all the same."
        return html_table(self._title, ("measure", "value", "meaning"), rows, [note])

    @property
    def _title(self) -> str:
        return f"{self.rows:,} records in {self.classes:,} classes by {', '.join(self.keys)} (missing: {self.missing})"


def assess(
    frame: object,
    keys: Sequence[str] | str,
    *,
    sensitive: Sequence[str] | str = (),
    weights: str | None = None,
    population: int | None = None,
    missing: Missing = "value",
) -> Assessment:
    """Say how identifying a frame is.

    Parameters
    ----------
    frame
        Any data frame that narwhals supports.
    keys
        Columns that an intruder may know.
    sensitive
        Columns that an intruder would like to learn.
    weights
        Column of sampling weights, for individual risks.
    population
        How many people the records were drawn from, to estimate population uniques. Leave it out for a registry of all
        cases: there every unique record is unique in the population.
    missing
        What a missing key value means: ``'value'`` or ``'matches_all'``.

    Raises
    ------
    InvalidArgument, DataError
        An argument, the frame or a column is not usable.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"age": ["0-4", "0-4", "5-9"], "site": ["I", "I", "V"], "dead": [0, 1, 1]})
    >>> found = assess(rows, ["age", "site"], sensitive="dead")
    >>> found.k, found.uniques, found.sensitive[0].distinct
    (1, 1, 1)
    """
    names = key_names(keys)
    wanted = key_names(sensitive, "sensitive") if sensitive else ()
    for column in wanted:
        refuse_key(column, names)
    choice(missing, "missing", Missing)
    columns = [*names, *wanted] + ([] if weights is None else [column_name(weights, "weights")])
    rows = open_rows(frame, columns)
    classes = classes_of_codes([rows.code(name) for name in names], missing)
    found: dict[str, Any] = {}
    if population is not None:
        found["population"] = uniques_of_sizes(classes.sizes, population, _estimator(classes))
    if weights is not None:
        risk = individual_risk(rows.frame, names, weights, missing=missing)
        found |= {"expected_matches": risk.expected, "largest_risk": risk.largest}
    if len(names) > 1 and sum(comb(len(names), i) for i in range(1, len(names) + 1)) * len(classes) <= MAX_WORK:
        found["contributions"] = tuple(special_uniques(rows.frame, names, missing=missing).contributions.items())
    seen = classes.frequencies[classes.of_row]
    return Assessment(
        names,
        missing,
        len(rows),
        len(classes),
        int(seen.min()),
        int((seen == 1).sum()),
        tuple(int(((seen >= low) & (seen <= (high or len(rows)))).sum()) for low, high in BANDS),
        float((1 / seen).mean()),
        tuple(_sensitive(classes, rows.code(name)) for name in wanted),
        **found,
    )


def _sensitive(classes: Classes, column: Coded) -> Sensitive:
    distinct = int(diversity(classes, column, "distinct"))
    return Sensitive(
        column.name,
        distinct,
        diversity(classes, column, "entropy"),
        closeness(classes, sensitive_codes(column, "ignore"), "equal"),
    )


def _estimator(classes: Classes) -> Any:
    """Pitman's model cannot be fitted to uniques only."""
    return "zayatz" if (classes.sizes == 1).all() else "pitman"


def _band_name(low: int, high: int | None) -> str:
    return f"{low}+" if high is None else (str(low) if low == high else f"{low}–{high}")


def _company(k: int) -> str:
    return f"every record looks like {k - 1:,} others or more" if k > 1 else "somebody is alone with these values"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


def _show(value: float) -> str:
    return f"{value:,}" if isinstance(value, int | np.integer) else f"{value:.3g}"
