"""Pages that need nothing but themselves: no script, no address, light and dark, fit to print."""

from __future__ import annotations

import io
import re
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
:root { color-scheme: light dark; --ink: #111820; --muted: #59646f; --rule: #d3d9df; --track: #eceff2; --paper: #fefefe;
  --warn: #b34700; --main: #00509f; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #e7ebef; --muted: #a4afba; --rule: #3a434d;
  --track: #262d35; --paper: #14181d; --warn: #ff9d57; --main: #6aa9ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font-variant-numeric: tabular-nums;
  font: 1.0625rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif; }
main { max-width: 1096px; margin: 0 auto; padding: 32px 24px 56px; }
h1 { font-size: clamp(1.6rem, 1.1rem + 1.6vw, 2.2rem); line-height: 1.16; letter-spacing: -.018em; margin: 0 0 .55em; }
h2 { font-size: 1.3rem; line-height: 1.25; margin: 1.8em 0 .5em; }
p, ul { margin: 0 0 .9em; max-width: 78ch; }
.note { color: var(--muted); font-size: .92rem; }
.warn { border-left: 4px solid var(--warn); padding: 4px 14px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; line-height: 1.35; min-width: 60%; }
th, td { padding: 6px 0 6px 18px; text-align: right; vertical-align: top; border-top: 1px solid var(--rule);
  font-weight: 400; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th.words, td.words { text-align: left; }
thead th { font-weight: 660; vertical-align: bottom; border-top: 0; }
tr.family th { font-weight: 660; padding-top: 16px; border-top: 2px solid var(--ink); }
td small { display: block; color: var(--muted); white-space: nowrap; }
svg { display: block; width: 100%; height: auto; max-width: 1048px; }
@media print { @page { size: A4; margin: 16mm 18mm; } body { font-size: 10pt; } main { padding: 0; max-width: none; }
  tr, svg { break-inside: avoid; } }
"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_COLOURS = {"#111820": "--ink", "#59646f": "--muted", "#00509f": "--main", "#b34700": "--warn"}


def page(title: str, body: str) -> str:
    """Return a whole page; `body` is HTML whose texts are escaped already."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head>\n<body><main><h1>{escape(title)}</h1>{body}</main></body></html>\n"
    )


def picture(figure: Figure, label: str) -> str:
    """Return a figure as an ``svg`` element whose colours are the page's, light or dark."""
    from matplotlib import rc_context

    out = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "pets"}):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawn = out.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r' (width|height)="[\d.]+pt"', "", drawn, count=2)
    for colour, name in _COLOURS.items():
        drawn = drawn.replace(colour, f"var({name})")
    return drawn.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)
