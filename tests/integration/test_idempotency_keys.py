"""Idempotency keys in a real Redis: whose a key is, and for how long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio

from explanation_service.api.assembly import open_services
from explanation_service.api.request_timeout_middleware import seconds_for_a_request
from explanation_service.settings import Settings, load_settings
from explanation_service.stores.idempotency import ClaimState, IdempotencyStore
from explanation_service.stores.redis import RedisClient, close, connect_redis


@pytest_asyncio.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    redis = connect_redis(load_settings(redis_url=redis_url))
    yield redis
    await close(redis)


@pytest.mark.parametrize(("variable", "seconds"), [
    ("request_timeout_seconds", 600.0), ("yandexgpt_timeout_seconds", 55.0),
])  # fmt: skip
async def test_a_claim_outlives_the_longest_request(
    settings: Settings, redis: RedisClient, variable: str, seconds: float
) -> None:
    changed = settings.model_copy(update={variable: seconds})
    async with open_services(changed) as services:
        claim = await services.idempotency.claim("p", uuid4().hex, "request", "token")
    assert claim.state is ClaimState.OURS
    longest = seconds_for_a_request(changed)
    assert longest >= seconds
    # A test that takes 20 s up to here would be wrong about a claim that is right.
    assert 1000 * (longest + 10) < await redis.pttl(claim.key) <= 1000 * (longest + 30)


async def test_who_was_first_keeps_the_key_until_the_answer(redis: RedisClient) -> None:
    store, key = IdempotencyStore(redis, 60.0), uuid4().hex
    first = await store.claim("p", key, "request", "one")
    again = await store.claim("p", key, "request", "two")
    other = await store.claim("p", key, "another request", "three")
    states = [first.state, again.state, other.state]
    assert states == [ClaimState.OURS, ClaimState.IN_PROGRESS, ClaimState.MISMATCH]
    await store.keep(first, "answer")
    kept = await store.claim("p", key, "request", "four")
    assert (kept.state, kept.answer) == (ClaimState.ANSWERED, "answer")
