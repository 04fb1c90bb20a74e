"""How survival curves show themselves: a picture with two bands and the numbers at risk, and a table for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from pets.epi.survival.counts import Array
from pets.epi.survival.curves import Curve, Curves
from pets.errors import InvalidArgument

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#1f5f8b", "#c0662b", "#3d7d4f", "#8a4f8f", "#6b6b6b", "#a88a1d")
"""Told apart by people who see no red or no green, and in grey."""

TITLES = {
    "survival": "Survival",
    "hazard": "Cumulative hazard",
    "incidence": "Cumulative incidence",
    "net": "Net survival",
}

MOST = len(COLOURS)
_COLUMNS = 6
_ROWS = 12


def plot(curves: Curves, *, ax: Axes | None = None, at_risk: bool = True, raw: bool = False) -> Axes:
    """Draw the curves with their bands.

    The dark band is what sampling alone would need, the light one with the dashed edge includes the noise. Where the
    number at risk is within the noise the curve is dotted and has no band.

    Parameters
    ----------
    curves
        At most six.
    ax
        Matplotlib axes; new ones when left out.
    at_risk
        Whether to print the numbers at risk under the axis.
    raw
        Whether to add the unfitted values as points.

    Raises
    ------
    InvalidArgument
        There are more than six curves.
    """
    if len(curves) > MOST:
        raise InvalidArgument("curves", f"are {len(curves)}; a picture holds {MOST}", "Draw a coarser stratification.")
    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(figsize=(7.2, 4.2 + (0.2 * len(curves) if at_risk else 0)), layout="constrained").subplots()
    for curve, colour in zip(curves, COLOURS, strict=False):
        _draw(ax, curves, curve, colour, raw=raw)
    _decorate(ax, curves)
    if at_risk:
        _numbers(ax, curves)
    return ax


def _draw(ax: Axes, curves: Curves, curve: Curve, colour: str, *, raw: bool) -> None:
    origin = 1.0 if curves.kind in {"survival", "net"} else 0.0
    shown = int(np.argmin(curve.reliable)) if not curve.reliable.all() else len(curve.times)

    def joined(values: Array) -> Array:
        return np.concatenate([[origin], values])

    times = np.concatenate([[curves.start + curves.step], curve.times])
    kept = slice(0, shown + 1)
    if curves.noisy:
        low, high = joined(curve.low)[kept], joined(curve.high)[kept]
        ax.fill_between(times[kept], low, high, color=colour, alpha=0.13, lw=0)
        for edge in (low, high):
            ax.plot(times[kept], edge, color=colour, lw=0.8, ls=(0, (4, 3)), alpha=0.8)
    inner = joined(curve.low_sampling)[kept], joined(curve.high_sampling)[kept]
    ax.fill_between(times[kept], *inner, color=colour, alpha=0.28, lw=0)
    ax.plot(times[kept], joined(curve.value)[kept], color=colour, lw=1.8, label=curve.name)
    ax.plot(times[shown:], joined(curve.value)[shown:], color=colour, lw=1.2, ls=":")
    if raw:
        ax.plot(curve.times, curve.raw, ls="", marker="+", ms=5, color=colour, alpha=0.8)


def _decorate(ax: Axes, curves: Curves) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    ax.set_xlabel("time")
    ax.set_ylabel(TITLES[curves.kind])
    if curves.kind == "net":
        ax.set_ylim(0, max(1.02, *(float(curve.value.max()) * 1.02 for curve in curves)))
    elif curves.kind != "hazard":
        ax.set_ylim(0, 1.02)
    ax.set_xlim(left=curves.start + curves.step)
    lines = [Line2D([], [], color=colour, lw=1.8) for _, colour in zip(curves, COLOURS, strict=False)]
    names = [curve.name for curve in curves]
    bands = [Patch(facecolor="#555555", alpha=0.45)]
    words = [f"{100 * curves.level:g} % band, sampling only"]
    if curves.noisy:
        bands.append(Patch(facecolor="#55555522", edgecolor="#555555", ls="--"))
        words.append(f"{100 * curves.level:g} % band, noise included")
    if not all(curve.reliable.all() for curve in curves):
        bands.append(Line2D([], [], color="#555555", lw=1.2, ls=":"))  # type: ignore[arg-type]
        words.append("too few at risk for this noise")
    ax.legend([*lines, *bands], [*names, *words], frameon=False, fontsize=8, loc="best")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def _numbers(ax: Axes, curves: Curves) -> None:
    """Print the fitted numbers at risk below the axis, at the ticks."""
    last = float(curves.curves[0].times[-1])
    ticks = [float(tick) for tick in ax.get_xticks() if ax.get_xlim()[0] <= tick <= last]
    ax.set_xticks(ticks)
    across = ax.get_xaxis_transform()
    style = {"transform": across, "fontsize": 8, "va": "top", "clip_on": False}
    begins = np.concatenate([[curves.start], curves.curves[0].times[:-1]])
    ax.set_xlabel("time", labelpad=18 + 13 * len(curves))
    ax.text(0.0, -0.10, _at_risk(curves), style | {"transform": ax.transAxes, "color": "#555555"})
    for row, (curve, colour) in enumerate(zip(curves, COLOURS, strict=False)):
        for tick in ticks:
            bin_ = int(np.searchsorted(begins + curves.step, tick, side="right")) - 1
            number = f"{max(curve.at_risk[max(bin_, 0)], 0):,.0f}"
            ax.text(tick, -0.145 - 0.045 * row, number, style | {"ha": "center", "color": colour})


def html(curves: Curves) -> str:
    """Return the curves as one table per stratum, a few bins each, every text escaped."""
    head = f"<b>{TITLES[curves.kind]}</b> &middot; {100 * curves.level:g} % limits"
    noise = ", noise included" if curves.noisy else ", exact counts"
    tables = "".join(_table(curve, _at_risk(curves)) for curve in curves.curves[:_ROWS])
    more = f"<p>{len(curves) - _ROWS:,} more strata: <code>to_frame()</code></p>" if len(curves) > _ROWS else ""
    return f"<div>{head}{noise}{tables}{more}</div>"


def _at_risk(curves: Curves) -> str:
    """Return how numbers at risk are called: nobody may take a noisy one for a count of people."""
    return "at risk (estimated)" if curves.noisy else "at risk"


def _table(curve: Curve, at_risk: str) -> str:
    chosen = np.unique(np.linspace(0, len(curve.times) - 1, _COLUMNS).round().astype(int))
    rows = {
        "time": [f"{curve.times[i]:,.6g}" for i in chosen],
        "estimate": [f"{curve.value[i]:.3f}" for i in chosen],
        "limits": [f"{curve.low[i]:.3f} to {curve.high[i]:.3f}" for i in chosen],
        "raw": [f"{curve.raw[i]:.3f}" for i in chosen],
        at_risk: [f"{curve.at_risk[i]:,.0f}" for i in chosen],
        "noise s.e.": [f"{curve.stderr_noise[i]:.3f}" for i in chosen],
        "": ["" if curve.reliable[i] else "within the noise" for i in chosen],
    }
    lines = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th>"
        + "".join(f"<td style='text-align:right;padding:2px 10px'>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for name, cells in rows.items()
        if any(cells)
    )
    return f"<p>{escape(curve.name)}</p><table>{lines}</table>"
