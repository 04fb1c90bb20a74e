"""Figures and tables of the notebooks: the same colours and order everywhere, inline, and as SVG and CSV."""

from __future__ import annotations

import io
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.harness.results import folder_to_read
from benchmarks.harness.techniques import BASELINES, TECHNIQUES, of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_DASHES = {BASELINES[0]: (0, (1, 1.5)), BASELINES[1]: (0, (5, 2)), BASELINES[2]: (0, (3, 1, 1, 1))}
_STYLES = ("solid", (0, (5, 2)), (0, (1, 1.5)), (0, (3, 1, 1, 1)), (0, (7, 2, 2, 2)))
_ORDER = {name: place for place, name in enumerate(TECHNIQUES)}
_WIDE = (7.6, 3.9)
FOLDER = "PETS_FIGURES"
"""Environment variable that names the folder of the figures."""


@dataclass(frozen=True)
class Shown:
    """What a cell of a notebook shows."""

    html: str

    def _repr_html_(self) -> str:
        return self.html


def _place(name: str, ending: str) -> Path:
    folder = Path(os.environ.get(FOLDER, folder_to_read() / "figures"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.{ending}"


def ordered(data: pd.DataFrame, by: str = "technique") -> list[str]:
    """Return the techniques of a table in the order that all figures have; peers last."""
    return sorted(data[by].unique(), key=lambda name: (_ORDER.get(name, len(_ORDER)), str(name)))


def lines(
    data: pd.DataFrame, name: str, *, x: str, caption: str, ylabel: str, xlabel: str, log: str = "xy",
    style: str | None = None, flat: Sequence[str] = (), step: bool = False,
) -> Shown:  # fmt: skip
    """Draw one line for each technique (and style), with its intervals; techniques in `flat` as horizontal lines."""
    axes = _axes(log, xlabel, ylabel)
    if "x" not in log and (data[x].dropna() % 1 == 0).all():
        axes.xaxis.get_major_locator().set_params(integer=True)
    numbers = {} if style is None else {what: number for number, what in enumerate(data[style].unique())}
    for technique in ordered(data):
        own = data[data["technique"] == technique]
        groups = [(None, own)] if style is None else list(own.groupby(style, sort=False))
        for what, rows in groups:
            label, number = technique if not what else f"{technique}: {what}", numbers.get(what, 0)
            if technique in flat or rows[x].isna().all():
                _flat(axes, technique, label, float(rows["value"].iloc[0]))
            else:
                _line(axes, technique, label, rows.sort_values(x), x, number, step)
    return _finish(axes, data, name, caption)


def _line(axes: Axes, name: str, label: str, rows: pd.DataFrame, x: str, number: int, step: bool) -> None:
    drawn = of(name)
    dashes: Any = _DASHES.get(name, _STYLES[number % len(_STYLES)])
    places = rows[x].astype(float).to_numpy()
    kind = {"drawstyle": "steps-post"} if step else {}
    axes.plot(
        places, rows["value"], label=label, color=drawn.colour, linestyle=dashes, marker=drawn.mark, markersize=4,
        linewidth=1.4, markerfacecolor="white" if _few(rows).any() else drawn.colour, **kind,
    )  # fmt: skip
    if (rows["high"] > rows["low"]).any():
        axes.fill_between(places, rows["low"], rows["high"], color=drawn.colour, alpha=0.18, linewidth=0)


def _flat(axes: Axes, name: str, label: str, value: float) -> None:
    dashes: Any = _DASHES.get(name, _STYLES[_ORDER.get(name, 0) % len(_STYLES)])
    drawn = of(name)
    axes.plot(  # over the whole width, with the technique's mark at the right end
        [0, 1], [value, value], transform=axes.get_yaxis_transform(), label=label, color=drawn.colour, linestyle=dashes,
        linewidth=1.2, marker=drawn.mark, markersize=4, markevery=[1], clip_on=False,
    )  # fmt: skip


def bars(
    data: pd.DataFrame, name: str, *, caption: str, xlabel: str, label: str = "technique", log: bool = False,
    marks: Sequence[tuple[float, str]] = (), bounds: str | None = None,
) -> Shown:  # fmt: skip
    """Draw a dot with its interval for each row, in the order of the techniques; `bounds` is a column of upright marks.

    Hollow dots rest on fewer replicates than the others.
    """
    axes = _axes("x" if log else "", xlabel, "", height=max(2.2, 0.27 * len(data) + 1.1))
    order = {name: place for place, name in enumerate(ordered(data))}
    rows = data.sort_values("technique", key=lambda names: names.map(order), kind="stable").iloc[::-1]
    rows = rows.reset_index(drop=True)
    few = _few(rows)
    for place, row in rows.iterrows():
        drawn = of(row["technique"])
        axes.plot([row["low"], row["high"]], [place, place], color=drawn.colour, linewidth=2.4)
        inside = "white" if few[place] else drawn.colour
        axes.plot(
            row["value"], place, marker=drawn.mark or "o", color=drawn.colour, markerfacecolor=inside, markersize=6
        )
        if bounds is not None:
            axes.plot(row[bounds], place, marker="|", color="#222222", markersize=12, markeredgewidth=1.6)
    axes.set_yticks(range(len(rows)), [str(text) for text in rows[label]])
    axes.tick_params(axis="y", length=0)
    for value, text in marks:
        axes.axvline(value, color="#6b6b6b", linewidth=1, linestyle=(0, (3, 2)))
        axes.annotate(text, (value, len(rows) - 0.4), fontsize=7.5, color="#6b6b6b", ha="center", annotation_clip=False)
    return _finish(axes, data, name, caption, legend=False)


def _axes(log: str, xlabel: str, ylabel: str, height: float = _WIDE[1]) -> Axes:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({
        "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9, "axes.spines.top": False,
        "axes.spines.right": False, "axes.grid": True, "grid.color": "#e4e4e4", "grid.linewidth": 0.7,
        "svg.hashsalt": "pets", "axes.axisbelow": True,
    })  # fmt: skip
    _, axes = plt.subplots(figsize=(_WIDE[0], height), layout="constrained")
    for letter, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        if letter in log:
            (axes.set_xscale if letter == "x" else axes.set_yscale)("log")
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(_some_minor)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    return axes


def _few(rows: pd.DataFrame) -> pd.Series[bool]:
    """Return which points rest on few replicates, which figures say."""
    return rows["basis"] == "few"


def _some_minor(value: float, _: object = None) -> str:
    """Label 2 and 5 between the powers of ten."""
    leading = f"{value:e}"[0]
    return f"{value:g}" if leading in "25" and abs(value / float(f"{value:.0e}") - 1) < 1e-6 else ""


def _label_short_scales(axes: Axes) -> None:
    """Label every mark of a logarithmic axis that is too short to hold two of the usual labels."""
    for axis in (axes.xaxis, axes.yaxis):
        low, high = axis.get_view_interval()
        if axis.get_scale() == "log" and high / low < 6:
            axis.set_minor_formatter("{x:g}")


def _finish(axes: Axes, data: pd.DataFrame, name: str, caption: str, legend: bool = True) -> Shown:
    import matplotlib.pyplot as plt

    _label_short_scales(axes)
    if _few(data).any():
        caption += (
            f" Hollow marks: fewer than 200 replicates ({data.loc[_few(data), 'replicates'].min():.0f} at least)."
        )
    handles, _ = axes.get_legend_handles_labels()
    if legend and handles:
        axes.legend(fontsize=7.5, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=3.6)
    stream = io.StringIO()
    axes.figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    plt.close("all")
    drawn = stream.getvalue()
    _place(name, "svg").write_text(drawn, encoding="utf-8")
    data.to_csv(_place(name, "csv"), index=False, lineterminator="\n")
    inner = drawn[drawn.index("<svg") :]
    # Fixed size becomes the width of the page; an id of one figure must not be that of another.
    inner = re.sub(r'<svg[^>]*?viewBox="([^"]*)"[^>]*>', _opening(caption), inner, count=1, flags=re.DOTALL)
    inner = re.sub(r'( id="|url\(#|href="#)', rf"\1{name}-", inner)
    return Shown(f"<figure>{inner}<figcaption>{escape(caption)}{_links(name)}</figcaption></figure>")


def _opening(caption: str) -> str:
    return (
        rf'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="\1" '
        rf'role="img" aria-label="{escape(caption)}">'
    )


def _links(name: str) -> str:
    return (
        f' <span class="files"><a href="../figures/{name}.svg">SVG</a> <a href="../figures/{name}.csv">CSV</a></span>'
    )


def table(data: pd.DataFrame, name: str, caption: str) -> Shown:
    """Show a table, and keep it as CSV."""
    data.to_csv(_place(name, "csv"), index=False, lineterminator="\n")
    head = "".join(f"<th>{escape(str(column))}</th>" for column in data.columns)
    body = "".join(
        "<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in data.itertuples(index=False, name=None)
    )
    files = f' <span class="files"><a href="../figures/{name}.csv">CSV</a></span>'
    return Shown(
        f"<figure class='table'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<figcaption>{escape(caption)}{files}</figcaption></figure>"
    )


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"<td class='number'>{number(value)}</td>"
    return f"<td class='number'>{value:,}</td>" if isinstance(value, Integral) else f"<td>{escape(str(value))}</td>"


def number(value: float) -> str:
    """Return a number with three digits, or a dash."""
    if math.isnan(value):
        return "–"
    if value == 0 or 0.001 <= abs(value) < 1e10:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:.2e}"


def interval(row: pd.Series[Any]) -> str:
    """Return a value with its 95 % interval, if it has one."""
    if row["low"] == row["high"]:
        return number(row["value"])
    return f"{number(row['value'])} ({number(row['low'])} to {number(row['high'])})"


def at_epsilon(epsilon: float) -> str:
    """Return the end of a label: nothing where there is no epsilon."""
    return "" if math.isnan(epsilon) else f", epsilon {epsilon:g}"


def answer(*sentences: str) -> Shown:
    """Show the computed answer."""
    return Shown("<div class='answer'>" + "".join(f"<p>{escape(text)}</p>" for text in sentences) + "</div>")


def stamp(about: dict[str, Any]) -> Shown:
    """Show where the numbers come from."""
    packages = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    changed = " (with changes)" if about["changed since"] else ""
    text = (
        f"{about['mode']} run of {about['time']}, commit {about['commit']}{changed}; {about['processor']}, "
        f"{about['cores']} cores, Python {about['python']}; {packages}; insecure simulation seed "
        f"{about['insecure simulation seed']}."
    )
    missing = "".join(f"<li>{escape(name)}: {escape(why)}</li>" for name, why in about["not run"].items())
    lost = f"<details><summary>{len(about['not run'])} not run</summary><ul>{missing}</ul></details>" if missing else ""
    return Shown(f"<p class='stamp'>{escape(text)}</p>{lost}")
