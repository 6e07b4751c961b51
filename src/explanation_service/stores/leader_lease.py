"""One leader among all workers: a lease in Redis, and notes that only its holder can write."""

from __future__ import annotations

from contextlib import suppress

from redis.asyncio.lock import Lock
from redis.exceptions import LockError

from explanation_service.stores.errors import LeaseLost
from explanation_service.stores.redis import RedisClient, translated_errors

# The token of the lease fences: a leader that slept past its lease must not overwrite what its
# successor noted. KEYS: lease, notes; ARGV: token, field, value...
_NOTE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[2], unpack(ARGV, 2))
return 1
"""


class LeaderLease:
    """The lease `NAME:leader` and the hash `NAME:notes`, which stays when the leader changes.

    `ttl`: seconds without a renewal after which another may take it.

    Every method raises StoreUnavailable when Redis does not serve.
    """

    def __init__(self, redis: RedisClient, name: str, ttl: float) -> None:
        self._redis = redis
        self._notes = f"{name}:notes"
        self._note = redis.register_script(_NOTE)
        self._lock = Lock(redis, f"{name}:leader", timeout=ttl, thread_local=False)
        self.ttl = ttl

    async def acquire(self) -> bool:
        """Take the lease where nobody has it; each time with another token."""
        with translated_errors():
            return bool(await self._lock.acquire(blocking=False))

    async def renew(self) -> bool:
        """Hold it for another TTL; False when it is ours no more."""
        with translated_errors():
            try:
                await self._lock.reacquire()
            except LockError:
                return False
        return True

    async def release(self) -> None:
        """Let the others have it at once; nothing happens when it is ours no more."""
        with translated_errors(), suppress(LockError):
            await self._lock.release()

    async def notes(self) -> dict[str, str]:
        """What leaders noted."""
        with translated_errors():
            return {str(k): str(v) for k, v in (await self._redis.hgetall(self._notes)).items()}

    async def note(self, **fields: str) -> None:
        """Note something for this leader and its successors; raises LeaseLost."""
        flat = [text for pair in fields.items() for text in pair]
        keys = [str(self._lock.name), self._notes]
        with translated_errors():
            kept = await self._note(keys=keys, args=[self._lock.local.token or "", *flat])
        if not kept:
            raise LeaseLost("another worker leads now")
