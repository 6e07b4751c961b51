"""A lease in Redis: one process at a time, and whoever comes second learns who."""

from __future__ import annotations

from explanation_service.stores.redis import RedisClient, translated_errors

# Only the holder renews and gives back. KEYS: lease; ARGV: holder, milliseconds.
_RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""


class Lease:
    """`holder` says who we are, for people too; no two take a lease under the same name.

    Every method raises StoreUnavailable when Redis does not serve.
    """

    def __init__(self, redis: RedisClient, key: str, holder: str, seconds: float) -> None:
        self._redis = redis
        self._key = key
        self.holder = holder
        self._milliseconds = int(seconds * 1000)
        self._renew = redis.register_script(_RENEW)
        self._release = redis.register_script(_RELEASE)

    async def take(self) -> bool:
        """Take the lease where nobody has it (or we do, from before)."""
        with translated_errors():
            if await self._redis.set(self._key, self.holder, nx=True, px=self._milliseconds):
                return True
        return await self.renew()

    async def renew(self) -> bool:
        """Prolong it; False when it is not ours any more."""
        with translated_errors():
            return bool(await self._renew(keys=[self._key], args=[self.holder, self._milliseconds]))

    async def release(self) -> None:
        """Give it back."""
        with translated_errors():
            await self._release(keys=[self._key], args=[self.holder])

    async def state(self) -> tuple[str | None, float]:
        """Who holds it (None: nobody), and for how many seconds unless it is renewed."""
        with translated_errors():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.get(self._key)
                pipe.pttl(self._key)
                holder, left = await pipe.execute()
        return (None if holder is None else str(holder)), max(0, int(left)) / 1000
