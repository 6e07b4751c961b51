"""The rate limit in a real Redis, and over HTTP with two replicas."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from explanation_service.settings import Settings, load_settings
from explanation_service.stores.errors import StoreUnavailable
from explanation_service.stores.rate_limit import RateLimitStore
from explanation_service.stores.redis import RedisClient, close, connect_redis

# So slow that none comes back while a test runs.
SLOW = 1


@pytest_asyncio.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    redis = connect_redis(load_settings(redis_url=redis_url))
    yield redis
    await close(redis)


async def test_a_burst_passes_and_no_more(redis: RedisClient) -> None:
    limits, caller = RateLimitStore(redis), uuid4().hex
    waits = await asyncio.gather(*(limits.take(caller, SLOW, 10) for _ in range(25)))
    assert waits.count(0.0) == 10
    assert all(0 < wait <= 60 for wait in waits if wait)
    assert await limits.take(uuid4().hex, SLOW, 10) == 0.0, "others are not touched"


async def test_who_waits_as_long_as_told_may_go_on(redis: RedisClient) -> None:
    limits, caller = RateLimitStore(redis), uuid4().hex
    assert await limits.take(caller, 600, 1) == 0.0
    wait = await limits.take(caller, 600, 1)
    assert 0 < wait <= 0.1
    await asyncio.sleep(wait)
    assert await limits.take(caller, 600, 1) == 0.0


async def test_refused_requests_do_not_push_the_next_one_away(redis: RedisClient) -> None:
    limits, caller = RateLimitStore(redis), uuid4().hex
    await limits.take(caller, SLOW, 1)
    first = await limits.take(caller, SLOW, 1)
    for _ in range(50):
        again = await limits.take(caller, SLOW, 1)
    assert again <= first


async def test_over_a_minute_no_more_than_the_rate_and_the_burst(redis: RedisClient) -> None:
    limits, caller = RateLimitStore(redis), uuid4().hex
    started = time.monotonic()
    passed = 0
    while time.monotonic() - started < 1.0:
        passed += await limits.take(caller, 1200, 5) == 0.0
    seconds = time.monotonic() - started
    assert passed <= 5 + 20 * seconds + 1
    assert passed > 5


async def test_what_is_full_again_is_forgotten(redis: RedisClient) -> None:
    limits, caller = RateLimitStore(redis), uuid4().hex
    await limits.take(caller, SLOW, 3)
    assert 0 < await redis.pttl(f"rate-limit:{caller}") <= 60_000


async def test_a_redis_that_is_away() -> None:
    redis = connect_redis(load_settings(redis_url="redis://127.0.0.1:1/0"))
    with pytest.raises(StoreUnavailable):
        await RateLimitStore(redis).take("a", 60, 1)
    await close(redis)


def test_replicas_share_a_limit(settings: Settings, tmp_path: Path, run_api: Any) -> None:
    key = uuid4().hex
    more = {"API_KEYS": key, "RATE_LIMIT_PER_MINUTE": str(SLOW), "RATE_LIMIT_BURST": "6"}
    with (
        run_api(settings, tmp_path / "a", **more) as first,
        run_api(settings, tmp_path / "b", **more) as second,
    ):
        answers = []
        for api in (first, second):
            with api.client() as client:
                headers = {"X-API-Key": key}
                answers += [client.get("/v1/templates", headers=headers) for _ in range(5)]
                assert client.get("/health").status_code == 200
    assert [answer.status_code for answer in answers] == [200] * 6 + [429] * 4
    assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in answers[6:])
