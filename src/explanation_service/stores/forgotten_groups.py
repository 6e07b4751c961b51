"""Drops groups of rebuilds that nobody came back to: each holds the stream against trimming."""

from __future__ import annotations

from typing import Any

from redis.exceptions import ResponseError

from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.redis import RedisClient, translated_errors

# Between the workers' group and the collection that the rebuild fills.
REBUILD_MARK = ":rebuild:"
# Seconds. A rebuild that is taken up later starts with a group anew and compares everything.
FORGOTTEN_AFTER = 24 * 3600.0


def rebuild_stream(stream: EventStream, collection: str) -> EventStream:
    """The same stream for the group of the rebuild that fills a collection."""
    return stream.of_group(f"{stream.group}{REBUILD_MARK}{collection}")


async def drop_forgotten(
    redis: RedisClient, stream: EventStream, after: float = FORGOTTEN_AFTER
) -> list[str]:
    """Drop the rebuilds' groups whose consumers have asked for nothing for `after` seconds; their
    names. Raises StoreUnavailable."""
    prefix = f"{stream.group}{REBUILD_MARK}"
    with translated_errors():
        try:
            groups: list[dict[str, Any]] = await redis.xinfo_groups(stream.name)
        except ResponseError as error:
            if "no such key" in str(error):
                return []
            raise
        dropped = []
        for name in [str(group["name"]) for group in groups]:
            if not name.startswith(prefix):
                continue
            consumers = await redis.xinfo_consumers(stream.name, name)
            # A group that is made this moment has no consumer yet.
            if consumers and all(one["idle"] >= after * 1000 for one in consumers):
                await redis.xgroup_destroy(stream.name, name)
                dropped.append(name)
    return dropped
