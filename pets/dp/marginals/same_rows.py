"""Which rows a table counts: what several tables must have in common to be put together.

A row with a value that is not declared is in no cell of the tables over that attribute, and in a cell of the others.
What one table says about a margin is then said of other rows than what the next one says: their average estimates
neither, and intervals of the noise alone say nothing of the difference.
"""

from __future__ import annotations

from pets.errors import PairingRefused
from pets.query import Block, BoundQuery


def counts_same_rows(query: BoundQuery) -> bool:
    """Return whether all tables of a query count the same rows, whatever the rows are."""
    return len({(_dropping(query, block), _rules(query, block)) for block in query.blocks}) <= 1


def refuse_different_rows(query: BoundQuery) -> None:
    """Refuse tables of which one leaves out rows that another counts.

    Raises
    ------
    PairingRefused
        There are such tables; the message names what leaves the rows out and what can be done.
    """
    if counts_same_rows(query):
        return
    why = "these tables count different rows and cannot be made consistent: "
    sets = [_dropping(query, block) for block in query.blocks]
    some = frozenset[str]().union(*sets) - sets[0].intersection(*sets)
    listed = [name for name in query.query.needs() if name in some]
    if listed:
        them = ", ".join(repr(name) for name in listed)
        raise PairingRefused(
            f"{why}a row without a valid value of {listed[0]!r} is left out of some and not of others. "
            f"Declare invalid='error' or invalid='category' for {them}, or ask for one table with its margins."
        )
    raise PairingRefused(
        f"{why}structural zeros leave rows out of some and not of others. Ask for one table with its margins, or "
        "measure each table by itself with pets.dp.DiscreteLaplace or pets.dp.DiscreteGaussian."
    )


def _dropping(query: BoundQuery, block: Block) -> frozenset[str]:
    """Return the attributes of a table that can leave out a row; clamping leaves out what is missing."""
    domain = query.table_domain
    return frozenset(axis.name for axis in block.axes if domain[axis.name].invalid not in ("error", "category"))


def _rules(query: BoundQuery, block: Block) -> frozenset[int]:
    """Return which structural zeros apply to a table: those over attributes that it has."""
    held = {axis.name for axis in block.axes}
    rules = query.table_domain.impossible
    return frozenset(i for i, rule in enumerate(rules) if held.issuperset(rule))
