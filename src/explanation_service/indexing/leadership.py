"""One of the workers does what only one should do: it leads as long as it holds the lease."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from explanation_service.indexing.tasks import end
from explanation_service.stores.errors import StoreError, StoreUnavailable
from explanation_service.stores.leader_lease import LeaderLease
from explanation_service.telemetry.logging import get_logger
from explanation_service.telemetry.metrics import embed_relay_leader

log = get_logger(__name__)

Duties = Callable[[], Sequence[Coroutine[Any, Any, None]]]


async def lead(lease: LeaderLease, duties: Duties) -> None:
    """Until cancelled: wait for the lease, then run the duties until it is lost or one ends.

    A duty that fails costs the lead and not the worker, which indexes on.
    """
    while True:
        if await _acquired(lease):
            log.info("this worker leads the change relay")
            embed_relay_leader.set(1)
            try:
                await _while_held(lease, duties())
            finally:
                embed_relay_leader.set(0)
                # So that the next one need not wait for the lease to run out.
                with suppress(StoreError, TimeoutError):
                    async with asyncio.timeout(1):
                        await lease.release()
        await asyncio.sleep(lease.ttl / 4 * random.uniform(0.8, 1.2))


async def _acquired(lease: LeaderLease) -> bool:
    try:
        return await lease.acquire()
    except StoreUnavailable as error:
        log.debug("no look at the lease", why=error.detail)
        return False


async def _while_held(lease: LeaderLease, duties: Sequence[Coroutine[Any, Any, None]]) -> None:
    tasks = [asyncio.create_task(part) for part in (_keep(lease), *duties)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            error = task.exception()
            if isinstance(error, StoreError):
                log.warning("the lead is given up", why=str(error))
            elif error is not None:
                log.error("the lead is given up", exc_info=error)
    finally:
        await end(*tasks)


async def _keep(lease: LeaderLease) -> None:
    """Renew at a quarter of the lease's time; returns when it is lost, or may be."""
    good_until = time.monotonic() + lease.ttl
    while True:
        await asyncio.sleep(lease.ttl / 4)
        asked = time.monotonic()
        try:
            if not await lease.renew():
                log.warning("the lead was lost")
                return
            good_until = asked + lease.ttl
        except StoreUnavailable as error:
            # A quarter before the end, for another worker may take it right then.
            if asked >= good_until - lease.ttl / 4:
                log.warning("the lead is given up", why=error.detail)
                return
