"""How fast the rebuild may go: searches come first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from explanation_service.stores.errors import StoreError
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# Seconds. A search through the alias takes 5 to 20 ms; a third of its budget of 200 ms says that
# Qdrant or the machine is at its limit. The longest pause is a fifth of what a page takes.
SLOW_SEARCH = 0.07
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0


class Pace:
    """Waits between pages: until a search is quick again, and for the `rate` of passages a second.

    `search` is one search through the alias, as the API makes them.
    """

    def __init__(
        self,
        rate: float | None,
        search: Callable[[], Awaitable[object]],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rate = rate
        self._search = search
        self._clock = clock
        self._sleep = sleep
        self._pause = 0.0
        self._not_before = clock()

    async def after(self, passages: int) -> None:
        """`passages` have been embedded since the last call."""
        if self._rate is not None:
            # From the end of the last page on, so that time spent elsewhere is not made up for.
            self._not_before = max(self._not_before, self._clock() - 1) + passages / self._rate
            await self._sleep(max(0.0, self._not_before - self._clock()))
        if passages:
            await self._stand_back()

    async def _stand_back(self) -> None:
        started = self._clock()
        try:
            await self._search()
            slow = self._clock() - started > SLOW_SEARCH
        except StoreError as error:
            log.warning("a search of ours failed", why=str(error))
            slow = True
        if slow:
            self._pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, self._pause * 2))
        else:
            self._pause = 0.0 if self._pause <= FIRST_PAUSE else self._pause / 2
        if self._pause:
            await self._sleep(self._pause)
