"""The longest frame that can be honest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pets.identity import setup_messages
from pets.session.spec import Spec
from pets.session.wire import HEADER

if TYPE_CHECKING:
    from pets.roles import Aggregator

_ROOM = 64 * 1024


def longest_frame(aggregator: Aggregator, spec: Spec, roster: int) -> int:
    """Return a length that no frame of a session, and of a key agreement between `roster` parties, exceeds."""
    prekeys = roster * setup_messages.RECORD
    bundles = roster * setup_messages.envelope_size(roster)
    return max(aggregator.largest_message(spec) + HEADER, prekeys, bundles) + _ROOM
