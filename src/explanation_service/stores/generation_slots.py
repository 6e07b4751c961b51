"""How many generations may run at a time, over all processes: leases in a sorted set.

    explanation:slots:<name>    members: tokens; scores: end of the lease, Redis's own clock, in ms

A holder renews; one that was killed does not, and its lease runs out. Only Redis's clock counts,
so the clocks of the processes may differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from explanation_service.stores.redis import RedisClient, translated_errors

# Seconds. A slot of a process that was killed is free after this; renewed at a quarter of it.
LEASE_SECONDS = 10.0

_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

# Takes a slot, or says that there is none. A token that has one keeps it, so that a repetition
# after a lost answer takes no second one. Further tokens run without a slot already (Redis was
# away) and are counted whatever the limit. KEYS: set; ARGV: lease ms, limit, token, further tokens.
_ACQUIRE = (
    _NOW
    + """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
for i = 4, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[i]) end
local taken = redis.call('ZSCORE', KEYS[1], ARGV[3])
if not taken and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
"""
)

# What runs is counted, even where its lease ran out meanwhile. KEYS: set; ARGV: lease ms, tokens.
_RENEW = (
    _NOW
    + """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
"""
)

# Gives a slot back, now or after some ms. KEYS: set; ARGV: token, ms.
_RELEASE = (
    _NOW
    + """
if tonumber(ARGV[2]) == 0 then redis.call('ZREM', KEYS[1], ARGV[1])
else redis.call('ZADD', KEYS[1], 'XX', now + ARGV[2], ARGV[1]) end
"""
)


class GenerationSlots:
    """`limit` slots under one name. Every method raises StoreUnavailable when Redis does not
    serve."""

    def __init__(
        self, redis: RedisClient, name: str, limit: int, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        self.limit = limit
        self.lease_seconds = lease_seconds
        self._redis = redis
        self._key = f"explanation:slots:{name}"
        self._lease = int(lease_seconds * 1000)
        self._acquire = redis.register_script(_ACQUIRE)
        self._renew = redis.register_script(_RENEW)
        self._release = redis.register_script(_RELEASE)

    async def acquire(self, token: str, running: Sequence[str] = ()) -> bool:
        """Whether `token` has a slot now. `running`: tokens that run without one, to be counted."""
        with translated_errors():
            got: Any = await self._acquire([self._key], [self._lease, self.limit, token, *running])
        return bool(got)

    async def renew(self, tokens: Sequence[str]) -> None:
        """Extend the leases of everything that runs here."""
        with translated_errors():
            await self._renew([self._key], [self._lease, *tokens])

    async def release(self, token: str, after_seconds: float = 0.0) -> None:
        """Give the slot back, at once or when `after_seconds` have passed."""
        with translated_errors():
            await self._release([self._key], [token, int(after_seconds * 1000)])

    async def taken(self) -> int:
        """Slots in use, those included whose lease has run out unnoticed."""
        with translated_errors():
            return int(await self._redis.zcard(self._key))
