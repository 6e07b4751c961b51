"""One rebuild of an index at a time."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from explanation_service.indexing.rebuild.faults import RebuildFault
from explanation_service.indexing.tasks import end
from explanation_service.stores.errors import StoreUnavailable
from explanation_service.stores.lease import Lease
from explanation_service.stores.redis import RedisClient
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# Seconds. A run that was killed holds the lease for this long at most; one that lives has renewed
# it before a third of that is over.
LEASE = 12.0
RENEWAL = 3.0
_POLL = 0.25


@asynccontextmanager
async def sole_run(
    redis: RedisClient, alias: str, lost: Callable[[], None], waiting: Callable[[str], None]
) -> AsyncIterator[None]:
    """Holds the lease for the block. Raises RebuildFault naming the holder when another run has it
    and renews it; waits for the end of one that nobody renews (`waiting` gets a sentence).

    `lost` is called when the lease was lost meanwhile.
    """
    since = datetime.now(UTC).isoformat(timespec="seconds")
    holder = f"process {os.getpid()} on {socket.gethostname()}, since {since}"
    lease = Lease(redis, f"rebuild:{alias}", holder, LEASE)
    await _take(lease, alias, waiting)
    keeping = asyncio.create_task(_keep(lease, lost))
    try:
        yield
    finally:
        await end(keeping)
        try:
            await lease.release()
        except StoreUnavailable as error:
            log.debug("lease ends by itself", why=error.detail)


async def _take(lease: Lease, alias: str, waiting: Callable[[str], None]) -> None:
    told = False
    shortest = LEASE
    while not await lease.take():
        holder, left = await lease.state()
        if holder is None:
            continue
        if left > shortest + _POLL:
            raise RebuildFault(f"The index {alias} is being rebuilt by {holder}.")
        shortest = min(shortest, left)
        if not told and left < LEASE - RENEWAL - 1:
            told = True
            waiting(f"waiting up to {left:.0f} s for the lease of {holder}, which does not answer")
        await asyncio.sleep(_POLL)


async def _keep(lease: Lease, lost: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(RENEWAL)
        try:
            # Taken anew where it ran out while Redis was away and nobody has it.
            if await lease.take():
                continue
        except StoreUnavailable as error:
            log.warning("lease could not be renewed", why=error.detail)
            continue
        log.error("another rebuild has taken over the lease")
        lost()
        return
