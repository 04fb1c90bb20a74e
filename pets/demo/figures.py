"""The pictures of the report, each as inline SVG; those that carry labels in a wide and a narrow drawing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pets.demo import words
from pets.demo.canvas import axes, beside, box, canvas, finish
from pets.demo.results import PLACES, Place, Study, best_guess
from pets.demo.svg import INK, JOINT, MASK, MUTED, PAPER, RULE, SITE, TRACK
from pets.epi import Rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Vector = NDArray[np.float64]

WIDTHS = {"wide": 640, "narrow": 344}
COLOURS: dict[Place, str] = {"joint": JOINT, "registry": SITE}
MARKERS: dict[Place, str] = {"joint": "o", "registry": "D"}


def both(draw: Callable[[Study, str], str], study: Study) -> str:
    """Return the wide and the narrow drawing of one picture; the page shows the one that fits."""
    return draw(study, "wide") + draw(study, "narrow")


def losses(study: Study) -> dict[int, str]:
    """Return the cases lost by masking, with the rules that lose them: ``{90: '5', 195: '11 or 16'}``."""
    found: dict[int, list[str]] = {}
    for result in study.masked:
        found.setdefault(result.lost, []).append(str(result.minimum))
    return {lost: words.listing(minima) for lost, minima in found.items()}


# The error of the published total: what masking loses, how far noise is off.


@dataclass(frozen=True, slots=True)
class _Bar:
    name: str
    note: str
    share: float
    colour: str


def bars(study: Study, size: str) -> str:
    """Draw the cases lost by masking above the standard error of the noise, on one scale."""
    width, row = WIDTHS[size], 60
    shown = [*_mask_bars(study), *(_noise_bar(study, place) for place in PLACES)]
    scale = max(1.0, *(bar.share for bar in shown))
    figure, ax = canvas(width, row * len(shown))
    for index, bar in enumerate(shown):
        top = index * row
        ax.text(0, top + 14, bar.name, size=14, weight="bold", color=bar.colour)
        ax.text(width, top + 14, words.percent(bar.share), size=16, weight="bold", color=bar.colour, ha="right")
        box(ax, 0, top + 21, width, 9, TRACK)
        box(ax, 0, top + 21, width * bar.share / scale, 9, bar.colour)
        ax.text(0, top + 46, bar.note, size=12.5, color=MUTED)
    said = "; ".join(f"{bar.name}: {words.percent(bar.share)}, {bar.note}" for bar in shown)
    return finish(figure, "bars", size, "Error of the published number of cases", said)


def _mask_bars(study: Study) -> list[_Bar]:
    cases = words.count(study.exact.total)
    return [
        _Bar(f"Masked under {minima}", f"{lost} of {cases} cases missing", study.share(lost), MASK)
        for lost, minima in losses(study).items()
    ]


def _noise_bar(study: Study, place: Place) -> _Bar:
    epsilon = study.headline_epsilon
    stderr = study.at(epsilon, place).total.stderr
    name = f"{words.NAMES[place]}, {words.equation(epsilon)}"
    return _Bar(name, f"no case missing; off by about ±{words.spread(stderr)}", study.share(stderr), COLOURS[place])


# What epsilon means: how often the best guesser is right.


def guesses(epsilon: float) -> str:
    """Draw 100 publications with the case in the data and 100 without, filled where the best guesser says 'in'."""
    right, side, apart = best_guess(epsilon), 15, 178
    figure, ax = canvas(apart + 10 * side + 8, 10 * side + 46)
    for left, says_in, truth in ((0, right, "if the case is in"), (apart, 1 - right, "if it is not")):
        _dots(ax, left, side, min(max(round(100 * says_in), 1), 99))
        ax.text(left, 10 * side + 20, f"{words.of_hundred(says_in)} of 100 say “in”", size=13, weight="bold", color=INK)
        ax.text(left, 10 * side + 38, truth, size=12.5, color=MUTED)
    said = (
        f"Of 100 publications, {words.of_hundred(right)} make the best guesser say 'in' when the case is in the data, "
        f"{words.of_hundred(1 - right)} when it is not."
    )
    return finish(figure, "guesses", "any", f"What epsilon = {words.setting(epsilon)} allows at most", said)


def _dots(ax: Axes, left: float, side: float, filled: int) -> None:
    place = np.arange(100)
    x, y = left + side * (place % 10 + 0.5), side * (place // 10 + 0.5)
    ax.plot(x[:filled], y[:filled], "o", ms=10, mfc=INK, mec=INK, mew=1)
    ax.plot(x[filled:], y[filled:], "o", ms=10, mfc=TRACK, mec=MUTED, mew=1)


# Error against epsilon.


def curve(study: Study, size: str) -> str:
    """Draw the standard error of the total against epsilon, with the losses by masking as levels."""
    figure, ax = axes(WIDTHS[size], 360, left=54, right=16, top=14, bottom=46)
    grid, narrow = study.epsilons, size == "narrow"
    span = np.geomspace(grid[0] / 1.3, grid[-1] * 1.3, 60)
    error = {place: np.array([study.share(study.stderr_of_total(e, place)) for e in span]) for place in PLACES}
    ax.set(xscale="log", yscale="log", xlim=(span[0], span[-1]))
    ax.set_ylim(max(error["joint"].min() / 1.3, 1e-5), max(1.5, error["registry"].max() * 1.1))
    for place in PLACES:
        points = [study.share(study.at(e, place).total.stderr) for e in grid]
        ax.plot(span, error[place], color=COLOURS[place], lw=2.2)
        ax.plot(grid, points, MARKERS[place], color=COLOURS[place], ms=8, mec=PAPER, mew=1.2)
        (_name_in_corner if narrow else _name_beside)(ax, place, span, error[place])
    _loss_levels(ax, study, narrow=narrow)
    _log_ticks(ax, grid, apart=0.1 if narrow else 0.06)
    said = "; ".join(
        f"epsilon {words.setting(e)}: "
        + ", ".join(
            f"{words.NAMES[place].lower()} {words.percent(study.share(study.at(e, place).total.stderr))}"
            for place in PLACES
        )
        for e in grid
    )
    return finish(
        figure, "curve", size, "Standard error of the published total, in per cent of all cases, against epsilon", said
    )


def _name_beside(ax: Axes, place: Place, span: Vector, error: Vector) -> None:
    """Write the name along its curve: above the upper one, below the lower one."""
    index, above = int(0.45 * len(span)), place == "registry"
    ax.annotate(
        words.NAMES[place],
        (span[index], error[index]),
        xytext=(8, 6) if above else (-8, -8),
        textcoords="offset points",
        ha="left" if above else "right",
        va="bottom" if above else "top",
        size=13,
        weight="bold",
        color=COLOURS[place],
    )


def _name_in_corner(ax: Axes, place: Place, span: Vector, error: Vector) -> None:
    """Write the name in two lines, where a narrow drawing has room: right of the upper curve, left of the lower."""
    above, name = place == "registry", fill(words.NAMES[place], 15)
    if above:
        ax.text(
            span[-1],
            1.2 * error[int(0.6 * len(span))],
            name,
            size=13,
            weight="bold",
            color=SITE,
            ha="right",
            va="bottom",
        )
    else:
        ax.text(span[1], error[int(0.45 * len(span))] / 1.2, name, size=13, weight="bold", color=JOINT, va="top")


def _loss_levels(ax: Axes, study: Study, *, narrow: bool) -> None:
    for lost, minima in losses(study).items():
        if lost:
            ax.axhline(study.share(lost), color=MASK, lw=1.6, ls=(0, (5, 3)))
            text = f"under {minima}: {words.percent(study.share(lost))}"
            text = text if narrow else f"masked {text} missing"
            where = ax.get_yaxis_transform()
            ax.text(1, study.share(lost) / 1.06, text, size=12.5, color=MASK, ha="right", va="top", transform=where)


def _log_ticks(ax: Axes, grid: tuple[float, ...], apart: float) -> None:
    """Label the grid points, except those closer than `apart` (a share of the axis) to the last one labelled."""
    from matplotlib.ticker import NullLocator

    low, high = ax.get_ylim()
    powers = [10.0**k for k in range(-12, 12) if low <= 10.0**k <= high]
    left, right = np.log(ax.get_xlim())
    shown = [grid[0]]
    for epsilon in grid:
        if np.log(epsilon / shown[-1]) >= apart * (right - left):
            shown.append(epsilon)
    ax.set_xticks(shown, [words.setting(epsilon) for epsilon in shown])
    ax.set_yticks(powers, [f"{100 * power:g}{words.NARROW_SPACE}%" for power in powers])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("ε   (larger: less noise, weaker promise)", size=12.5, color=MUTED, loc="right")
    ax.grid(axis="y", color=RULE, lw=0.8)


# Rates.


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    rate: Rate


def rates(study: Study, size: str) -> str:
    """Draw the age-standardised rates with their intervals, technique by technique, against the exact one."""
    groups, row, wide = _rate_groups(study), 21, size == "wide"
    rows = sum(len(lines) + 1.4 for _, lines, _, _ in groups)
    figure, ax = axes(WIDTHS[size], round(rows * row) + 56, left=92, right=140 if wide else 12, top=10, bottom=46)
    ax.set_xlim(0, 2 * study.exact.rate.high)
    ax.set_ylim(rows - 0.9, -0.5)
    ax.set_yticks([])
    ax.axvline(study.exact.rate.value, color=INK, lw=1)
    y = 0.0
    for title, lines, colour, marker in groups:
        ax.text(0, y, title, size=13, weight="bold", color=colour, va="center", transform=beside(ax), bbox=_PATCH)
        for offset, line in enumerate(lines, start=1):
            _rate_line(ax, line, y + offset, colour, marker, numbers_at=WIDTHS[size] if wide else None)
        y += len(lines) + 1.4
    ax.set_xlabel("cases per million person-years", size=12.5, color=MUTED, loc="right")
    said = "; ".join(
        f"{title}, {line.name}: {words.rate(line.rate)}" for title, lines, _, _ in groups for line in lines
    )
    return finish(figure, "rates", size, "Age-standardised rates per million with 95 % intervals", said)


_PATCH = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.5}


def _rate_groups(study: Study) -> list[tuple[str, list[_Line], str, str]]:
    groups = [
        ("Nothing hidden", [_Line("exact", study.exact.rate)], INK, "o"),
        ("Masked at each registry", [_Line(f"under {m.minimum}", m.rate) for m in study.masked], MASK, "s"),
    ]
    for place in PLACES:
        lines = [_Line(words.equation(epsilon), study.at(epsilon, place).rate) for epsilon in study.epsilons]
        groups.append((words.NAMES[place], lines, COLOURS[place], MARKERS[place]))
    return groups


def _rate_line(ax: Axes, line: _Line, y: float, colour: str, marker: str, numbers_at: float | None) -> None:
    most = ax.get_xlim()[1]
    ax.text(14, y, line.name, size=12.5, color=INK, va="center", transform=beside(ax))
    ax.plot([min(line.rate.low, most), min(line.rate.high, most)], [y, y], color=colour, lw=2.2, solid_capstyle="butt")
    if line.rate.high > most:
        ax.plot([most], [y], ">", color=colour, ms=7, clip_on=False)
    if 0 <= line.rate.value <= most:
        ax.plot([line.rate.value], [y], marker, color=colour, ms=8, mec=PAPER, mew=1.2, clip_on=False, zorder=3)
    if numbers_at is not None:
        ax.text(
            numbers_at, y, words.rate(line.rate), size=12.5, color=INK, va="center", ha="right", transform=beside(ax)
        )
