"""How a sweep is shown: a panel for each number, the floor as a band, epsilon on a logarithmic scale; and as a page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from pets.errors import InvalidArgument
from pets.release_view import show_value
from pets.synthetic.pages import page, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pets.synthetic.sweeping import Point, Sweep

MOST_PANELS = 9
_USUAL = ("total variation, mean", "propensity", "Kaplan-Meier", "Cox, mean", "loss of AUC")
_INK, _MUTED, _MAIN, _WARN = "#111820", "#59646f", "#00509f", "#b34700"
_READ = (
    "Each number is a mean over fits, with the least and the largest below. Beside it stands what resamples of the "
    "real rows score: nothing finer than that can be told from the truth. Below it, where it can be said, how many "
    "of the real rows would do as well."
)


def plot(sweep: Sweep, metrics: Sequence[str] | None) -> Figure:
    """Return the figure.

    Raises
    ------
    InvalidArgument
        No number has such a name, or there are more than nine.
    """
    from matplotlib.figure import Figure

    panels = _panels(sweep, metrics)
    width = min(3, len(panels))
    height = -(-len(panels) // width)
    figure = Figure(figsize=(4.2 * width, 3.2 * height), layout="constrained")
    axes = figure.subplots(height, width, squeeze=False).ravel()
    for ax, points in zip(axes, panels, strict=False):
        _panel(ax, points)
    if axes[0].get_legend_handles_labels()[0]:
        axes[0].legend(fontsize=7, frameon=False, labelcolor=_MUTED)
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    if sweep.internal:
        figure.suptitle("internal: computed from confidential rows", x=0.01, ha="left", fontsize=9, color=_WARN)
    return figure


def html(sweep: Sweep) -> str:
    """Return a page that says all and needs nothing else: who may read it, pictures, and every number."""
    epsilons = sorted({point.epsilon for point in sweep.points})
    title = "Artificial rows: what they are worth at each epsilon"
    body = f"<p class='{'warn' if sweep.internal else 'note'}'>{escape(sweep.explain())}</p><p>{escape(_READ)}</p>"
    if not sweep.points:
        return page(title, body)
    body += picture(plot(sweep, None), "Fidelity against epsilon; the numbers are in the table below.")
    heads = "".join(f"<th>epsilon {epsilon:g}</th>" for epsilon in epsilons)
    rows = "".join(_family(metric, points, epsilons) for metric, points in _families(sweep).items())
    return page(
        title,
        f"{body}<h2>All numbers</h2><div class='scroll'><table><thead><tr><th>of</th>{heads}<th>real resample</th></tr>"
        f"</thead><tbody>{rows}</tbody></table></div>",
    )


def _families(sweep: Sweep) -> dict[str, dict[str, list[Point]]]:
    found: dict[str, dict[str, list[Point]]] = {}
    for point in sweep.points:
        found.setdefault(point.metric, {}).setdefault(point.target, []).append(point)
    return found


def _family(metric: str, targets: dict[str, list[Point]], epsilons: list[float]) -> str:
    better = next(iter(targets.values()))[0].better
    head = f"<tr class='family'><th colspan='{len(epsilons) + 2}'>{escape(metric)} ({better} is better)</th></tr>"
    return head + "".join(_line(target, points, epsilons) for target, points in targets.items())


def _line(target: str, points: list[Point], epsilons: list[float]) -> str:
    known = {point.epsilon: point for point in points}
    cells = "".join(f"<td>{_cell(known[e]) if e in known else '–'}</td>" for e in epsilons)
    first = points[0]
    floor = "–" if math.isnan(first.floor) else f"{show_value(first.floor_low)} to {show_value(first.floor_high)}"
    return f"<tr><td>{escape(target)}</td>{cells}<td>{floor}</td></tr>"


def _cell(point: Point) -> str:
    if not point.values:
        return "<small>not computable</small>"
    spread = f"{show_value(min(point.values))} to {show_value(max(point.values))}" if len(point.values) > 1 else ""
    share = point.as_good_as
    part = "under 1" if share < 0.01 else f"{100 * share:.0f}"
    worth = "" if math.isnan(share) else f"<small>as good as {part} %</small>"
    return f"{show_value(point.mean)}<small>{spread}</small>{worth}"


def _panels(sweep: Sweep, metrics: Sequence[str] | None) -> list[list[Point]]:
    """Return the points of each number that is drawn."""
    numbers: dict[tuple[str, str], list[Point]] = {}
    for point in sweep.points:
        numbers.setdefault((point.metric, point.target), []).append(point)
    if metrics is None:
        chosen = [points for name in _USUAL for points in _first(numbers, name)]
        chosen = chosen or list(numbers.values())[:MOST_PANELS]
    else:
        asked = (metrics,) if isinstance(metrics, str) else tuple(metrics)
        chosen = [points for (metric, _), points in numbers.items() if metric.startswith(asked)]
    if not chosen or len(chosen) > MOST_PANELS:
        raise InvalidArgument(
            "metrics", f"names {len(chosen)} numbers; from 1 to {MOST_PANELS} are drawn", "See to_frame()."
        )
    return chosen


def _first(numbers: dict[tuple[str, str], list[Point]], name: str) -> list[list[Point]]:
    """Return all numbers of tables, and of others the first, which is that of all rows."""
    found = [points for (metric, _), points in numbers.items() if metric.startswith(name)]
    return found if name.startswith("total") else found[:1]


def _panel(ax: Axes, points: Sequence[Point]) -> None:
    shown = sorted((point for point in points if point.values), key=lambda point: point.epsilon)
    ax.set_title(f"{points[0].metric}\n{points[0].target}", fontsize=8, loc="left", color=_INK)
    ax.set_xlabel("epsilon", fontsize=8, color=_MUTED)
    ax.set_ylabel(f"{points[0].better} is better", fontsize=8, color=_MUTED)
    ax.set_xscale("log")
    if not shown:
        ax.text(0.5, 0.5, "not computable", transform=ax.transAxes, ha="center", color=_WARN)
        return
    epsilons = [point.epsilon for point in shown]
    low, high = [min(point.values) for point in shown], [max(point.values) for point in shown]
    ax.fill_between(epsilons, low, high, color=_MAIN, alpha=0.15, lw=0, label="least to largest of the fits")
    ax.plot(epsilons, [point.mean for point in shown], "o-", color=_MAIN, ms=4, label="mean of the fits")
    if points[0].floor_low == points[0].floor_low:  # NaN where it would have to be bought
        ax.axhspan(
            points[0].floor_low,
            points[0].floor_high,
            color=_MUTED,
            alpha=0.3,
            lw=0,
            label="resamples of the real rows",
        )
    ax.set_xticks(epsilons, [f"{epsilon:g}" for epsilon in epsilons], fontsize=8)
    ax.set_xticks([], minor=True)
    ax.tick_params(axis="both", labelsize=8, colors=_MUTED)
    for side, spine in ax.spines.items():
        spine.set_visible(side not in ("top", "right"))
        spine.set_color(_MUTED)
