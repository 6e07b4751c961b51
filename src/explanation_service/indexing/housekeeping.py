"""What has to be done now and then: the stream's figures and its trimming."""

from __future__ import annotations

import asyncio

from explanation_service.stores.errors import StoreError
from explanation_service.stores.event_stream import EventStream
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


async def keep_house(stream: EventStream, interval: float = FIGURES_INTERVAL) -> None:
    """Work until cancelled; failures are only logged, the next round comes."""
    rounds = 0
    while True:
        try:
            status = await stream.status()
            embed_stream_lag.set(status.lag)
            embed_stream_pending.set(status.pending)
            embed_oldest_pending_seconds.set(status.oldest_pending_seconds)
            if rounds % TRIM_EVERY == 0:
                await stream.trim()
        except StoreError as error:
            log.debug("no figures of the stream", why=str(error))
        except Exception:
            log.exception("housekeeping failed")
        rounds += 1
        await asyncio.sleep(interval)
