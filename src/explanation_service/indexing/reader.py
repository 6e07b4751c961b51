"""Brings entries in: one's own of an earlier life, those of workers that died, new ones."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from explanation_service.indexing.intake import (
    FIRST_CLAIM,
    FIRST_READ,
    LARGEST_CLAIM,
    LARGEST_READ,
    GrowingCount,
)
from explanation_service.indexing.leases import LEASE
from explanation_service.indexing.patience import Patience
from explanation_service.stores.errors import GroupMissing
from explanation_service.stores.event_stream import Delivery, EventStream
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# Seconds between looks for entries whose worker died or handed them back; a look that finds
# nothing is one command.
CLAIM_INTERVAL = 1.0
# Reads that a worker's even share of the backlog is taken in, at least. Without it, three workers
# on 1,000 events of 50 ms were 2.0 times as fast as one: the last had 500 of them in hand.
ROUNDS_A_SHARE = 2
# Milliseconds that a read waits for the first entry; a stop waits for it.
BLOCK_MS = 1000


@dataclass(frozen=True)
class Intaken:
    """What one read brought. `again`: delivered before, so take one after another. `at`: when the
    read began, in monotonic seconds; the leases last at least from then on."""

    deliveries: list[Delivery]
    again: bool
    at: float = field(default_factory=time.monotonic)


class Reader:
    """`stream` has a client of its own: its reads wait."""

    def __init__(
        self,
        stream: EventStream,
        consumer: str,
        patience: Patience,
        restore_group: Callable[[], Awaitable[None]],
        lease: float = LEASE,
        claim_interval: float = CLAIM_INTERVAL,
    ) -> None:
        self._stream = stream
        self._consumer = consumer
        self._patience = patience
        self._restore_group = restore_group
        self._lease_ms = int(lease * 1000)
        self._claim_interval = claim_interval
        self._new = GrowingCount(FIRST_READ, LARGEST_READ)
        self._old = GrowingCount(FIRST_CLAIM, LARGEST_CLAIM, shrink=False)
        self._own_after: str | None = "0"
        self._claim_at = 0.0

    async def read(self) -> Intaken:
        """The next entries; none after about a second without any. Waits while Redis is away."""
        return await self._patience.through(self._read)

    async def _read(self) -> Intaken:
        at = time.monotonic()
        try:
            if self._own_after is not None:
                own = await self._own_pending(self._own_after)
                if own:
                    return Intaken(own, again=True, at=at)
            if time.monotonic() >= self._claim_at:
                stale = await self._stale()
                if stale:
                    return Intaken(stale, again=True, at=at)
            count = await self._fair_count()
            new = await self._stream.read_new(self._consumer, count, BLOCK_MS)
            self._new.note(len(new), count)
            return Intaken(new, again=False, at=at)
        except GroupMissing:
            log.warning("consumer group is gone, it is made anew", group=self._stream.group)
            await self._restore_group()
            self._own_after = "0"
            return Intaken([], again=False)

    async def _fair_count(self) -> int:
        """New entries to ask for: of a deep backlog many, and towards its end fewer and fewer, so
        that all workers come to the end together (guided self-scheduling)."""
        count = self._new.count
        if count == FIRST_READ:
            return count
        each = await self._stream.unread_each(self._lease_ms)
        return count if each is None else max(FIRST_READ, min(count, each // ROUNDS_A_SHARE))

    async def _own_pending(self, after: str) -> list[Delivery]:
        own = await self._stream.read_own_pending(self._consumer, after, self._old.count)
        self._own_after = own[-1].entry_id if own else None
        self._old.note(len(own))
        return own

    async def _stale(self) -> list[Delivery]:
        stale = await self._stream.claim_stale(self._consumer, self._lease_ms, self._old.count)
        if stale:
            log.info("entries taken over", entries=len(stale))
        # Fewer than asked for may be caution, with more behind them.
        if not stale:
            self._claim_at = time.monotonic() + self._claim_interval
        self._old.note(len(stale))
        return stale
