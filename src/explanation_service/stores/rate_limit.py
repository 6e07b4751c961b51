"""How many requests a caller may make, counted in Redis for all replicas together."""

from __future__ import annotations

from explanation_service.stores.redis import RedisClient, translated_errors

_PREFIX = "rate-limit:"

# A token bucket in one number, the moment at which it is full again (GCRA): it holds `burst` tokens
# and gains one each `interval`. By Redis's clock, so that replicas agree. KEYS: key; ARGV: interval
# in microseconds, burst. Answers 0, or the microseconds until there is a token.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0)) + interval
local wait = full - burst * interval - now
if wait > 0 then return math.ceil(wait) end
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
return 0
"""


class RateLimitStore:
    """Raises StoreUnavailable when Redis does not serve."""

    def __init__(self, redis: RedisClient) -> None:
        self._take = redis.register_script(_TAKE)

    async def take(self, caller: str, per_minute: int, burst: int) -> float:
        """Take one request of `caller`; 0.0 when it is allowed, else the seconds until one is."""
        with translated_errors():
            wait = await self._take(keys=[_PREFIX + caller], args=[60_000_000 / per_minute, burst])
        return int(wait) / 1e6
