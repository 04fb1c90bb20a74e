"""One message at a site, as the mods share it while it is answered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from pets.adapters.contract import Contract
from pets.adapters.parcel import Parcel
from pets.adapters.site import Site
from pets.errors import QueryRefused


@dataclass
class Visit:
    """One message at a site, as the mods share it."""

    site: Site
    asked: Parcel
    contract: Contract | None = None
    is_new: bool = False
    masked: bool = False


_VISIT: ContextVar[Visit] = ContextVar("visit")


def visit() -> Visit:
    """Return the message that is being answered.

    Raises
    ------
    QueryRefused
        No :class:`AuditMod` came before.
    """
    found = _VISIT.get(None)
    if found is None:
        raise QueryRefused("steps", "AuditMod must come first")
    return found


def summing() -> tuple[Visit, Contract]:
    """Return the message that is being answered, and its contract: it must be a message of a sum."""
    found = visit()
    if found.contract is None:
        if found.asked.kind != "sum":
            raise QueryRefused("form", "this is no message of a sum")
        found.contract = found.site.contract(found.asked)
        found.is_new = found.site.is_new(found.contract)
    return found, found.contract


@contextmanager
def visiting(found: Visit) -> Iterator[None]:
    """Share `found` with all that is called inside."""
    token = _VISIT.set(found)
    try:
        yield
    finally:
        _VISIT.reset(token)
