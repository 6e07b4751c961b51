"""The query-embedding channel between an API and a worker on a real Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from explanation_service.settings import load_settings
from explanation_service.stores import embedding_channel as channel
from explanation_service.stores.embedding_channel import QueryEmbeddingClient, QueryEmbeddingServer
from explanation_service.stores.errors import StoreUnavailable
from explanation_service.stores.records import EmbeddingModelInfo, WorkerState
from explanation_service.stores.redis import close, connect_redis

MODEL = EmbeddingModelInfo("m", "r1", 2, 512, "query: ", "passage: ")


@pytest_asyncio.fixture
async def sides(redis_url: str) -> AsyncIterator[tuple[QueryEmbeddingClient, QueryEmbeddingServer]]:
    # The keys are fixed, so these tests take a database of their own.
    settings = load_settings(redis_url=redis_url.rsplit("/", 1)[0] + "/9")
    redis, blocking = connect_redis(settings), connect_redis(settings, blocking=True)
    await redis.flushdb()
    yield QueryEmbeddingClient(redis, blocking), QueryEmbeddingServer(redis, blocking)
    await redis.flushdb()
    await close(redis)
    await close(blocking)


Sides = tuple[QueryEmbeddingClient, QueryEmbeddingServer]


def in_ms(seconds: float) -> int:
    return int((time.time() + seconds) * 1000)


async def test_requests_are_answered_to_the_one_who_asked(sides: Sides) -> None:
    client, server = sides
    other = QueryEmbeddingClient(client._redis, client._blocking)
    ids = [await client.send_request(f"q{n}", "r1", in_ms(1)) for n in range(3)]
    theirs = await other.send_request("other", "r1", in_ms(1))
    first = await server.next_requests("r1", 2, 0.5)
    rest = await server.next_requests("r1", 8, 0.5)
    assert [request.text for request in first + rest] == ["q0", "q1", "q2", "other"]
    assert {request.revision for request in first + rest} == {"r1"}
    await server.reply_many([(request, [0.5, -1.0]) for request in first], "r1")
    for request in rest:
        await server.reply(request, "r1", (1.0, 0.0))
    replies = [await client.next_reply(0.5) for _ in range(3)]
    assert [reply and reply.id for reply in replies] == ids
    assert replies[0] is not None and (replies[0].revision, replies[0].vector) == (
        "r1",
        (0.5, -1.0),
    )
    reply = await other.next_reply(0.5)
    assert reply is not None and reply.id == theirs
    assert await client.next_reply(0.1) is None


async def test_workers_of_two_models_never_take_each_others_requests(sides: Sides) -> None:
    client, server = sides
    await client.send_request("old", "r1", in_ms(1))
    await client.send_request("new", "r2", in_ms(1))
    assert [one.text for one in await server.next_requests("r2", 8, 0.5)] == ["new"]
    assert await server.next_requests("r2", 8, 0.1) == []
    assert [one.text for one in await server.next_requests("r1", 8, 0.5)] == ["old"]


async def test_a_waiting_worker_gets_a_request_at_once(sides: Sides) -> None:
    client, server = sides
    waiting = asyncio.create_task(server.next_requests("r1", 8, 2.0))
    await asyncio.sleep(0.1)
    sent = time.monotonic()
    await client.send_request("q", "r1", in_ms(1))
    (request,) = await waiting
    assert request.text == "q" and time.monotonic() - sent < 0.5


async def test_stale_and_broken_requests_are_dropped(sides: Sides) -> None:
    client, server = sides
    await client.send_request("long gone", "r1", in_ms(-10))
    await client._redis.rpush(channel.queue_key("r1"), "no json")
    await client.send_request("a little late", "r1", in_ms(-0.5))
    assert [request.text for request in await server.next_requests("r1", 8, 0.2)] == [
        "a little late"
    ]
    assert await server.next_requests("r1", 8, 0.1) == []


async def test_nothing_that_nobody_reads_stays_for_ever(sides: Sides) -> None:
    client, server = sides
    await client.send_request("q", "r1", in_ms(1))
    assert 0 < await client._redis.ttl(channel.queue_key("r1")) <= channel.QUEUE_TTL
    await server.reply((await server.next_requests("r1", 1, 0.2))[0], "r1", [1.0])
    assert 0 < await client._redis.ttl(client.reply_key) <= channel.REPLY_TTL


async def test_the_cache_tells_revisions_apart(sides: Sides) -> None:
    client, _ = sides
    assert await client.get_cached("r1", "тире") is None
    await client.put_cached("r1", "тире", [0.25, 0.5])
    assert await client.get_cached("r1", "тире") == (0.25, 0.5)
    assert await client.get_cached("r2", "тире") is None
    (key,) = await client._redis.keys("embedding:vector:*")
    assert await client._redis.ttl(key) > 6 * 24 * 3600
    await client._redis.set(key, "broken")
    assert await client.get_cached("r1", "тире") is None


async def test_workers_live_as_long_as_their_heartbeat(
    sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, server = sides
    assert await client.live_workers() == []
    monkeypatch.setattr(channel, "HEARTBEAT_TTL", 0.3)
    await server.heartbeat("w1", "query", MODEL, ready=True)
    monkeypatch.setattr(channel, "HEARTBEAT_TTL", 5.0)
    await server.heartbeat("w2", "index", MODEL, ready=False)
    alive = sorted(await client.live_workers(), key=lambda worker: worker.consumer)
    assert alive == [
        WorkerState("w1", "query", "r1", "m", 2, True),
        WorkerState("w2", "index", "r1", "m", 2, False),
    ]
    await asyncio.sleep(0.4)
    assert [worker.consumer for worker in await client.live_workers()] == ["w2"]
    await server.withdraw("w2")
    assert await client.live_workers() == []


async def test_the_model_is_known_to_the_api(sides: Sides) -> None:
    client, server = sides
    assert await client.current_model() is None
    await server.publish_model(MODEL)
    assert await client.current_model() == MODEL


async def test_a_redis_that_is_away() -> None:
    redis = connect_redis(load_settings(redis_url="redis://127.0.0.1:1/0"))
    client, server = QueryEmbeddingClient(redis, redis), QueryEmbeddingServer(redis, redis)
    for call in (
        client.send_request("q", "r1", 0),
        client.get_cached("r", "q"),
        client.live_workers(),
        client.next_reply(0.1),
        server.next_requests("r1", 1, 0.1),
        server.heartbeat("w", "all", MODEL, ready=True),
    ):
        with pytest.raises(StoreUnavailable):
            await call
    await close(redis)
