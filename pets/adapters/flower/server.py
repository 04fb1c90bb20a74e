"""The collector in a ServerApp, over Flower's message API."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pets.adapters.combine import Collector
from pets.adapters.flower.messages import flower, from_message, to_record
from pets.adapters.parcel import Parcel
from pets.adapters.questions import question, result
from pets.adapters.site_file import Party, party_from_file
from pets.errors import MessageRejected

_PAUSE = 1.0


class FlowerExchange:
    """Carries parcels through a grid; see :data:`pets.adapters.Exchange`.

    Parameters
    ----------
    grid
        What Flower gives to a ServerApp.
    timeout
        Seconds to wait for the replies of one round; who is later has dropped out.
    """

    def __init__(self, grid: Any, timeout: float = 600.0) -> None:
        self.grid, self.timeout = grid, timeout
        self.nodes: dict[str, int] = {}

    def __call__(self, asked: Mapping[str, Parcel]) -> dict[str, Parcel]:
        """Send parcels to sites and return the replies that came in time."""
        if any(parcel.kind == "hello" for parcel in asked.values()):
            return self._find(asked)
        found = self._carry({self.nodes[name]: parcel for name, parcel in asked.items() if name in self.nodes})
        names = {node: name for name, node in self.nodes.items()}
        return {names[node]: reply for node, reply in found.items()}

    def _find(self, asked: Mapping[str, Parcel]) -> dict[str, Parcel]:
        """Ask all nodes who they are. One that gives another's name can stop a sum; it has not the keys to join it."""
        until = time.monotonic() + self.timeout
        while len(nodes := list(self.grid.get_node_ids())) < len(asked) and time.monotonic() < until:
            time.sleep(_PAUSE)
        hello = next(iter(asked.values()))
        replies = {}
        for node, reply in self._carry(dict.fromkeys(nodes, hello)).items():
            name = reply.head.get("name")
            if reply.kind == "hello" and name in asked:
                self.nodes[str(name)] = node
                replies[str(name)] = reply
        return replies

    def _carry(self, sending: Mapping[int, Parcel]) -> dict[int, Parcel]:
        app = flower()
        messages = [app.Message(to_record(p), node, f"query.{p.kind}") for node, p in sending.items()]
        found = {}
        for reply in self.grid.send_and_receive(messages, timeout=self.timeout):
            try:
                found[reply.metadata.src_node_id] = from_message(reply)
            except MessageRejected:
                continue
        return found


def collector(grid: Any, party: Party | str | Path, *, timeout: float = 600.0) -> Collector:
    """Return the collector over a grid.

    Parameters
    ----------
    grid
        What Flower gives to a ServerApp.
    party
        The collector, or its file; see :mod:`pets.adapters.site_file`.
    timeout
        See :class:`FlowerExchange`.
    """
    who = party if isinstance(party, Party) else party_from_file(party)
    return Collector(who.store, who.domain, FlowerExchange(grid, timeout), dataset=who.dataset)


def ask(collecting: Collector, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer to a question in plain data, with who refused and why; see :mod:`pets.adapters.questions`.

    Parameters
    ----------
    collecting
        The collector.
    asked
        The question.

    Raises
    ------
    InvalidArgument, QueryRefused
        The question cannot be understood.
    ProtocolAbort, NotConnected
        Too many sites refused or fell silent.
    """
    answer = collecting.ask(question(asked, collecting.domain))
    return {**result(asked, answer.release), "refused": dict(answer.refused), "audit": dict(answer.audit)}
