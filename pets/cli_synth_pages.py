"""The pages that ``pets synth`` writes beside the rows."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from pets.synthetic.pages import page

_NOTHING = "<p>There are too few rows to compare.</p>"


def release_page(model: Any, rows: int) -> str:
    """Return the page that may go out with the rows: it says nothing that the model does not."""
    noisy = hasattr(model, "error_bounds")
    words = escape(model.explain() if noisy else model.guarantee.explain())
    return page("Artificial rows", f"<p><b>{rows:,} artificial rows.</b> {words}</p>{_bounds(model) if noisy else ''}")


def internal_page(found: Any) -> str:
    """Return the page on fidelity, which was computed from the real rows."""
    return page("INTERNAL: fidelity of artificial rows", f"<div class='scroll'>{found._repr_html_()}</div>")


def linked_page(model: Any, rows: Mapping[str, int]) -> str:
    """Return the page that may go out with the rows of several tables."""
    counts = ", ".join(f"{number:,} of {escape(name)}" for name, number in rows.items())
    parts = "".join(f"<h2>{escape(name)}</h2>{_bounds(one, level=3)}" for name, one in model.models.items())
    return page("Artificial rows", f"<p><b>Artificial rows: {counts}.</b> {escape(model.explain())}</p>{parts}")


def linked_internal_page(found: Mapping[str, Any]) -> str:
    """Return the page on fidelity of each of several tables; None stands for one that has no rows."""
    parts = "".join(
        f"<h2>{escape(name)}</h2><div class='scroll'>{one._repr_html_() if one is not None else _NOTHING}</div>"
        for name, one in found.items()
    )
    return page("INTERNAL: fidelity of artificial rows", parts)


def _bounds(model: Any, level: int = 2) -> str:
    heads = ("table", "cells", "noise of a cell (SD, rows)", "off by at most, with 95 %")
    lines = "".join(
        f"<tr><td>{escape(' x '.join(bound.columns))}</td><td>{bound.cells:,}</td><td>{bound.sigma:.2f}</td>"
        f"<td>{min(bound.share, 1.0):.1%} of the rows</td></tr>"
        for bound in model.error_bounds()
    )
    head = "".join(f"<th>{name}</th>" for name in heads)
    return (
        f"<h{level}>How far the rows can be from the truth</h{level}>"
        f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
    )
