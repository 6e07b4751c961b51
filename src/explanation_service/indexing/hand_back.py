"""Gives what a stopping worker could not finish to the others, before its lease runs out."""

from __future__ import annotations

import asyncio
from collections.abc import Container

from explanation_service.indexing.in_hand import InHand
from explanation_service.stores.errors import StoreError
from explanation_service.stores.event_stream import EventStream
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# Seconds. Where Redis is away the leases run out by themselves.
_TIMEOUT = 1.5


class HandBack:
    """Once, at the end."""

    def __init__(self, stream: EventStream, consumer: str, in_hand: InHand) -> None:
        self._stream = stream
        self._consumer = consumer
        self._in_hand = in_hand

    async def __call__(self, suspects: Container[str]) -> None:
        """Hand back everything in hand; never fails.

        The deliveries to this worker do not count, else restarting five workers in a row would
        make a dead letter of an innocent entry. They do for the templates `suspects`: a text that
        the model never returns from must reach its fifth delivery.
        """
        innocent, suspected = self._in_hand.empty(suspects)
        if not innocent and not suspected:
            return
        handed = 0
        try:
            async with asyncio.timeout(_TIMEOUT):
                for ids, forgive in ((innocent, True), (suspected, False)):
                    handed += await self._stream.hand_back(self._consumer, ids, forgive)
        except (StoreError, TimeoutError) as error:
            log.warning("entries could not be handed back", why=str(error))
        log.warning(
            "handed back to the other workers",
            entries=handed,
            of=len(innocent) + len(suspected),
        )
