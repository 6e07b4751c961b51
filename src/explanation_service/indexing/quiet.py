"""Waits until the workers have nothing to do, so that what is under way is not taken for lost."""

from __future__ import annotations

import asyncio
import time

from explanation_service.stores.event_stream import EventStream

# Seconds: how long one comparison waits in all, for under load the stream is never quiet; how long
# before the first look, for an event comes a moment after its write; and between looks.
WAITS_IN_ALL = 600.0
FIRST_LOOK = 1.0
LOOK_EVERY = 1.0


class Quiet:
    """`begin` a comparison, then `wait` before each second look."""

    def __init__(self, stream: EventStream) -> None:
        self._stream = stream
        self._left = 0.0

    def begin(self) -> None:
        """A new comparison has all the time again."""
        self._left = WAITS_IN_ALL

    async def wait(self) -> None:
        """Until nothing lags and nothing is pending, or time is up. Raises StoreUnavailable."""
        await asyncio.sleep(FIRST_LOOK)
        started = time.monotonic()
        while time.monotonic() - started < self._left:
            status = await self._stream.status()
            if status.lag + status.pending == 0:
                break
            await asyncio.sleep(LOOK_EVERY)
        self._left -= time.monotonic() - started
