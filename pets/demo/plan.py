"""What the demo will do: the grid of epsilon, the masking rules, and the pipelines that publish the table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pets.demo.material import Material
from pets.demo.results import Place
from pets.errors import InvalidArgument
from pets.exact import Number, positive
from pets.ledger import Ledger
from pets.pipeline import Pipeline
from pets.roles import Mechanism

EPSILONS: tuple[float, ...] = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
"""The grid of the report."""

MINIMA = (5, 11, 16)
"""Masking rules in use: cells below these counts are hidden."""

JOINT_ACCOUNT = "joint table of all registries"
"""Name of the joint table in the ledger; a registry's own table has the registry's name."""

SMALLEST, LARGEST, MOST = 0.05, 10, 12


def check_epsilons(epsilons: Iterable[Number]) -> tuple[float, ...]:
    """Return the grid, ascending and each point once.

    Raises
    ------
    InvalidArgument
        The grid is empty, too long, or a point is no number between 0.05 and 10.
    """
    found = {float(positive(epsilon, "epsilon")) for epsilon in epsilons}
    if not 1 <= len(found) <= MOST:
        raise InvalidArgument("epsilon", f"must be given between 1 and {MOST} times")
    if min(found) < SMALLEST or max(found) > LARGEST:
        raise InvalidArgument("epsilon", f"must lie between {SMALLEST} and {LARGEST}", "Try values from 0.1 to 2.")
    return tuple(sorted(found))


def pipelines(
    material: Material, mechanism: Mechanism, place: Place, ledger: Ledger | None
) -> list[tuple[Pipeline, Mapping[str, Any]]]:
    """Return the pipelines that publish the table, each with its sites: one for all, or one for each registry."""
    query, frames = material.query, material.frames
    runs = [(JOINT_ACCOUNT, frames)] if place == "joint" else [(name, {name: frames[name]}) for name in frames]
    return [
        (Pipeline(query.query, query.domain, mechanism=mechanism, ledger=ledger, dataset=dataset), sites)
        for dataset, sites in runs
    ]
