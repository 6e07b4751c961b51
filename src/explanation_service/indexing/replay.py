"""Puts what differs into the stream anew, where the stream, its group or the index was lost."""

from __future__ import annotations

from explanation_service.reconciliation.reconciler import Reconciler
from explanation_service.stores.event_stream import EventStream
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)


async def restore_group(stream: EventStream, reconciler: Reconciler) -> None:
    """Make the group, after events for all templates that the index does not hold as they are.

    The events come first: who dies in between leaves the group missing, and the next worker starts
    over. Raises StoreUnavailable.
    """
    await replay_differences(reconciler)
    made = await stream.ensure_group()
    log.info("consumer group is there", group=stream.group, made=made)


async def replay_differences(reconciler: Reconciler) -> None:
    """Append an event for each template that the index does not hold as it is.

    An event too many costs a look at the index, no embedding. Raises StoreUnavailable.
    """
    report = await reconciler.run(repair=True)
    if report.events:
        log.info("templates were put into the stream anew", events=report.events)
