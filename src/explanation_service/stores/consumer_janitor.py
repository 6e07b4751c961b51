"""Removes the consumers of workers that are gone: each container that ever lived leaves one."""

from __future__ import annotations

from explanation_service.stores.embedding_channel import WORKERS_KEY
from explanation_service.stores.errors import GroupMissing
from explanation_service.stores.redis import RedisClient, translated_errors
from explanation_service.stores.stream_scripts import REMOVE_IDLE_CONSUMERS

# Seconds without a sign of life. Long: one that comes back gets its entries by its name.
IDLE = 3600.0


class ConsumerJanitor:
    """For one group of one stream."""

    def __init__(self, redis: RedisClient, stream_name: str, group: str) -> None:
        self._script = redis.register_script(REMOVE_IDLE_CONSUMERS)
        self._stream = stream_name
        self._group = group

    async def sweep(self, idle: float = IDLE) -> list[str]:
        """Remove who has had nothing to do with the group for `idle` seconds, has nothing pending
        and sends no heartbeat; their names. Raises StoreUnavailable."""
        try:
            with translated_errors():
                removed = await self._script(
                    keys=[self._stream],
                    args=[self._group, int(idle * 1000), f"{WORKERS_KEY}:"],
                )
        except GroupMissing:
            return []
        return [str(name) for name in removed]
