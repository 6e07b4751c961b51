"""One leader among all workers: a lease in Redis, and notes that only its holder can write."""

from __future__ import annotations

from uuid import uuid4

from explanation_service.stores.errors import LeaseLost
from explanation_service.stores.lease import Lease
from explanation_service.stores.redis import RedisClient, translated_errors

# The holder's name fences: a leader that slept past its lease must not overwrite what its successor
# noted. KEYS: lease, notes; ARGV: holder, field, value...
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
        self._key = f"{name}:leader"
        self._notes = f"{name}:notes"
        self._note = redis.register_script(_NOTE)
        self._held: Lease | None = None
        self.ttl = ttl

    async def acquire(self) -> bool:
        """Take the lease where nobody has it; each time under another name."""
        lease = Lease(self._redis, self._key, uuid4().hex, self.ttl)
        taken = await lease.take()
        if taken:
            self._held = lease
        return taken

    async def renew(self) -> bool:
        """Hold it for another TTL; False when it is ours no more."""
        return self._held is not None and await self._held.renew()

    async def release(self) -> None:
        """Let the others have it at once; nothing happens when it is ours no more."""
        if self._held is not None:
            await self._held.release()

    async def notes(self) -> dict[str, str]:
        """What leaders noted."""
        with translated_errors():
            return {str(k): str(v) for k, v in (await self._redis.hgetall(self._notes)).items()}

    async def note(self, **fields: str) -> None:
        """Note something for this leader and its successors; raises LeaseLost."""
        flat = [text for pair in fields.items() for text in pair]
        holder = "" if self._held is None else self._held.holder
        with translated_errors():
            kept = await self._note(keys=[self._key, self._notes], args=[holder, *flat])
        if not kept:
            raise LeaseLost("another worker leads now")
