"""One connection between two parties who know each other: frames out through a queue, frames in, signs of life."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from pets.errors import NotConnected
from pets.session.tcp import frames
from pets.session.tcp.frames import Kind

_PATIENCE = 5.0
"""Seconds for what is still to be sent when a connection is closed."""


class Link:
    """A connection after the hello. Sending never blocks; a side that takes nothing for a minute is dropped.

    Parameters
    ----------
    reader, writer
        The connection.
    limit
        Longest frame that is read.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int) -> None:
        self.limit = limit
        self._reader, self._writer = reader, writer
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._tasks = [asyncio.create_task(self._send_all()), asyncio.create_task(self._show_life())]

    def send(self, kind: Kind, *parts: bytes) -> None:
        """Send a frame, some time."""
        self._queue.put_nowait(frames.pack(kind, *parts))

    async def receive(self) -> tuple[Kind, bytes]:
        """Return the next frame that is no sign of life.

        Raises
        ------
        MessageRejected, NotConnected
            See :func:`~pets.session.tcp.frames.read`; the connection is of no use any more.
        """
        while True:
            kind, body = await frames.read(self._reader, self.limit)
            if kind != Kind.PING:
                return kind, body

    def close(self) -> None:
        """Close at once."""
        for task in self._tasks:
            task.cancel()
        self._writer.close()

    async def finish(self) -> None:
        """Close once everything was sent."""
        self._queue.put_nowait(None)
        try:
            # Not `await task`: if this very coroutine is cancelled meanwhile, that must be felt.
            await asyncio.wait(self._tasks[:1], timeout=_PATIENCE)
        finally:
            self.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):
                await self._writer.wait_closed()

    async def _send_all(self) -> None:
        with suppress(NotConnected):
            while (data := await self._queue.get()) is not None:
                await frames.write(self._writer, data)
            return
        self._writer.close()  # the reading side notices

    async def _show_life(self) -> None:
        while True:
            await asyncio.sleep(frames.PING_EVERY)
            self.send(Kind.PING)
