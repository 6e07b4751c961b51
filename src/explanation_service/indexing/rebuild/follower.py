"""Takes over edits while the rebuild runs, with a consumer group of its own."""

from __future__ import annotations

from contextlib import suppress

from explanation_service.content.events import MalformedEvent, parse_event
from explanation_service.indexing.patience import Patience
from explanation_service.indexing.rebuild.reembedding import Reembedder
from explanation_service.stores.errors import GroupMissing
from explanation_service.stores.event_stream import Delivery, EventStream
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

_CONSUMER = "rebuild"
_COUNT = 128
# Milliseconds; 0 would wait for ever.
_BLOCK = 1


class Follower:
    """The only consumer of its group, so no leases: what it did not acknowledge comes again."""

    def __init__(self, stream: EventStream, reembedder: Reembedder, patience: Patience) -> None:
        self._stream = stream
        self._reembedder = reembedder
        self._patience = patience
        self._own_after: str | None = "0"
        self.missed = False
        """The group was lost, and with it events that only a look at everything makes up for."""

    async def start(self) -> None:
        """Make the group where it is missing. Edits from now on are not lost to the rebuild; what
        was edited before it reads from MongoDB, so the entries that are there are not for it."""
        self.missed = await self._patience.through(
            lambda: self._stream.ensure_group(from_now_on=True)
        )
        # The first read comes after a page; a group whose run was killed before it is forgotten by
        # its consumer, too (stores/forgotten_groups.py). One that is lost already, `_read` makes.
        with suppress(GroupMissing):
            await self._patience.through(lambda: self._stream.join(_CONSUMER))

    async def end(self) -> None:
        """Drop the group, so that the stream can be trimmed."""
        await self._patience.through(self._stream.drop_group)

    async def catch_up(self) -> int:
        """Work off all that is in the stream now; how many entries that were."""
        caught = 0
        while True:
            deliveries, last = await self._patience.through(self._read)
            if deliveries:
                ids = [one for one in map(_template_id, deliveries) if one is not None]
                again = any(delivery.times_delivered > 1 for delivery in deliveries)
                await self._reembedder.bring_up_to_date(ids, careful=again)
                await self._acknowledge([delivery.entry_id for delivery in deliveries])
                caught += len(deliveries)
            if last:
                return caught

    async def _read(self) -> tuple[list[Delivery], bool]:
        """Entries, and whether there were no more when they were read."""
        try:
            if self._own_after is not None:
                own = await self._stream.read_own_pending(_CONSUMER, self._own_after, _COUNT)
                self._own_after = own[-1].entry_id if own else None
                return own, False
            new = await self._stream.read_new(_CONSUMER, _COUNT, _BLOCK)
            return new, len(new) < _COUNT
        except GroupMissing:
            log.warning("the rebuild's group is gone, it is made anew", group=self._stream.group)
            await self._stream.ensure_group()
            self._own_after = None
            self.missed = True
            return [], False

    async def _acknowledge(self, ids: list[str]) -> None:
        try:
            await self._patience.through(lambda: self._stream.ack(ids))
        except GroupMissing:
            self.missed = True


def _template_id(delivery: Delivery) -> str | None:
    try:
        return parse_event(delivery.fields).entity_id
    except MalformedEvent:
        # The workers set it aside.
        return None
