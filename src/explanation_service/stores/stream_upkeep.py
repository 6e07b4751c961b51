"""The figures of a stream: what it holds and how far its group is."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from redis.exceptions import ResponseError

from explanation_service.stores.records import StreamStatus
from explanation_service.stores.redis import RedisClient, run

# Entries. Redis gives no lag once an unread entry was deleted; then they are counted, up to this.
_MAX_COUNTED = 10_000


async def status(redis: RedisClient, name: str, group: str, dead_name: str) -> StreamStatus:
    """The figures of one stream and group; raises what redis-py raises."""
    async with redis.pipeline(transaction=False) as pipe:
        pipe.xlen(name)
        pipe.xlen(dead_name)
        pipe.time()
        length, dead, (seconds, microseconds) = await run(pipe)
    own = next((row for row in await _groups(redis, name) if row["name"] == group), None)
    pending = None if own is None else await _pending(redis, name, group)
    if own is None or pending is None:
        return StreamStatus(length, length, 0, 0.0, 0, dead)
    lag = own.get("lag")
    if lag is None:
        first = f"({own['last-delivered-id']}"
        unread: Any = await redis.xrange(name, min=first, count=_MAX_COUNTED)
        lag = len(unread)
    oldest = 0.0
    if pending["min"] is not None:
        # The first half of an entry's id is the time of its XADD in milliseconds.
        oldest = max(0.0, seconds + microseconds / 1e6 - _order(pending["min"])[0] / 1e3)
    return StreamStatus(length, int(lag), pending["pending"], oldest, own["consumers"], dead)


async def unread_each(redis: RedisClient, name: str, group: str, active_ms: int) -> int | None:
    """Unread entries for each consumer that was seen within `active_ms`. None for a lone consumer,
    and where Redis gives no lag. Raises what redis-py raises."""
    own = next((row for row in await _groups(redis, name) if row["name"] == group), None)
    if own is None or own.get("lag") is None or own["consumers"] < 2:
        return None
    consumers = await _rows(redis.xinfo_consumers(name, group))
    active = sum(consumer["idle"] <= active_ms for consumer in consumers)
    return int(own["lag"]) // active if active > 1 else None


async def _groups(redis: RedisClient, name: str) -> list[dict[str, Any]]:
    return await _rows(redis.xinfo_groups(name))


async def _rows(command: Awaitable[Any]) -> list[dict[str, Any]]:
    """The answer of an XINFO; nothing of a stream that is not there."""
    try:
        return list(await command)
    except ResponseError as error:
        if "no such key" in str(error):
            return []
        raise


async def _pending(redis: RedisClient, name: str, group: str) -> dict[str, Any] | None:
    """The summary of XPENDING; None when the group vanished since it was listed."""
    try:
        return dict(await redis.xpending(name, group))
    except ResponseError as error:
        if str(error).startswith("NOGROUP"):
            return None
        raise


def _order(entry_id: str) -> tuple[int, int]:
    """Entry ids compare as two numbers, not as text."""
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence or 0)
