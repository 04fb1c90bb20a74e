"""The collector inside a central function of vantage6: one task for each site and round."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

from pets.adapters.combine import Collector
from pets.adapters.parcel import Parcel
from pets.adapters.questions import question, result
from pets.adapters.site import Site
from pets.adapters.site_file import party_from_environment, site_from_environment
from pets.errors import MessageRejected


@cache
def is_version_5() -> bool:
    """Return whether the installed vantage6 has the decorators and calls of version 5."""
    try:
        return find_spec("vantage6.algorithm.decorator") is not None
    except ImportError:
        return False


METHOD = "site"
"""Name of the function that answers at a site."""


class Vantage6Exchange:
    """Carries parcels as tasks; see :data:`pets.adapters.Exchange`.

    Parameters
    ----------
    client
        What vantage6 gives to a central function, of version 4 or 5.
    organizations
        Numbers of those asked; all of the collaboration when left out.
    """

    def __init__(self, client: Any, organizations: Sequence[int] = ()) -> None:
        self.client = client
        self.organizations = tuple(organizations) or tuple(item["id"] for item in client.organization.list())
        self.numbers: dict[str, int] = {}

    def __call__(self, asked: Mapping[str, Parcel]) -> dict[str, Parcel]:
        """Send parcels to sites and return their replies; a task that crashed is silence."""
        if any(parcel.kind == "hello" for parcel in asked.values()):
            return self._find(asked)
        found = self._carry({self.numbers[name]: asked[name] for name in asked if name in self.numbers})
        return {name: found[number] for name, number in self.numbers.items() if number in found}

    def _find(self, asked: Mapping[str, Parcel]) -> dict[str, Parcel]:
        """Ask all organizations who they are."""
        replies = {}
        for number, reply in self._carry(dict.fromkeys(self.organizations, next(iter(asked.values())))).items():
            name = str(reply.head.get("name"))
            if reply.kind == "hello" and name in asked:
                self.numbers[name], replies[name] = number, reply
        return replies

    def _carry(self, sending: Mapping[int, Parcel]) -> dict[int, Parcel]:
        tasks = {number: self._create(number, parcel) for number, parcel in sending.items()}
        found = {}
        for number, task in tasks.items():
            replies = [reply for reply in self.client.wait_for_results(task_id=task["id"]) if reply]
            try:
                found[number] = Parcel.from_dict(replies[0] if replies else None)
            except MessageRejected:
                continue
        return found

    def _create(self, number: int, parcel: Parcel) -> Any:
        arguments = {"parcel": parcel.to_dict()}
        if is_version_5():
            return self.client.task.create(method=METHOD, arguments=arguments, organizations=[number], name="pets")
        asked = {"method": METHOD, "kwargs": arguments}
        return self.client.task.create(input_=asked, organizations=[number], name="pets")


def collect(
    client: Any,
    asked: Mapping[str, Any],
    organizations: Sequence[int] = (),
    *,
    environment: Mapping[str, str] = os.environ,
) -> dict[str, Any]:
    """Return the answer to a question, in plain data; see :mod:`pets.adapters.questions`.

    Parameters
    ----------
    client
        What vantage6 gives.
    asked
        The question.
    organizations
        See :class:`Vantage6Exchange`.
    environment
        Holds the collector's settings; see :mod:`pets.adapters.site_file`.

    Raises
    ------
    InvalidArgument, QueryRefused
        The question cannot be understood.
    ProtocolAbort, NotConnected
        Too many sites refused or fell silent.
    """
    party = party_from_environment(environment)
    collector = Collector(party.store, party.domain, Vantage6Exchange(client, organizations), dataset=party.dataset)
    answer = collector.ask(question(asked, party.domain))
    return {**result(asked, answer.release), "refused": dict(answer.refused), "audit": dict(answer.audit)}


def answer_at_site(
    frame: object, parcel: object, organization: object = "", *, environment: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """Return the reply of a site to a parcel, in plain data.

    Parameters
    ----------
    frame
        The rows, as vantage6 read them.
    parcel
        What the collector sent, in plain data.
    organization
        Number of this organization; it replaces ``{organization}`` in ``PETS_SITE``.
    environment
        Holds the site's settings; see :mod:`pets.adapters.site_file`.

    Raises
    ------
    MessageRejected
        The parcel is none.
    ConfigError, DataError, KeyFileError, LedgerError
        The site is not set up as it must be.
    """
    asked = Parcel.from_dict(parcel)
    settings = dict(environment)
    if settings.get("PETS_SITE"):
        settings["PETS_SITE"] = settings["PETS_SITE"].replace("{organization}", str(organization))
    site: Site = site_from_environment(settings, frame=frame)
    try:
        return site.answer(asked).to_dict()
    finally:
        site.ledger.close()
