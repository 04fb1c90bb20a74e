"""Mods for a ClientApp: each shows one step of a site's answer, and together they are the whole of it.

Give them in this order: ``mods=[AuditMod(open_site), GuardMod(), BudgetMod(), SecureSumMod()]``. If one is left out the
sum stops with a refusal: no table leaves without all four.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from pets.adapters.flower.messages import flower, from_message, to_reply
from pets.adapters.flower.visit import Visit, summing, visiting
from pets.adapters.parcel import Parcel
from pets.adapters.site import Site
from pets.errors import PetsError, QueryRefused
from pets.tally import Tally

if TYPE_CHECKING:
    from flwr.app import Context, Message

Next = Callable[[Any, Any], Any]
OpenSite = Callable[[Any], Site]
"""From Flower's context of a node to its site."""

TALLY = "tally"
"""Name of the record in which a handler gives its table to :class:`SecureSumMod`."""


class AuditMod:
    """The outermost: opens the site, logs every refusal and fault, and makes error replies of them.

    Parameters
    ----------
    open_site
        From Flower's context to the site, e.g. by ``context.node_config["site"]``.
    """

    def __init__(self, open_site: OpenSite) -> None:
        self.open_site = open_site

    def __call__(self, message: Message, context: Context, call_next: Next) -> Message:
        """Answer one message."""
        asked, replies = from_message(message), []
        site = open_or_tell(self.open_site, context)
        if site is None:
            return to_reply(Parcel.refused(PetsError("the site cannot be opened")), message)

        def work() -> Parcel:
            with visiting(Visit(site, asked)):
                replies.append(call_next(message, context))
            return Parcel(asked.kind)

        outcome = site.logged(asked, work)
        return to_reply(outcome, message) if outcome.kind == "refused" else replies[0]


class GuardMod:
    """Lets the guards decide on a new question, by public facts (or a charged, noisy count) alone."""

    def __call__(self, message: Message, context: Context, call_next: Next) -> Message:
        """Answer one message."""
        found, contract = summing()
        if found.is_new:
            found.site.admit(contract)
        return call_next(message, context)


class BudgetMod:
    """Charges the site's own ledger for a new question, which may refuse, before a row is read."""

    def __call__(self, message: Message, context: Context, call_next: Next) -> Message:
        """Answer one message."""
        found, contract = summing()
        if found.is_new:
            found.site.pay(contract)
        return call_next(message, context)


class SecureSumMod:
    """Takes the int64 table that the handler gives, adds this site's share of the noise, and masks it.

    The handler is called in the first turn only. Later turns agree on who is in the total, and help to unmask it.
    """

    def __call__(self, message: Message, context: Context, call_next: Next) -> Message:
        """Answer one message."""
        found, contract = summing()
        table = None
        if found.is_new:
            found.masked = True
            values = call_next(message, context).content[TALLY]["values"].numpy()
            table = Tally(np.asarray(values, dtype=np.int64), contract.spec.signature)
        return to_reply(found.site.add(contract, found.asked, table), message)


def open_or_tell(open_site: OpenSite, context: Any) -> Site | None:
    """Return the site; or ``None`` after telling the administrator, on that machine, why it cannot be opened."""
    try:
        return open_site(context)
    except Exception as error:  # noqa: BLE001 Flower would send the text on, with paths and names of columns in it
        why = str(error) if isinstance(error, PetsError) else "no error of pets"
        sys.stderr.write(f"pets: this site cannot be opened: {type(error).__name__}: {why}\n")
    return None


def give_tally(message: Message, context: Context) -> Message:
    """Return the confidential table of the question: a handler, for :class:`SecureSumMod` alone.

    Raises
    ------
    QueryRefused
        It is not called from inside that mod.
    """
    del context
    found, contract = summing()
    if not found.masked:
        raise QueryRefused("steps", "SecureSumMod must come before the table")
    app = flower()
    values = app.ArrayRecord({"values": app.Array(found.site.tally(contract).values)})
    return app.Message(app.RecordDict({TALLY: values}), reply_to=message)
