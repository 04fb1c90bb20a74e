"""The pages that ``pets synth`` writes beside the rows."""

from __future__ import annotations

from html import escape
from typing import Any

from pets.synthetic.pages import page


def release_page(model: Any, rows: int) -> str:
    """Return the page that may go out with the rows: it says nothing that the model does not."""
    noisy = hasattr(model, "error_bounds")
    words = escape(model.explain() if noisy else model.guarantee.explain())
    return page("Artificial rows", f"<p><b>{rows:,} artificial rows.</b> {words}</p>{_bounds(model) if noisy else ''}")


def internal_page(found: Any) -> str:
    """Return the page on fidelity, which was computed from the real rows."""
    return page("INTERNAL: fidelity of artificial rows", f"<div class='scroll'>{found._repr_html_()}</div>")


def _bounds(model: Any) -> str:
    heads = ("table", "cells", "noise of a cell (SD, rows)", "off by at most, with 95 %")
    lines = "".join(
        f"<tr><td>{escape(' x '.join(bound.columns))}</td><td>{bound.cells:,}</td><td>{bound.sigma:.2f}</td>"
        f"<td>{min(bound.share, 1.0):.1%} of the rows</td></tr>"
        for bound in model.error_bounds()
    )
    head = "".join(f"<th>{name}</th>" for name in heads)
    return (
        "<h2>How far the rows can be from the truth</h2>"
        f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
    )
