"""One process for each party, over TCP: a star whose middle, the collector, carries what it cannot read."""

from __future__ import annotations

from pets.session.tcp.collector import Collector, Finished
from pets.session.tcp.contract import Contract
from pets.session.tcp.dial import parse_address
from pets.session.tcp.ending import Ending
from pets.session.tcp.member import Member, ask
from pets.session.tcp.store import PURPOSE, Store

__all__ = ["PURPOSE", "Collector", "Contract", "Ending", "Finished", "Member", "Store", "ask", "parse_address"]
