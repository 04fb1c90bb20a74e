"""A party written as a generator: it yields its turns and is sent the bodies that answer them."""

from __future__ import annotations

from collections.abc import Generator, Mapping

from pets.session.party import Turn

Flow = Generator[Turn, Mapping[str, bytes], Turn]
"""Yields turns; what it returns is the last one."""


class Flowing:
    """A party whose turns are written one below the other, as a generator."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    def start(self) -> Turn:
        """Return the first turn."""
        return self._go(None)

    def advance(self, bodies: Mapping[str, bytes]) -> Turn:
        """Return the next turn."""
        return self._go(bodies)

    def _go(self, bodies: Mapping[str, bytes] | None) -> Turn:
        try:
            return next(self._flow) if bodies is None else self._flow.send(bodies)
        except StopIteration as finished:
            last: Turn = finished.value
            return last
