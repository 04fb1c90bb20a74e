"""From the scopes of factors to cliques: min-fill elimination on bit masks, and the tree that joins the cliques."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import prod

from pets.synthetic.engine.factors import Axes


@lru_cache(maxsize=8192)
def triangulate(sizes: tuple[int, ...], scopes: frozenset[Axes]) -> tuple[Axes, ...]:
    """Return the maximal cliques of a chordal graph in which each scope is inside a clique.

    Parameters
    ----------
    sizes
        Number of codes of each attribute.
    scopes
        Sets of attributes that must lie in one clique.

    Returns
    -------
    tuple of Axes
        In the order of elimination. Every attribute is in some clique.

    Notes
    -----
    Eliminates the attribute whose neighbours lack fewest links; of several, the one that makes the smallest table
    (Kjaerulff 1990). The choice is greedy: least size is NP-hard.
    """
    near = _links(len(sizes), scopes)
    left = (1 << len(sizes)) - 1
    cliques: list[int] = []
    costs = {v: _cost(v, near, left, sizes) for v in range(len(sizes))}
    while costs:
        chosen = min(costs, key=costs.__getitem__)
        del costs[chosen]
        around = near[chosen] & left & ~(1 << chosen)
        left &= ~(1 << chosen)
        members = _members(around)
        touched = around
        for v in members:
            near[v] |= around & ~(1 << v)
            touched |= near[v]
        for v in _members(touched & left):  # what is further away has the same neighbours and links as before
            costs[v] = _cost(v, near, left, sizes)
        clique = around | 1 << chosen
        if not any(clique & known == clique for known in cliques):
            cliques.append(clique)
    return tuple(tuple(_members(clique)) for clique in cliques)


def cells_of(sizes: Sequence[int], cliques: Iterable[Axes]) -> int:
    """Return how many cells the tables of all cliques have together."""
    return sum(prod(sizes[axis] for axis in clique) for clique in cliques)


def join(sizes: Sequence[int], cliques: Sequence[Axes], first: Axes = ()) -> tuple[int, ...]:
    """Return the parent of each clique in a junction tree, -1 for its root; forests hang together by empty separators.

    A spanning tree of greatest separators has the running-intersection property (Jensen and Jensen 1994). The root
    shares most attributes with `first`; of several it is the largest table. Rows are drawn from there, and a table at
    the root is met best (see the sampler).
    """
    sets = [set(clique) for clique in cliques]
    root = max(range(len(cliques)), key=lambda i: (len(sets[i] & set(first)), cells_of(sizes, [cliques[i]])))
    parent = [-1] * len(cliques)
    best = {i: (len(sets[i] & sets[root]), root) for i in range(len(cliques)) if i != root}
    while best:
        i = max(best, key=lambda j: best[j][0])
        parent[i] = best.pop(i)[1]
        for j, (shared, _) in best.items():
            if len(sets[i] & sets[j]) > shared:
                best[j] = (len(sets[i] & sets[j]), i)
    return tuple(parent)


def _links(number: int, scopes: Iterable[Axes]) -> list[int]:
    near = [0] * number
    for scope in scopes:
        mask = sum(1 << v for v in scope)
        for v in scope:
            near[v] |= mask & ~(1 << v)
    return near


def _members(mask: int) -> list[int]:
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found


def _cost(v: int, near: list[int], left: int, sizes: Sequence[int]) -> tuple[int, int]:
    around = near[v] & left
    members = _members(around)
    missing = sum((around & ~near[u] & ~(1 << u)).bit_count() for u in members)
    return missing, sizes[v] * prod(sizes[u] for u in members)
