"""Whether a caller may make a request now; without Redis everybody may."""

from __future__ import annotations

import asyncio
import time

from explanation_service.settings import Settings
from explanation_service.stores.errors import StoreError
from explanation_service.stores.rate_limit import RateLimitStore
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# Seconds. The answer takes a millisecond; a Redis that hangs must not hold up every request.
_PATIENCE = 0.1
# Seconds without a look at a Redis that failed.
_PAUSE = 1.0


class RateLimiter:
    """Of one process. The first failure of a row of them is logged."""

    def __init__(self, settings: Settings) -> None:
        self._per_minute = settings.rate_limit_per_minute
        self._burst = settings.rate_limit_burst
        self._failing = False
        self._resume_at = 0.0

    async def wait_of(self, store: RateLimitStore, caller: str) -> float:
        """0.0 when the caller may go on, else the seconds until it may."""
        if not self._per_minute or time.monotonic() < self._resume_at:
            return 0.0
        try:
            async with asyncio.timeout(_PATIENCE):
                wait = await store.take(caller, self._per_minute, self._burst)
        except (StoreError, TimeoutError) as error:
            self._resume_at = time.monotonic() + _PAUSE
            if not self._failing:
                log.warning("requests are not limited while redis is away", why=str(error))
            self._failing = True
            return 0.0
        self._failing = False
        return wait
