"""The Redis Stream of content events and its consumer group."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from explanation_service.content.events import ContentEvent
from explanation_service.stores import stream_scripts, stream_upkeep
from explanation_service.stores.dead_letter_writer import DeadLetterWriter
from explanation_service.stores.errors import GroupMissing, StoreRejected
from explanation_service.stores.records import Delivery, StreamStatus
from explanation_service.stores.redis import MAX_BLOCK_SECONDS, RedisClient, run, translated_errors
from explanation_service.stores.suspicion import together
from explanation_service.telemetry.logging import get_logger
from explanation_service.telemetry.metrics import embed_skipped_total

__all__ = ["Delivery", "EventStream", "StreamStatus"]

log = get_logger(__name__)

_Entry: TypeAlias = tuple[str, Mapping[str, str]]

# Milliseconds that an entry handed back seems to have lain untouched: more than any lease.
_HANDED_BACK = 3_600_000


class EventStream:
    """One stream and one group. Every method raises StoreUnavailable when Redis does not serve,
    and those that need the group raise GroupMissing when it is gone.

    `redis` serves quick commands; `read_new` waits, so its EventStream takes a client made with
    `connect_redis(settings, blocking=True)` (which does for the quick commands too).
    """

    def __init__(self, redis: RedisClient, name: str, group: str) -> None:
        self._redis = redis
        self._renew = redis.register_script(stream_scripts.RENEW)
        self._ack_own = redis.register_script(stream_scripts.ACK_OWN)
        self._hand_back = redis.register_script(stream_scripts.HAND_BACK)
        self._trim = redis.register_script(stream_scripts.TRIM)
        self.name = name
        self.group = group
        self._dead_letters = DeadLetterWriter(redis, name, group)
        self.dead_name = self._dead_letters.name
        self._guard: Callable[[], Awaitable[None]] | None = None

    def guarded(self, guard: Callable[[], Awaitable[None]]) -> EventStream:
        """The same stream and group, whose acknowledgements await the guard first and raise what
        it raises: then nothing is acknowledged."""
        guarded = EventStream(self._redis, self.name, self.group)
        guarded._guard = guard
        return guarded

    def of_group(self, group: str) -> EventStream:
        """The same stream for another group, which gets every entry of its own."""
        return EventStream(self._redis, self.name, group)

    async def ensure_group(self, from_now_on: bool = False) -> bool:
        """Make the group where it is missing, from the first entry on or without those that are
        there; True when it was made."""
        try:
            with translated_errors():
                start = "$" if from_now_on else "0"
                await self._redis.xgroup_create(self.name, self.group, id=start, mkstream=True)
        except StoreRejected as error:
            if error.detail.startswith("BUSYGROUP"):
                return False
            raise
        return True

    async def join(self, consumer: str) -> None:
        """Show up in the group before the first read."""
        with translated_errors():
            await self._redis.xgroup_createconsumer(self.name, self.group, consumer)

    async def has_group(self) -> bool:
        """Whether the group is there."""
        try:
            with translated_errors():
                groups: Any = await self._redis.xinfo_groups(self.name)
        except StoreRejected as error:
            if "no such key" in error.detail:
                return False
            raise
        return any(group["name"] == self.group for group in groups)

    async def drop_group(self) -> None:
        """Forget the group and what is pending in it; nothing happens where there is none."""
        try:
            with translated_errors():
                await self._redis.xgroup_destroy(self.name, self.group)
        except StoreRejected as error:
            # There is no stream, so there is no group.
            if "key to exist" not in error.detail:
                raise

    async def append(self, event: ContentEvent) -> str:
        """Append one event; the answer is the id of its entry."""
        return (await self.append_many([event]))[0]

    async def append_many(self, events: Sequence[ContentEvent]) -> list[str]:
        """Append events in order in one round trip; all of them or, on an error, any part."""
        with translated_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                for event in events:
                    fields: dict[Any, Any] = {**event.to_fields()}
                    pipe.xadd(self.name, fields)
                return [str(entry_id) for entry_id in await run(pipe)]

    async def read_new(self, consumer: str, count: int, block_ms: int) -> list[Delivery]:
        """Entries that nobody has had; waits up to `block_ms` (at most 2000) for the first."""
        if not 1 <= block_ms <= MAX_BLOCK_SECONDS * 1000:
            raise ValueError(f"block_ms must be from 1 to {MAX_BLOCK_SECONDS * 1000:.0f}")
        with translated_errors():
            reply: Any = await self._redis.xreadgroup(
                self.group, consumer, {self.name: ">"}, count=count, block=block_ms
            )
        return [Delivery(entry_id, fields) for entry_id, fields in _entries(reply)]

    async def read_own_pending(self, consumer: str, after: str, count: int) -> list[Delivery]:
        """Entries that this consumer had and did not acknowledge, with ids above `after` ("0").

        Reading them counts as a delivery; the more often they were, the fewer come at once (see
        stores.suspicion). Entries that were deleted meanwhile are acknowledged. An empty answer
        means that there are no more.
        """
        while True:
            _, allowed = await self._pending(f"({after}", count, consumer)
            if not allowed:
                return []
            with translated_errors():
                reply: Any = await self._redis.xreadgroup(
                    self.group, consumer, {self.name: after}, count=allowed
                )
            rows = _entries(reply)
            found = await self._with_counts(await self._without_deleted(rows))
            if found or not rows:
                return found
            after = rows[-1][0]

    async def claim_stale(self, consumer: str, min_idle_ms: int, count: int) -> list[Delivery]:
        """Take over up to `count` entries that no consumer has touched for `min_idle_ms`; the more
        often they were delivered, the fewer at once (see stores.suspicion)."""
        # One command where there is none: XAUTOCLAIM looks at 10 entries for each that is asked
        # for, so that alone it takes 77 commands to find nothing among 768.
        first, count = await self._pending("-", count, idle=min_idle_ms)
        if not count:
            return []
        rows: list[_Entry] = []
        cursor = first
        while len(rows) < count:
            with translated_errors():
                reply: Any = await self._redis.xautoclaim(
                    self.name,
                    self.group,
                    consumer,
                    min_idle_ms,
                    start_id=cursor,
                    count=count - len(rows),
                )
            cursor, claimed = str(reply[0]), reply[1]
            rows += [(str(row[0]), row[1] or {}) for row in claimed if row[0] is not None]
            # Redis 7 takes deleted entries off the pending list itself and lists their ids.
            if len(reply) > 2 and reply[2]:
                self._count_deleted([str(entry_id) for entry_id in reply[2]])
            if cursor == "0-0":
                break
        return await self._with_counts(await self._without_deleted(rows))

    async def _pending(
        self, start: str, count: int, consumer: str | None = None, idle: int | None = None
    ) -> tuple[str, int]:
        """The first of these pending entries, and how many from it on may be delivered at once."""
        with translated_errors():
            rows: list[Any] = await self._redis.xpending_range(
                self.name, self.group, start, "+", count, consumer, idle
            )
        first = str(rows[0]["message_id"]) if rows else ""
        return first, together(int(row["times_delivered"]) for row in rows)

    async def renew(self, consumer: str, ids: Sequence[str]) -> list[str]:
        """Prolong the leases of entries in hand; the answer has those that are still ours."""
        if not ids:
            return []
        with translated_errors():
            kept = await self._renew(keys=[self.name], args=[self.group, consumer, *ids])
        return [str(entry_id) for entry_id in kept]

    async def delivery_counts(self, ids: Sequence[str]) -> dict[str, int]:
        """How often each entry was delivered; entries that are not pending are left out."""
        if not ids:
            return {}
        with translated_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                for entry_id in ids:
                    pipe.xpending_range(self.name, self.group, entry_id, entry_id, 1)
                replies = await run(pipe)
        return {
            str(row["message_id"]): int(row["times_delivered"]) for rows in replies for row in rows
        }

    async def ack(self, ids: Sequence[str]) -> int:
        """Acknowledge entries, whoever has them; the answer is how many were pending."""
        if not ids:
            return 0
        if self._guard is not None:
            await self._guard()
        with translated_errors():
            return int(await self._redis.xack(self.name, self.group, *ids))

    async def ack_own(self, consumer: str, ids: Sequence[str]) -> int:
        """Acknowledge those entries that this consumer has; how many. None without the group."""
        if not ids:
            return 0
        if self._guard is not None:
            await self._guard()
        try:
            with translated_errors():
                return int(await self._ack_own(keys=[self.name], args=[self.group, consumer, *ids]))
        except GroupMissing:
            return 0

    async def hand_back(self, consumer: str, ids: Sequence[str], forgive: bool) -> int:
        """Let the next `claim_stale` take these entries, where this consumer has them; how many.
        `forgive`: this delivery does not count."""
        if not ids:
            return 0
        args: list[str | int] = [self.group, consumer, _HANDED_BACK, int(forgive), *ids]
        with translated_errors():
            return int(await self._hand_back(keys=[self.name], args=args))

    async def note_failure(self, ids: Sequence[str], trace: str) -> None:
        """Keep why the work on these entries failed, for their dead letters; for a day."""
        await self._dead_letters.note_failure(ids, trace)

    async def dead_letter(
        self, delivery: Delivery, reason: str, detail: str, no_trace: str = ""
    ) -> str | None:
        """Move a pending entry to the dead-letter stream and acknowledge it, both or neither.

        The dead letter keeps the fields (the first 100) and gets reason, detail, source_id, the
        number of deliveries, the consumer that had it last, and the trace that `note_failure` kept
        (`no_trace` where it kept none). The answer is its id, or None when the entry was not
        pending any more (nothing is written then, so that a repeated call leaves one dead letter).
        """
        return await self._dead_letters.write(delivery, reason, detail, no_trace)

    async def trim(self) -> int:
        """Free the memory of entries that every group is done with; how many were dropped."""
        with translated_errors():
            return int(await self._trim(keys=[self.name]))

    async def status(self) -> StreamStatus:
        """Figures of the stream and the group; zero where they are missing."""
        with translated_errors():
            return await stream_upkeep.status(self._redis, self.name, self.group, self.dead_name)

    async def unread_each(self, active_ms: int) -> int | None:
        """Entries that nobody has had, for each consumer that was seen within `active_ms`; None
        for a lone consumer, and where Redis cannot tell (an unread entry was deleted)."""
        with translated_errors():
            return await stream_upkeep.unread_each(self._redis, self.name, self.group, active_ms)

    async def _without_deleted(self, rows: list[_Entry]) -> list[_Entry]:
        """Acknowledge entries whose fields are gone (XDEL, XTRIM): they come back as nil."""
        gone = [entry_id for entry_id, fields in rows if not fields]
        if gone:
            await self.ack(gone)
            self._count_deleted(gone)
        return [row for row in rows if row[1]]

    def _count_deleted(self, ids: list[str]) -> None:
        embed_skipped_total.labels("entry_deleted").inc(len(ids))
        log.warning("pending entries were deleted from the stream", count=len(ids), ids=ids[:10])

    async def _with_counts(self, rows: list[_Entry]) -> list[Delivery]:
        counts = await self.delivery_counts([entry_id for entry_id, _ in rows])
        # An entry that is not pending any more was acknowledged by another consumer just now.
        return [
            Delivery(entry_id, fields, counts[entry_id])
            for entry_id, fields in rows
            if entry_id in counts
        ]


def _entries(reply: Any) -> list[_Entry]:
    """The rows of an XREADGROUP of one stream."""
    return [(str(row[0]), row[1] or {}) for _stream, rows in reply or [] for row in rows]
