"""Turns what others write into MongoDB into events: the change relay."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from uuid import uuid4

from explanation_service.content.events import ContentEvent
from explanation_service.content.template import is_template_id
from explanation_service.stores.changes import ChangeSource
from explanation_service.stores.errors import HistoryLost, StoreUnavailable
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.leader_lease import LeaderLease
from explanation_service.stores.mongodb import TemplateRepository
from explanation_service.telemetry.logging import get_logger
from explanation_service.telemetry.metrics import embed_relayed_total

log = get_logger(__name__)

# Seconds, after a store has failed.
PAUSE = 2.0
# Changes that make no event move the position on as well; it is noted each so many looks.
NOTE_EVERY = 20


class ChangeRelay:
    """One process at a time should `run` it: the holder of the lease, which keeps the position.

    `reconcile` puts events for all that differs into the stream. It is called where nobody knows
    what changed: at the very first start, and when MongoDB's history does not reach back.
    """

    def __init__(
        self,
        open_changes: Callable[[], Awaitable[ChangeSource]],
        repository: TemplateRepository,
        stream: EventStream,
        lease: LeaderLease,
        reconcile: Callable[[], Awaitable[object]],
    ) -> None:
        self._open_changes = open_changes
        self._repository = repository
        self._stream = stream
        self._lease = lease
        self._reconcile = reconcile
        self._history_lost = False

    async def run(self) -> None:
        """Relay until cancelled; a store that is away is waited for. Raises LeaseLost."""
        while True:
            try:
                await self._follow()
            except HistoryLost as lost:
                log.warning("changes were missed, everything is compared", why=str(lost))
                self._history_lost = True
            except StoreUnavailable as error:
                log.warning("the change relay waits", store=error.name, why=error.detail)
            await asyncio.sleep(PAUSE * random.uniform(0.8, 1.2))

    async def _follow(self) -> None:
        source = await self._open_changes()
        try:
            await source.begin(await self._position(source))
            log.info("changes made past this service are relayed", source=source.name)
            looks = 0
            while True:
                changes = await source.next()
                relayed = await self._relay(source.name, changes.ids)
                looks += 1
                # After the events: who dies in between repeats some, and loses none.
                if relayed or looks % NOTE_EVERY == 0:
                    await self._note_position(source, changes.position)
        finally:
            await source.close()

    async def _position(self, source: ChangeSource) -> str:
        """Where the last leader was, else where MongoDB was before everything was compared."""
        notes = await self._lease.notes()
        if notes.get("source") == source.name and not self._history_lost:
            return notes["position"]
        position = await source.now()
        await self._reconcile()
        await self._note_position(source, position)
        self._history_lost = False
        return position

    async def _note_position(self, source: ChangeSource, position: str) -> None:
        await self._lease.note(source=source.name, position=position)

    async def _relay(self, source: str, ids: Sequence[str]) -> int:
        """Append an event for each of the ids; how many."""
        known = [one for one in ids if is_template_id(one)]
        if len(known) < len(ids):
            log.warning("documents whose ids are none of templates", count=len(ids) - len(known))
        if not known:
            return 0
        stored = await self._repository.get_many(known)
        events = [stored[one].event() if one in stored else _removed(one) for one in known]
        await self._stream.append_many(events)
        embed_relayed_total.labels(source).inc(len(events))
        return len(events)


def _removed(template_id: str) -> ContentEvent:
    """For a document that is gone, and with it its version."""
    return ContentEvent(
        event_id=uuid4().hex,
        entity_id=template_id,
        op="delete",
        version=1,
        occurred_at=datetime.now(UTC),
    )
