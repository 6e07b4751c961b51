"""Keeps the leases of the entries in hand, so that no other worker takes them over."""

from __future__ import annotations

import asyncio

from explanation_service.indexing.in_hand import InHand
from explanation_service.stores.errors import GroupMissing, StoreUnavailable
from explanation_service.stores.event_stream import EventStream
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# Seconds. An entry that nobody has touched for LEASE belongs to whoever claims it; it is renewed
# at about a quarter of that, so that two renewals may fail (docket does the same).
LEASE = 15.0
RENEWAL = 4.0


async def keep_leases(
    stream: EventStream, consumer: str, in_hand: InHand, interval: float = RENEWAL
) -> None:
    """Renew until cancelled. Leases that are lost are taken off the works, which end unwritten."""
    while True:
        await asyncio.sleep(interval)
        ids = in_hand.entry_ids()
        if not ids:
            continue
        try:
            kept = set(await stream.renew(consumer, ids))
        except StoreUnavailable as error:
            log.warning("leases could not be renewed", entries=len(ids), why=error.detail)
            continue
        except GroupMissing:
            # The reader makes the group anew; its entries are all delivered again then.
            continue
        # Acknowledged meanwhile, or another worker's by now; the first are not in hand any more.
        lost = (set(ids) - kept) & set(in_hand.entry_ids())
        if lost:
            log.warning("leases were lost", entries=len(lost))
            in_hand.lose(lost)
