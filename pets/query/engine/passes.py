"""Which blocks share one pass over the rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from pets.query.layout import Block

if TYPE_CHECKING:
    from pets.query.engine.site import Site

MAX_GROUPS: Final = 2**20
"""Blocks share a pass if it cannot give more groups than this."""


def passes_over(blocks: Sequence[Block], site: Site) -> list[list[int]]:
    """Return the blocks, by position, in sets that are answered from one grouping of the rows.

    One set if the groups of all columns together are few, or not more than the rows of a frame in
    memory. Else each block joins the set that it enlarges least.
    """
    sizes = {column.name: column.groups for column in site.columns}
    everything = [columns_of(block) for block in blocks]
    possible = math.prod(sizes[name] for name in set().union(*everything))
    if min(possible, math.inf if site.rows is None else site.rows) <= MAX_GROUPS:
        return [list(range(len(blocks)))]
    found: list[tuple[set[str], list[int]]] = []
    for i in sorted(range(len(blocks)), key=lambda i: -len(everything[i])):
        options = [(math.prod(sizes[n] for n in names | everything[i]), at) for at, (names, _) in enumerate(found)]
        best = min(options, default=(math.inf, -1))
        if best[0] <= MAX_GROUPS:
            found[best[1]][0].update(everything[i])
            found[best[1]][1].append(i)
        else:
            found.append((set(everything[i]), [i]))
    return [members for _, members in found]


def columns_of(block: Block) -> set[str]:
    """Return the names of the columns that a block reads."""
    return {axis.name for axis in block.axes} | ({block.column} if block.column is not None else set())
