"""How a sweep is drawn: a panel for each number, the floor as a band, epsilon on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pets.errors import InvalidArgument

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pets.synthetic.sweeping import Point, Sweep

MOST_PANELS = 9
_USUAL = ("total variation, mean", "Kaplan-Meier", "Cox, mean", "loss of AUC")


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
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    if sweep.internal:
        figure.suptitle("internal: computed from confidential rows", x=0.01, ha="left", fontsize=9, color="#b0413e")
    return figure


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
    ax.set_title(f"{points[0].metric}\n{points[0].target}", fontsize=8, loc="left")
    ax.set_xlabel("epsilon", fontsize=8)
    ax.set_ylabel(f"{points[0].better} is better", fontsize=8)
    ax.set_xscale("log")
    if not shown:
        ax.text(0.5, 0.5, "not computable", transform=ax.transAxes, ha="center", color="#b0413e")
        return
    epsilons = [point.epsilon for point in shown]
    low, high = [min(point.values) for point in shown], [max(point.values) for point in shown]
    ax.fill_between(epsilons, low, high, color="#1f5f8b", alpha=0.15, lw=0, label="least to largest of the fits")
    ax.plot(epsilons, [point.mean for point in shown], "o-", color="#1f5f8b", ms=4, label="mean of the fits")
    if points[0].floor_low == points[0].floor_low:  # NaN where it would have to be bought
        ax.axhspan(
            points[0].floor_low,
            points[0].floor_high,
            color="#777777",
            alpha=0.3,
            lw=0,
            label="resamples of the real rows",
        )
    ax.set_xticks(epsilons, [f"{epsilon:g}" for epsilon in epsilons], fontsize=8)
    ax.tick_params(axis="y", labelsize=8)
    ax.legend(fontsize=7, frameon=False)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
