"""How a report on fidelity shows itself."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Any

from pets.release_view import show_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pets.synthetic.fidelity.report import Fidelity, Score

_NUMBER = "text-align:right;font-variant-numeric:tabular-nums"
_TEXT = "text-align:left"
_HEADS = ("what", "of", "value", "real resample (90 %)", "reads as")
_SIDES = (_TEXT, _TEXT, _NUMBER, _NUMBER, _TEXT)
_WARN = "border-left:4px solid #b0413e;padding:4px 10px;background:#b0413e18"


def html(report: Fidelity) -> str:
    """Return the report as a table; what could not be computed comes first, in red."""
    head = "".join(f"<th style='{style}'>{name}</th>" for name, style in zip(_HEADS, _SIDES, strict=True))
    rows = "".join(_row(score) for score in report.scores)
    style = _WARN if report.internal else "padding:4px 10px"
    return (
        f"<div><b>Fidelity of {report.rows_synthetic:,} artificial rows</b>"
        f"<p style='{style}'>{escape(report.explain())}</p><table><tr>{head}</tr>{rows}</table></div>"
    )


def _row(score: Score) -> str:
    if score.problem:
        text = f"not computable: {score.problem}"
        return (
            f"<tr style='color:#b0413e'><td style='{_TEXT}'>{escape(score.metric)}</td>"
            f"<td style='{_TEXT}'>{escape(score.target)}</td><td colspan='3' style='{_TEXT}'>{escape(text)}</td></tr>"
        )
    floor = "–" if math.isnan(score.floor) else f"{show_value(score.floor_low)} to {show_value(score.floor_high)}"
    return (
        f"<tr><td style='{_TEXT}'>{escape(score.metric)}</td><td style='{_TEXT}'>{escape(score.target)}</td>"
        f"<td style='{_NUMBER}'>{show_value(score.value)}</td><td style='{_NUMBER}'>{floor}</td>"
        f"<td style='{_TEXT}'>{escape(score.reading)}</td></tr>"
    )


def plain(report: Fidelity) -> dict[str, Any]:
    """Return the report as data for JSON."""
    fields = ("metric", "target", "value", "better", "floor", "floor_low", "floor_high", "as_good_as", "problem")
    return {
        "internal": report.internal,
        "paid": None if report.paid is None else report.paid.to_dict(),
        "rows_real": report.rows_real,
        "rows_synthetic": report.rows_synthetic,
        "outside": report.outside,
        "impossible": report.impossible,
        "scores": [{name: _finite(getattr(score, name)) for name in fields} for score in report.scores],
    }


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def plot(report: Fidelity, ax: Axes | None) -> Axes:
    """Draw the share of the real rows that would do as well, one line a number, on a logarithmic scale."""
    scores = [score for score in report.scores if not math.isnan(score.as_good_as)] or list(report.scores)
    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(figsize=(9, 1 + 0.27 * len(scores)), layout="constrained").subplots()
    for i, score in enumerate(scores):
        if score.problem:
            ax.text(0.0105, i, "not computable", color="#b0413e", va="center", fontsize=8)
            continue
        share = max(score.as_good_as, 0.01)
        ax.hlines(i, 0.01, share, color="#1f5f8b", lw=2, alpha=0.5)
        ax.plot(share, i, "<" if score.as_good_as <= 0 else "o", color="#1f5f8b", ms=5)
    ax.set_xscale("log")
    ax.set_xlim(0.009, 1.1)
    ax.set_xticks([0.01, 0.1, 1.0], ["1 % or less", "10 %", "all"])
    ax.set_yticks(range(len(scores)), [f"{score.metric}: {score.target}" for score in scores], fontsize=7)
    ax.invert_yaxis()
    ax.set_xlabel("as good as this share of the real rows")
    if report.internal:
        ax.set_title("internal: computed from confidential rows", loc="left", fontsize=9, color="#b0413e")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    return ax
