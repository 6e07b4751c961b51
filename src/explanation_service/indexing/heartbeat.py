"""Tells the API that this worker lives and which model it has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from explanation_service.stores.embedding_channel import EmbeddingModelInfo, QueryEmbeddingServer
from explanation_service.stores.errors import StoreUnavailable
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# Seconds; a heartbeat is good for 5.
INTERVAL = 1.5


async def beat(
    server: QueryEmbeddingServer,
    consumer: str,
    role: str,
    info: EmbeddingModelInfo,
    ready: Callable[[], bool],
) -> None:
    """Beat until cancelled, then withdraw, so that the API asks no worker that is gone.

    The model is published each time: a Redis that lost its data learns it within seconds.
    """
    try:
        while True:
            try:
                is_ready = ready()
                if is_ready:
                    await server.publish_model(info)
                await server.heartbeat(consumer, role, info, is_ready)
            except StoreUnavailable as error:
                log.debug("no heartbeat", why=error.detail)
            await asyncio.sleep(INTERVAL)
    finally:
        try:
            async with asyncio.timeout(1):
                await server.withdraw(consumer)
        except (StoreUnavailable, TimeoutError):
            log.debug("heartbeat could not be withdrawn")
