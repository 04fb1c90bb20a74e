"""Blank figures whose coordinates are pixels of the page, and the step from a figure to the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pets.demo.svg import MUTED, RULE, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Transform


def axes(
    width: int, height: int, *, left: int = 0, right: int = 0, top: int = 0, bottom: int = 0
) -> tuple[Figure, Axes]:
    """Return a figure of `width` x `height` pixels and axes that leave these margins; only the x axis has a line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 72, height / 72), dpi=72)  # so that a point is a pixel of the page
    ax = figure.add_axes(
        (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    )
    for patch in (figure.patch, ax.patch):
        patch.set_visible(False)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(RULE)
    ax.tick_params(length=0, labelsize=12.5, labelcolor=MUTED, pad=6)
    return figure, ax


def canvas(width: int, height: int) -> tuple[Figure, Axes]:
    """Return axes whose data coordinates are pixels from the top left."""
    figure, ax = axes(width, height)
    ax.set_xlim(0, width)
    ax.set_ylim(height, 0)
    ax.axis("off")
    return figure, ax


def box(ax: Axes, x: float, y: float, width: float, height: float, colour: str) -> None:
    """Draw a filled rectangle without an edge."""
    from matplotlib.patches import Rectangle

    ax.add_patch(Rectangle((x, y), width, height, facecolor=colour, edgecolor="none"))


def beside(ax: Axes) -> Transform:
    """Return coordinates that are pixels from the left edge of the figure across, and data downwards."""
    from matplotlib.transforms import IdentityTransform, blended_transform_factory

    return blended_transform_factory(IdentityTransform(), ax.transData)


def finish(figure: Figure, name: str, size: str, title: str, description: str) -> str:
    """Return the figure as inline SVG; `size` is the class by which the page shows or hides it."""
    return to_svg(figure, name=f"{name}-{size}", title=title, description=description, css_class=f"figure {size}")
