"""What has to be done now and then: figures of the stream, trimming, old consumers, a look at the
index."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from explanation_service.stores.consumer_janitor import ConsumerJanitor
from explanation_service.stores.errors import IndexMoved, StoreError
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.forgotten_groups import drop_forgotten
from explanation_service.stores.redis import RedisClient
from explanation_service.stores.vector_index import VectorIndex
from explanation_service.telemetry.logging import get_logger
from explanation_service.telemetry.metrics import (
    embed_oldest_pending_seconds,
    embed_stream_lag,
    embed_stream_pending,
)

log = get_logger(__name__)

# Seconds. Prometheus looks each 5 to 15; an acknowledgement frees no memory, a trim does.
FIGURES_INTERVAL = 2.0
TRIM_EVERY = 30
# A Qdrant that came back without its disk answers, and finds nothing; no write may come for hours.
INDEX_INTERVAL = 15.0
FORGET_INTERVAL = 600.0


async def keep_house(
    stream: EventStream, janitor: ConsumerJanitor, interval: float = FIGURES_INTERVAL
) -> None:
    """Work until cancelled; failures are only logged, the next round comes."""
    rounds = 0
    while True:
        try:
            await _show_figures(stream)
            if rounds % TRIM_EVERY == 0:
                await stream.trim()
                removed = await janitor.sweep()
                if removed:
                    log.info("consumers of workers that are gone were removed", names=removed)
        except StoreError as error:
            log.debug("no figures of the stream", why=str(error))
        except Exception:
            log.exception("housekeeping failed")
        rounds += 1
        await asyncio.sleep(interval)


async def watch_stream(stream: EventStream, interval: float = FIGURES_INTERVAL) -> None:
    """Show the stream's figures until cancelled: a worker for queries alone does, so that
    monitoring sees what waits when every index worker is gone."""
    while True:
        try:
            await _show_figures(stream)
        except StoreError as error:
            log.debug("no figures of the stream", why=str(error))
        except Exception:
            log.exception("watching the stream failed")
        await asyncio.sleep(interval)


async def _show_figures(stream: EventStream) -> None:
    status = await stream.status()
    embed_stream_lag.set(status.lag)
    embed_stream_pending.set(status.pending)
    embed_oldest_pending_seconds.set(status.oldest_pending_seconds)


async def watch_index(index: VectorIndex, heal: Callable[[], Awaitable[None]]) -> None:
    """Make and fill the collection anew when it has gone; until cancelled.

    Raises IndexMoved when another collection is served: an idle worker would not notice.
    """
    while True:
        await asyncio.sleep(INDEX_INTERVAL)
        try:
            if await index.collection_name() is None:
                log.warning("collection has gone, it is made anew", alias=index.alias)
                await heal()
            await index.check_served()
        except IndexMoved:
            raise
        except StoreError as error:
            log.debug("no look at the index", why=str(error))


async def forget_rebuilds(
    redis: RedisClient, stream: EventStream, interval: float = FORGET_INTERVAL
) -> None:
    """Drop the groups of rebuilds that nobody came back to; until cancelled."""
    while True:
        try:
            dropped = await drop_forgotten(redis, stream)
            if dropped:
                log.warning("groups of rebuilds that were left were dropped", groups=dropped)
        except StoreError as error:
            log.debug("no look at the groups", why=str(error))
        await asyncio.sleep(interval)
