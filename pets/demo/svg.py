"""From a matplotlib figure to SVG that belongs to a page: its colours are the page's, its text is text."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PALETTE = {
    "#111820": "--ink",
    "#59646f": "--muted",
    "#d3d9df": "--rule",
    "#eceff2": "--track",
    "#fefefe": "--paper",
    "#b34700": "--mask",
    "#00509f": "--joint",
    "#0b7d6f": "--site",
}
"""The colours that a figure may use, and the page's CSS variable for each; the page redefines them for dark mode."""

INK, MUTED, RULE, TRACK, PAPER, MASK, JOINT, SITE = PALETTE

_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_FONT = re.compile(r"font:\s*(?:bold\s+|\d+\s+)?([\d.]+)px [^;]*")
_FAMILY = re.compile(r"\s*font-family:[^;]*;?")
_NUMBER = re.compile(r"-?\d+\.\d{3,}")


def to_svg(figure: Figure, *, name: str, title: str, description: str, css_class: str) -> str:
    """Return the figure as an ``svg`` element for a page.

    Parameters
    ----------
    figure
        Drawn with the colours of :data:`PALETTE` only, at 72 units to the inch.
    name
        Unique on the page; every identifier inside the drawing begins with it.
    title, description
        What a screen reader says instead of the picture.
    css_class
        Class of the element.
    """
    from matplotlib import rc_context

    buffer = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    root = ET.fromstring(buffer.getvalue())  # noqa: S314 - our own output
    for element in root.iter():
        _simplify(element, name)
    drawing = ET.Element("svg", {"viewBox": root.attrib["viewBox"], "class": css_class, "role": "img"})
    drawing.set("aria-labelledby", f"{name}-title {name}-text")
    for tag, text in (("title", title), ("desc", description)):
        ET.SubElement(drawing, tag, {"id": f"{name}-{'title' if tag == 'title' else 'text'}"}).text = text
    drawing.extend(child for child in root if child.tag not in ("metadata",) and not _is_style(child))
    return ET.tostring(drawing, encoding="unicode", short_empty_elements=True)


def _is_style(element: ET.Element) -> bool:
    # matplotlib's style sheet says `*`, which in a page would mean every element of the page.
    return element.tag == "defs" and len(element) == 1 and element[0].tag == "style"


def _simplify(element: ET.Element, name: str) -> None:
    """Drop namespaces, name identifiers after the figure, and hand colours and fonts over to the page."""
    element.tag = element.tag.replace(_SVG, "").rpartition("}")[2]
    for key, value in list(element.attrib.items()):
        del element.attrib[key]
        if key == "id" and element.tag == "g":
            continue
        if key == "id":
            element.set("id", f"{name}-{value}")
        elif key == _LINK:
            element.set("href", f"#{name}-{value[1:]}")
        else:
            element.set(key, _restyle(value, name))


def _restyle(value: str, name: str) -> str:
    value = _REFERENCE.sub(rf"url(#{name}-\1)", value)
    value = _FAMILY.sub("", _FONT.sub(r"font-size: \1px", value))
    for colour, variable in PALETTE.items():
        value = value.replace(colour, f"var({variable})")
    return _NUMBER.sub(lambda found: f"{float(found[0]):.1f}", value).strip(" ;")
