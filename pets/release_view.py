"""How a release shows itself: a table for notebooks and a picture."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from pets.errors import InvalidArgument
from pets.query import Columns
from pets.query.estimate import ESTIMATES, PUBLISHED, STRUCTURAL_ZERO, SUPPRESSED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pets.release import Release

_SHOWN = 20
_ALIGN = "text-align:right;font-variant-numeric:tabular-nums;padding:2px 10px"


def html(release: Release) -> str:
    """Return the first cells as a table, with the promise in words; every text is escaped."""
    columns = release.to_columns()
    names = list(columns)
    length = len(columns["value"])
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    rows = "".join(_row([columns[name][i] for name in names]) for i in range(min(length, _SHOWN)))
    more = f"<p>{length - _SHOWN:,} more cells: <code>to_frame()</code></p>" if length > _SHOWN else ""
    promise = "".join(f"<li>{escape(sentence)}</li>" for sentence in release.explain())
    return (
        f"<div><b>Release</b> {escape(release.query.query.kind)} &middot; {length:,} lines &middot; "
        f"intervals at 95 %<ul>{promise}</ul><table><tr>{head}</tr>{rows}</table>{more}{_dropped(release)}</div>"
    )


def _row(values: list[Any]) -> str:
    cells = "".join(f"<td style='{_ALIGN}'>{escape(show_value(value))}</td>" for value in values)
    return f"<tr>{cells}</tr>"


def show_value(value: object) -> str:
    """Return a number in at most four significant digits, an absent one as a dash."""
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return "–"
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def _dropped(release: Release) -> str:
    found = release.dropped()
    if found is None or found[1] <= 0:
        return ""
    number, low, high = found
    return (
        f"<p><b>Look at the data:</b> about {number} rows ({low} to {high}) fitted no declared cell "
        "(missing, unknown or out of range).</p>"
    )


def plot(release: Release, *, ax: Axes | None = None, level: float = 0.95, most: int = 40) -> Axes:
    """Draw each cell's value with its interval, one line a cell.

    Parameters
    ----------
    release
        What to draw.
    ax
        Matplotlib axes; new ones when left out.
    level
        Coverage of the intervals.
    most
        Largest number of cells to draw; the first ones are shown.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InvalidArgument
        `most` is not a positive whole number.
    """
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise InvalidArgument("most", "must be a positive whole number")
    columns = release.to_columns(level)
    shown = min(len(columns["value"]), most)
    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(figsize=(7, 0.8 + 0.27 * shown), layout="constrained").subplots()
    _draw(ax, {name: column[:shown] for name, column in columns.items()}, level)
    if shown < len(columns["value"]):
        ax.set_title(f"first {shown} of {len(columns['value']):,} cells", loc="left", fontsize=9)
    return ax


def _draw(ax: Axes, columns: Columns, level: float) -> None:
    keys = [name for name in columns if name not in ESTIMATES or name == "table"]
    labels = [
        ", ".join(str(columns[name][i]) for name in keys if columns[name][i] is not None)
        for i in range(len(columns["value"]))
    ]
    at = np.arange(len(labels))
    for status, colour, marker in (
        (PUBLISHED, "#1f5f8b", "o"),
        (SUPPRESSED, "#b0413e", ""),
        (STRUCTURAL_ZERO, "#999999", "x"),
    ):
        chosen = columns["status"] == status
        ax.hlines(
            at[chosen],
            columns["ci_low"][chosen].astype(float),
            columns["ci_high"][chosen].astype(float),
            color=colour,
            lw=2,
            alpha=0.6,
        )
        if marker:
            ax.plot(columns["value"][chosen].astype(float), at[chosen], marker, color=colour, ms=5, label=status)
    ax.set_yticks(at, labels)
    ax.invert_yaxis()
    ax.set_xlabel(f"published value with {100 * level:g} % interval")
    ax.axvline(0, color="#cccccc", lw=0.8, zorder=0)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
