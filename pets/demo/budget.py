"""The demo's ledger: real, and honest about what a page full of alternatives costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from pets.demo.material import Material
from pets.demo.plan import JOINT_ACCOUNT, pipelines
from pets.demo.results import PLACES, Account
from pets.dp import DiscreteLaplace
from pets.errors import LedgerError
from pets.exact import exact
from pets.guarantee import PureDP
from pets.ledger import Ledger


def open_ledger(path: Path, material: Material, grid: Sequence[float]) -> Ledger:
    """Open the demo's ledger with a limit that fits the grid.

    A registry decides on one epsilon, and its ledger refuses the next request. Here the counts are public and the
    alternatives are the point, so the limit follows the grid; the ledger's chain records each change.

    Raises
    ------
    LedgerError
        The file is no ledger, or keeps another kind of budget.
    """
    price = sum((exact(epsilon, "epsilon") for epsilon in grid), Fraction(0))
    ledger = Ledger(path) if path.exists() else Ledger(path, limit=PureDP(price))
    try:
        limit, needed = ledger.limit, max(_needed(ledger, material, grid))
        if not isinstance(limit, PureDP):
            raise LedgerError(f"{path.name!r} keeps another kind of budget than the demo's. Name another folder.")
        if needed > limit.epsilon:
            ledger.amend_limit(PureDP(needed), note="pets demo: the counts are public, so the limit follows the grid")
    except BaseException:
        ledger.close()
        raise
    return ledger


def _needed(ledger: Ledger, material: Material, grid: Sequence[float]) -> Iterator[Fraction]:
    """Yield for each account what it has spent, and what the releases that it still lacks will cost."""
    due = {account.dataset: _epsilon(account.spent) for account in ledger.accounts()}
    for place in PLACES:
        for epsilon in grid:
            for pipeline, sites in pipelines(material, DiscreteLaplace(epsilon=epsilon), place, ledger):
                if ledger.answer(pipeline.request(tuple(sites)), dataset=pipeline.dataset) is None:
                    due[pipeline.dataset] = due.get(pipeline.dataset, Fraction(0)) + exact(epsilon, "epsilon")
    yield from due.values()


def read_account(ledger: Ledger, material: Material) -> Account:
    """Return what the ledger has recorded, after recomputing its chain.

    Raises
    ------
    LedgerTampered
        The chain does not hold together.
    """
    checked = ledger.verify()
    return Account(
        charges=sum(entry.kind == "charge" for entry in ledger.entries()),
        entries=checked.entries,
        joint=float(_epsilon(ledger.spent(JOINT_ACCOUNT))),
        registry=float(max(_epsilon(ledger.spent(name)) for name in material.frames)),
    )


def _epsilon(spent: object) -> Fraction:
    if not isinstance(spent, PureDP):
        raise LedgerError("the ledger has been charged for something that is not the demo's. Name another folder.")
    return spent.epsilon
