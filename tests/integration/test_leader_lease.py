"""The lease of the leader in a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from explanation_service.settings import Settings, load_settings
from explanation_service.stores.errors import LeaseLost, StoreUnavailable
from explanation_service.stores.leader_lease import LeaderLease
from explanation_service.stores.redis import RedisClient, close, connect_redis

NO_REDIS = "redis://127.0.0.1:1/0"


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[RedisClient]:
    client = connect_redis(settings)
    yield client
    await close(client)


@pytest.fixture
def name(settings: Settings) -> str:
    return f"{settings.redis_stream_name}:relay"


async def test_one_leader_at_a_time(redis: RedisClient, name: str) -> None:
    one, other = LeaderLease(redis, name, 60), LeaderLease(redis, name, 60)
    assert await one.acquire()
    assert not await other.acquire() and not await one.acquire()
    assert await one.renew() and not await other.renew()
    await other.release()
    assert await one.renew(), "who does not hold it cannot release it"
    await one.release()
    await one.release()
    assert await other.acquire() and not await one.renew()


async def test_a_lease_runs_out_unless_it_is_renewed(redis: RedisClient, name: str) -> None:
    dead, next_one = LeaderLease(redis, name, 0.3), LeaderLease(redis, name, 60)
    assert await dead.acquire()
    assert 0 < await redis.pttl(f"{name}:leader") <= 300
    async with asyncio.timeout(30):
        while not await next_one.acquire():
            await asyncio.sleep(0.02)
    assert not await dead.renew()


async def test_a_renewal_prolongs_it(redis: RedisClient, name: str) -> None:
    lease = LeaderLease(redis, name, 60)
    await lease.acquire()
    await redis.pexpire(f"{name}:leader", 30_000)
    assert await lease.renew()
    assert await redis.pttl(f"{name}:leader") > 50_000


async def test_only_the_holder_can_note(redis: RedisClient, name: str) -> None:
    old, new = LeaderLease(redis, name, 60), LeaderLease(redis, name, 60)
    with pytest.raises(LeaseLost):
        await old.note(position="p0")
    await old.acquire()
    await old.note(position="p1", source="polling")
    # It slept past its lease, and the next one has gone on.
    await redis.delete(f"{name}:leader")
    await new.acquire()
    await new.note(position="p2")
    with pytest.raises(LeaseLost):
        await old.note(position="p1")
    assert await new.notes() == {"position": "p2", "source": "polling"}
    await old.release()
    assert await new.renew()


async def test_a_redis_that_is_away() -> None:
    client = connect_redis(load_settings(redis_url=NO_REDIS))
    lease = LeaderLease(client, "x", 60)
    for call in (lease.acquire(), lease.notes(), lease.release()):
        if call.__name__ == "release":
            await call
            continue
        with pytest.raises(StoreUnavailable):
            await call
    await close(client)
