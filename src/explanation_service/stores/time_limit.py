"""A bound on what a store may cost a request that can do without it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from explanation_service.stores.errors import StoreUnavailable

T = TypeVar("T")

# Seconds. Redis answers in about a millisecond; the rest is for a machine under load.
ANSWER_SECONDS = 0.25
# Seconds in which a store that kept somebody waiting is not asked.
PAUSE_SECONDS = 1.0


class TimeLimit:
    """Asks a store for `seconds` at most, and after that in vain not at all for `pause` seconds:
    several questions of one request, and many requests at a time, wait once."""

    def __init__(
        self,
        name: str,
        seconds: float = ANSWER_SECONDS,
        pause: float = PAUSE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._seconds = seconds
        self._pause = pause
        self._clock = clock
        self._away_until = 0.0

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """The answer; raises StoreUnavailable without one in time, and what `question` raises."""
        if self._clock() < self._away_until:
            raise StoreUnavailable(self._name, "it kept others waiting a moment ago")
        try:
            async with asyncio.timeout(self._seconds) as limit:
                return await question()
        except TimeoutError:
            if not limit.expired():
                raise
        self._away_until = self._clock() + self._pause
        raise StoreUnavailable(self._name, f"no answer within {self._seconds} s")
