"""Charge first, then choose: the order that a pipeline keeps for tables, for choices and other results."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from pets.config import digest
from pets.dp.arguments import bound_argument, kind_of
from pets.dp.selection.selector import Selected, Selector
from pets.errors import InvalidArgument, UnrecordedReleaseWarning
from pets.guarantee import DPGuarantee
from pets.ledger import Ledger
from pets.privacy_unit import PrivacyUnit
from pets.query import BoundQuery
from pets.tally import Tally


def answered_once(
    ledger: Ledger | None,
    facts: Mapping[str, Any],
    cost: Callable[[], DPGuarantee],
    draw: Callable[[], str],
    *,
    unit: PrivacyUnit,
    dataset: str,
    note: str,
) -> str:
    """Return the one answer to a request: the stored one, or a fresh one that was charged before it was drawn.

    Parameters
    ----------
    ledger
        Where the cost is recorded. Without one a warning is given.
    facts
        Everything public that defines the request; its digest is the request's identity.
    cost
        What the answer promises. Called before `draw`.
    draw
        Makes the answer, as text, from confidential data.
    unit, dataset
        The account.
    note
        Words for the reader of the ledger.

    Raises
    ------
    InvalidArgument
        `ledger` is no ledger, or `dataset` no name.
    BudgetExceeded
        The ledger refused; nothing was charged or drawn.
    """
    if not isinstance(dataset, str) or not dataset:
        raise InvalidArgument("dataset", "must be a non-empty name")
    if ledger is None:
        cost()
        warnings.warn(
            "this release was not recorded in a ledger, so its cost can be forgotten. "
            "Give ledger=pets.Ledger('budget.sqlite', limit=...).",
            UnrecordedReleaseWarning,
            stacklevel=3,
        )
        return draw()
    if not isinstance(ledger, Ledger):
        raise InvalidArgument(
            "ledger", f"must be a Ledger, not {kind_of(ledger)}", "Give ledger=pets.Ledger('budget.sqlite', limit=...)."
        )
    request, account = _request(facts, dataset), str(unit)
    stored = stored_answer(ledger, facts, unit=unit, dataset=dataset)
    if stored is None:
        ledger.charge(cost(), note=note, request=request, dataset=dataset, unit=account)
        stored = ledger.store_answer(request, draw(), dataset=dataset, unit=account)
    return stored


def refuse_unpaid(
    ledger: Ledger | None, facts: Mapping[str, Any], cost: DPGuarantee, *, unit: PrivacyUnit, dataset: str
) -> None:
    """Refuse now what :func:`answered_once` could not charge; nothing is written. For answers that several books pay.

    Raises
    ------
    BudgetExceeded
        The ledger cannot pay, and has not paid for this request before.
    """
    if ledger is None:
        return
    account = str(unit)
    if not ledger.was_charged(_request(facts, dataset), dataset=dataset, unit=account):
        ledger.require(cost, dataset=dataset, unit=account)


def stored_answer(ledger: Ledger, facts: Mapping[str, Any], *, unit: PrivacyUnit, dataset: str) -> str | None:
    """Return what :func:`answered_once` keeps as the answer to a request, if it was answered; nothing is charged."""
    return ledger.answer(_request(facts, dataset), dataset=dataset, unit=str(unit))


def _request(facts: Mapping[str, Any], dataset: str) -> str:
    return digest({**facts, "dataset": dataset})


def select(
    mechanism: Selector,
    total: Tally,
    query: BoundQuery,
    *,
    ledger: Ledger | None = None,
    dataset: str = "default",
    repeat: str = "",
) -> Selected:
    """Charge the ledger, choose, store the choice and return it.

    Parameters
    ----------
    mechanism
        How to choose, e.g. ``PermuteAndFlip(epsilon=1)``.
    total
        The confidential tally of `query`: of one site, a sum of several, or the total of a secure sum.
    query
        The question, bound to its domain.
    ledger
        Where the cost is recorded before anything is drawn. Without one a warning is given.
    dataset
        Name of the data for the ledger; a new snapshot needs a new name.
    repeat
        The same request is answered once and then from the ledger; give another text for a fresh draw, charged again.

    Raises
    ------
    PairingRefused, InvalidArgument, IncompatibleTallies
        The parts do not belong together; nothing was charged.
    BudgetExceeded
        The ledger refused; nothing was charged or drawn.
    """
    if not isinstance(mechanism, Selector):
        raise InvalidArgument(
            "mechanism", "must be a selection mechanism", "Give for example PermuteAndFlip(epsilon=1)."
        )
    bound_argument(query)
    mechanism.guarantee(query)
    mechanism.scores(total, query)
    facts = {"selection": mechanism.to_dict(), "question": query.signature, "repeat": repeat}
    text = answered_once(
        ledger, facts, lambda: mechanism.guarantee(query), lambda: mechanism.release(total, query).to_json(),
        unit=query.domain.unit, dataset=dataset, note=f"{query.query.kind}, {type(mechanism).__name__}",
    )  # fmt: skip
    return Selected.from_json(text)
