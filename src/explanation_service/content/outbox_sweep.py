"""The background task that publishes what writers left in their outboxes."""

from __future__ import annotations

import asyncio

from explanation_service.content.rule_book import RuleBook
from explanation_service.stores.errors import StoreError
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# Seconds. Together with the 2 s that an outbox must be old, a lost event is late by 4 s at most.
_INTERVAL = 2.0


async def sweep_outbox(rule_book: RuleBook, interval: float = _INTERVAL) -> None:
    """Sweep until cancelled. Stores that are away are tried again; the first failure of a row
    of them is logged."""
    failing = False
    while True:
        try:
            published = await rule_book.publish_pending()
            failing = False
            if published:
                log.info("events left behind were published", count=published)
        except StoreError as error:
            if not failing:
                log.warning("outbox sweep failed", why=str(error))
            failing = True
        except Exception:
            # This task has no caller; an error that ended it would go unnoticed.
            log.exception("outbox sweep failed")
        await asyncio.sleep(interval)
