"""Keeps the leases of the entries in hand, so that no other worker takes them over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence

from explanation_service.indexing.in_hand import InHand, Work
from explanation_service.stores.errors import GroupMissing, StoreUnavailable
from explanation_service.stores.event_stream import EventStream
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# Seconds. An entry that nobody has touched for LEASE belongs to whoever claims it; it is renewed
# at about a quarter of that, so that two renewals may fail (docket does the same).
LEASE = 15.0
RENEWAL = 4.0
# Share of a lease. Older knowledge is no ground for a write: the rest is the time of the write.
_CERTAIN = 0.6


class Leases:
    """`run` renews in the background; `confirm` is asked before a write, `acknowledge` ends it."""

    def __init__(
        self,
        stream: EventStream,
        consumer: str,
        in_hand: InHand,
        lease: float = LEASE,
        interval: float = RENEWAL,
    ) -> None:
        self._stream = stream
        self._consumer = consumer
        self._in_hand = in_hand
        self._interval = interval
        self._certain = lease * _CERTAIN

    async def run(self) -> None:
        """Renew until cancelled. Works whose leases are lost end unwritten."""
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self._renew()
            except StoreUnavailable as error:
                log.warning("leases could not be renewed", why=error.detail)
            except GroupMissing:
                # The reader makes the group anew; its entries are all delivered again then.
                continue

    async def confirm(self, works: Iterable[Work]) -> None:
        """Returns when each work is either leased for certain or abandoned: a process that was
        stopped for a while does not go on as if nothing had happened. Raises StoreUnavailable.

        It asks Redis only where the last renewal was long ago.
        """
        if all(time.monotonic() - work.held_at < self._certain for work in works):
            return
        try:
            await self._renew()
        except GroupMissing:
            # Nobody holds anything; what the index lacks comes anew when the group is restored.
            self._in_hand.lose(self._in_hand.entry_ids())

    async def acknowledge(self, entry_ids: Sequence[str]) -> None:
        """Acknowledge entries, except those that are another worker's by now. Raises
        StoreUnavailable."""
        await self._stream.ack_own(self._consumer, entry_ids)

    async def _renew(self) -> None:
        ids = self._in_hand.entry_ids()
        if not ids:
            return
        begun = time.monotonic()
        kept = set(await self._stream.renew(self._consumer, ids))
        self._in_hand.renewed(kept, begun)
        # Acknowledged meanwhile, or another worker's by now; the first are not in hand any more.
        lost = (set(ids) - kept) & set(self._in_hand.entry_ids())
        if lost:
            log.warning("leases were lost", entries=len(lost))
            self._in_hand.lose(lost)
