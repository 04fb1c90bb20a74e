"""What one data set and privacy unit have paid, and whether they can pay more."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import cast

from pets.errors import BudgetExceeded, IncompatibleGuarantees, InvalidArgument, LedgerError
from pets.guarantee import Composition, DPGuarantee, Guarantee
from pets.ledger import arguments, chain
from pets.ledger.arguments import Limit


@dataclass(frozen=True, slots=True)
class Account:
    """What one data set's privacy unit has paid and has left, and how often it was shown exactly.

    Attributes
    ----------
    dataset, unit
        The account.
    spent, remaining
        In the currency of the limit.
    exact_releases
        Releases without any DP guarantee, which `spent` cannot count.
    """

    dataset: str
    unit: str
    spent: DPGuarantee
    remaining: DPGuarantee
    exact_releases: int


def afford(total: Composition, guarantee: Guarantee, limit: Limit, account: tuple[str, str]) -> Composition:
    """Return the total with one more charge, if the limit admits it."""
    after = total.add(cast("DPGuarantee", guarantee))
    if not after.fits(limit):
        raise BudgetExceeded(guarantee, total.remaining(limit), _named(*account))
    return after


def resolve(connection: sqlite3.Connection, dataset: str, unit: str | None) -> tuple[str, str]:
    """Return the account meant, which is the only one of the data set when no unit is named."""
    if unit is not None:
        return dataset, arguments.checked_unit(unit)
    units = [known for name, known in chain.accounts(connection) if name == dataset]
    if len(units) > 1:
        named = ", ".join(map(repr, units[:4])) + ", ..." * (len(units) > 4)
        raise InvalidArgument(
            "unit", "must be named, because this data set has several accounts", f"Give one of: {named}."
        )
    return dataset, units[0] if units else ""


def view(connection: sqlite3.Connection, limit: Limit, dataset: str, unit: str) -> Account:
    """Return an account in the currency of the limit."""
    total, shown = chain.totals(connection, dataset, unit)
    return Account(dataset, unit, total.spent(limit), total.remaining(limit), shown)


def require_within(connection: sqlite3.Connection, limit: Limit, dataset: str, unit: str) -> None:
    """Refuse a new limit that an account has broken already."""
    total, _ = chain.totals(connection, dataset, unit)
    try:
        arguments.account_unit(unit, None, limit)
        fits = total.fits(limit)
    except IncompatibleGuarantees as error:
        raise LedgerError(f"the limit cannot become '{limit}' because of {_named(dataset, unit)}: {error}") from None
    if not fits:
        raise LedgerError(
            f"the limit cannot become '{limit}': {_named(dataset, unit)} has spent '{total.spent(limit)}' already. "
            "What was released cannot be taken back. Give a limit of at least that."
        )


def _named(dataset: str, unit: str) -> str:
    return f"data set {dataset!r}" + (f", {unit}" if unit else "")
