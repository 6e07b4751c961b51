"""Which stream entries become work, which are set aside, and how many are taken at once."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

from explanation_service.content.events import MalformedEvent, parse_event
from explanation_service.indexing.failures import NO_TRACE
from explanation_service.indexing.in_hand import Request
from explanation_service.indexing.patience import Patience
from explanation_service.stores.errors import GroupMissing
from explanation_service.stores.event_stream import Delivery, EventStream
from explanation_service.telemetry.logging import get_logger
from explanation_service.telemetry.metrics import embed_dead_lettered_total, embed_events_total

log = get_logger(__name__)

# Deliveries, this one included. Looked at before the work: a poison entry can kill the process
# before any `except` runs (PipesHub 3037: over 800 redeliveries).
MAX_DELIVERIES = 5

# Entries. New ones: from few, so that several workers share a small burst, to enough for sorting
# by length to pay in a large one.
FIRST_READ, LARGEST_READ = 16, 256
# Entries that were delivered before: one after a start, for the next in line may be the one that
# killed the last process, and each taken beside it would count a delivery that it has not earned.
FIRST_CLAIM, LARGEST_CLAIM = 1, 64


class GrowingCount:
    """How many entries to ask for at most: doubled whenever as many came, back to few when fewer
    came than were asked for."""

    def __init__(self, first: int, largest: int, shrink: bool = True) -> None:
        self._first = first
        self._largest = largest
        self._shrink = shrink
        self.count = first

    def note(self, received: int, asked: int | None = None) -> None:
        """Learn from an answer; `asked` where it was less than `count`."""
        if received >= self.count:
            self.count = min(self._largest, self.count * 2)
        elif self._shrink and (asked is None or received < asked):
            self.count = self._first


class Intake:
    """Tells deliveries apart; what is set aside goes to the dead-letter stream."""

    def __init__(self, stream: EventStream, patience: Patience) -> None:
        self._stream = stream
        self._patience = patience

    async def sort_out(
        self, deliveries: Sequence[Delivery], taken_at: float | None = None
    ) -> list[Request]:
        """The requests among the deliveries; the others are dead letters afterwards.

        `taken_at`: monotonic seconds from which on their leases count, now where it is not given.
        """
        held_at = time.monotonic() if taken_at is None else taken_at
        requests = []
        for delivery in deliveries:
            try:
                request = Request(delivery, parse_event(delivery.fields), held_at)
            except MalformedEvent as error:
                await self._set_aside(delivery, "malformed", error.reason)
                continue
            if delivery.times_delivered > MAX_DELIVERIES:
                detail = f"{MAX_DELIVERIES} deliveries did not end with an acknowledgement"
                await self._set_aside(delivery, "max_deliveries", detail)
                embed_events_total.labels(request.event.op, "dead_lettered").inc()
                continue
            requests.append(request)
        return requests

    async def _set_aside(self, delivery: Delivery, reason: str, detail: str) -> None:
        try:
            letter = await self._patience.through(_call(self._stream, delivery, reason, detail))
        except GroupMissing:
            # The entry has gone with its group; the reader makes the group anew.
            return
        if letter is not None:
            embed_dead_lettered_total.labels(reason).inc()
            log.error("entry set aside", entry_id=delivery.entry_id, reason=reason, detail=detail)


def _call(
    stream: EventStream, delivery: Delivery, reason: str, detail: str
) -> Callable[[], Awaitable[str | None]]:
    no_trace = "" if reason == "malformed" else NO_TRACE
    return lambda: stream.dead_letter(delivery, reason, detail, no_trace)
