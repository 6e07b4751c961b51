"""A second attempt, where one makes sense and there is time for it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from explanation_service.explanations.yandexgpt.failures import CallFailed
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

T = TypeVar("T")

# A third one does not fit into 2 s, and under overload every attempt makes it worse.
MOST_ATTEMPTS = 2
# Seconds, drawn anew each time, so that those who failed together do not come back together.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.05, 0.25


async def attempted(attempt: Callable[[], Awaitable[T]], end: float) -> T:
    """What `attempt` returns. Raises its CallFailed when it is no use to repeat, after the last
    attempt, or when the pause would go beyond `end` (of `time.monotonic()`)."""
    for number in range(1, MOST_ATTEMPTS + 1):
        try:
            return await attempt()
        except CallFailed as failure:
            pause = random.uniform(SHORTEST_PAUSE, LONGEST_PAUSE)
            too_late = time.monotonic() + pause >= end
            if not failure.retryable or number == MOST_ATTEMPTS or too_late:
                raise
            log.debug("yandexgpt is asked again", why=failure.reason)
        await asyncio.sleep(pause)
    raise AssertionError("the last attempt returns or raises")
