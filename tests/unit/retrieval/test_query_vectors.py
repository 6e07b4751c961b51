from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from explanation_service.retrieval import query_vectors as module
from explanation_service.retrieval.query_vectors import QueryVectorSource
from explanation_service.stores.errors import StoreUnavailable
from explanation_service.stores.records import QueryReply, WorkerState

VECTOR = (1.0, 0.0)


class Client:
    """Redis and one worker that answers after `delay` seconds."""

    def __init__(self) -> None:
        self.revision = "r1"
        self.workers = [WorkerState("w", "all", "r1", "m", 2, True)]
        self.delay: float | None = 0.0
        self.away = False
        self.cache: dict[tuple[str, str], tuple[float, ...]] = {}
        self.requests: list[str] = []
        self.calls = 0
        self._replies: asyncio.Queue[QueryReply] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    def _call(self) -> None:
        self.calls += 1
        if self.away:
            raise StoreUnavailable("redis", "refused")

    async def live_workers(self) -> list[WorkerState]:
        self._call()
        return self.workers

    async def get_cached(self, revision: str, text: str) -> tuple[float, ...] | None:
        self._call()
        return self.cache.get((revision, text))

    async def put_cached(self, revision: str, text: str, vector: tuple[float, ...]) -> None:
        self._call()
        self.cache[revision, text] = vector

    async def send_request(
        self, text: str, revision: str | None, deadline_ms: int, request_id: str | None = None
    ) -> str:
        self._call()
        assert abs(deadline_ms / 1000 - time.time()) < 10
        self.requests.append(text)
        assert request_id is not None
        if self.delay is not None:
            self._tasks.append(asyncio.create_task(self._answer(request_id, self.delay)))
        return request_id

    async def _answer(self, request_id: str, delay: float) -> None:
        await asyncio.sleep(delay)
        await self._replies.put(QueryReply(request_id, self.revision, VECTOR))

    async def next_reply(self, block_s: float = 1.0) -> QueryReply | None:
        if self.away:
            raise StoreUnavailable("redis", "refused")
        try:
            return await asyncio.wait_for(self._replies.get(), 0.05)
        except TimeoutError:
            return None


Ask = Callable[..., Awaitable[str | None]]


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
async def source(client: Client) -> AsyncIterator[QueryVectorSource]:
    made = QueryVectorSource(client)  # type: ignore[arg-type]
    await made.start()
    yield made
    await made.close()


async def ask(
    source: QueryVectorSource, text: str = "не", seconds: float = 0.5, revision: str = "r1"
) -> str | None:
    vector = await source.get(text, revision, time.monotonic() + seconds)
    assert vector is None or (vector.values, vector.revision) == (VECTOR, revision)
    return None if vector is None else vector.source


async def test_worker_then_memory_then_redis(client: Client, source: QueryVectorSource) -> None:
    assert await ask(source) == "worker"
    assert await ask(source, "  не ") == "lru"
    other = QueryVectorSource(client)  # type: ignore[arg-type]
    assert await ask(other) == "redis"
    assert client.requests == ["не"]


async def test_the_same_question_at_the_same_time_is_asked_once(
    client: Client, source: QueryVectorSource
) -> None:
    client.delay = 0.02
    assert await asyncio.gather(*(ask(source) for _ in range(5))) == ["worker"] * 5
    assert client.requests == ["не"]


async def test_a_late_vector_serves_the_next_one(client: Client, source: QueryVectorSource) -> None:
    client.delay = 0.1
    started = time.monotonic()
    assert await ask(source, seconds=0.02) is None
    assert time.monotonic() - started < 0.09
    await asyncio.sleep(0.2)
    assert client.cache == {("r1", "не"): VECTOR}
    assert await ask(source) == "lru"


@pytest.mark.parametrize(
    "workers",
    [
        [],
        [WorkerState("w", "index", "r1", "m", 2, True)],
        [WorkerState("w", "all", "r1", "m", 2, False)],
        [WorkerState("w", "all", "r2", "m", 2, True)],
    ],
)
async def test_without_a_worker_for_queries_nobody_waits(
    client: Client, source: QueryVectorSource, workers: list[WorkerState]
) -> None:
    client.workers = workers
    started = time.monotonic()
    assert await ask(source, seconds=5) is None
    assert time.monotonic() - started < 0.2 and client.requests == []


async def test_the_cache_serves_without_any_worker(
    client: Client, source: QueryVectorSource
) -> None:
    client.workers = []
    client.cache["r1", "не"] = VECTOR
    assert await ask(source) == "redis"


async def test_redis_away_is_a_miss_and_memory_still_serves(
    client: Client, source: QueryVectorSource
) -> None:
    assert await ask(source) == "worker"
    client.away = True
    assert await ask(source, "другой") is None
    assert await ask(source) == "lru"
    client.away = False
    assert await ask(source, "другой") == "worker"


async def test_a_redis_that_hangs_costs_no_more_than_the_deadline(
    client: Client, source: QueryVectorSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang() -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(client, "live_workers", hang)
    started = time.monotonic()
    assert await ask(source, seconds=0.05) is None
    assert time.monotonic() - started < 0.2


async def test_a_new_model_needs_new_vectors(client: Client, source: QueryVectorSource) -> None:
    client.workers.append(WorkerState("x", "all", "r2", "m", 2, True))
    assert await ask(source) == "worker"
    client.revision = "r2"
    assert await ask(source, revision="r2") == "worker"
    assert [await ask(source), await ask(source, revision="r2")] == ["lru", "lru"]


async def test_a_vector_of_another_model_is_no_answer(
    client: Client, source: QueryVectorSource
) -> None:
    client.revision = "r2"
    assert await ask(source) is None
    assert await ask(source, revision="r2") == "lru", "but it serves whoever asks for that model"


async def test_after_several_misses_nobody_waits_for_a_while(
    client: Client, source: QueryVectorSource
) -> None:
    client.delay = None
    for number in range(module.BREAKER_MISSES):
        assert await ask(source, f"вопрос {number}", seconds=0.01) is None
    started = time.monotonic()
    assert await ask(source, "ещё один", seconds=1.0) is None
    assert time.monotonic() - started < 0.2


async def test_memory_is_bounded(
    client: Client, source: QueryVectorSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LRU_SIZE", 2)
    for text in ("а", "б", "в"):
        assert await ask(source, text) == "worker"
    assert await ask(source, "в") == "lru"
    assert await ask(source, "а") == "redis"


async def test_a_flood_is_not_passed_on(
    client: Client, source: QueryVectorSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_PENDING", 3)
    client.delay = None
    await asyncio.gather(*(ask(source, f"{n}", seconds=0.05) for n in range(10)))
    assert len(client.requests) == 3
