"""Query vectors from a worker, and the search that lives with and without them."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from explanation_service.content.rule_book import RuleBook
from explanation_service.content.template import TemplateDraft
from explanation_service.indexing.backends.torch import TorchEncoder
from explanation_service.indexing.connections import connect
from explanation_service.indexing.model_directory import ModelSource
from explanation_service.indexing.worker import Worker
from explanation_service.retrieval.query_vectors import QueryVectorSource
from explanation_service.retrieval.search import SearchService
from explanation_service.retrieval.served_collection import ServedCollection
from explanation_service.retrieval.worker_presence import WORKERS_FRESH
from explanation_service.settings import Settings
from explanation_service.standalone.ports import free_ports
from explanation_service.stores.embedding_channel import QueryEmbeddingClient
from explanation_service.stores.redis import close, connect_redis

RULES = {
    "ne-verbs": ("НЕ с глаголами", "Частица «не» с глаголами пишется раздельно: не знал, не был."),
    "tsya": ("Тся и ться", "В инфинитиве пишется мягкий знак: что делать? учиться, стараться."),
    "dash": ("Тире", "Между подлежащим и сказуемым ставится тире, когда связка опущена."),
}


@pytest.fixture(scope="module")
def encoder(model_directory: Path) -> TorchEncoder:
    return TorchEncoder(ModelSource(model_directory.name, model_directory))


@pytest.fixture
async def channel(settings: Settings) -> AsyncIterator[Settings]:
    """Settings with a Redis database of their own: the channel's keys are the same for all."""
    changed = settings.model_copy(update={"redis_url": settings.redis_url.rsplit("/", 1)[0] + "/8"})
    redis = connect_redis(changed)
    await redis.flushdb()
    yield changed
    await redis.flushdb()
    await close(redis)


async def until_seen(settings: Settings, alive: bool) -> None:
    """Until Redis says that a ready worker is there (or none is), and whoever asked it before must
    ask again."""
    redis = connect_redis(settings)
    client = QueryEmbeddingClient(redis, redis)
    deadline = time.monotonic() + 15
    while any(one.ready for one in await client.live_workers()) != alive:
        assert time.monotonic() < deadline, (
            f"a ready worker should be {'there' if alive else 'gone'}"
        )
        await asyncio.sleep(0.02)
    await close(redis)
    await asyncio.sleep(WORKERS_FRESH)


@contextlib.asynccontextmanager
async def worker(settings: Settings, encoder: TorchEncoder, role: str) -> AsyncIterator[None]:
    stop = asyncio.Event()
    changes = {"worker_role": role, "worker_host": "127.0.0.1", "worker_port": free_ports(1)[0]}
    running = Worker(settings.model_copy(update=changes), stop, encoder)
    task = asyncio.create_task(running.run())
    try:
        while not running.readiness.ready:
            if task.done():
                task.result()
            await asyncio.sleep(0.01)
        await until_seen(settings, alive=True)
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 15)


@contextlib.asynccontextmanager
async def vectors(settings: Settings) -> AsyncIterator[QueryVectorSource]:
    redis, blocking = connect_redis(settings), connect_redis(settings, blocking=True)
    source = QueryVectorSource(QueryEmbeddingClient(redis, blocking))
    await source.start()
    yield source
    await source.close()
    await close(redis)
    await close(blocking)


async def source_of(
    source: QueryVectorSource, revision: str, text: str, seconds: float = 5.0
) -> str | None:
    vector = await source.get(text, revision, time.monotonic() + seconds)
    return None if vector is None else vector.source


async def test_worker_memory_redis_and_nobody(channel: Settings, encoder: TorchEncoder) -> None:
    revision = encoder.info.revision
    async with vectors(channel) as first, vectors(channel) as second:
        assert await source_of(first, revision, "не с глаголами") is None
        async with worker(channel, encoder, "query"):
            assert await source_of(first, revision, "не с глаголами") == "worker"
            assert await source_of(first, revision, " не  с глаголами") == "lru"
            assert await source_of(second, revision, "не с глаголами") == "redis"
            started = time.monotonic()
            assert await second.get("тире", "another-model", time.monotonic() + 5) is None
            assert time.monotonic() - started < 1, "no worker has that model"
        await until_seen(channel, alive=False)
        started = time.monotonic()
        assert await source_of(second, revision, "когда ставится тире") is None
        assert time.monotonic() - started < 1, "nobody should wait for a worker that has gone"
        assert await source_of(second, revision, "не с глаголами") == "lru"


async def test_the_vector_is_the_models_own(channel: Settings, encoder: TorchEncoder) -> None:
    async with vectors(channel) as source, worker(channel, encoder, "query"):
        got = await source.get("Когда ставится тире?", encoder.info.revision, time.monotonic() + 5)
    assert got is not None and got.revision == encoder.info.revision
    expected = encoder.embed(encoder.query_ids(["Когда ставится тире?"]))[0].tolist()
    assert sum(a * b for a, b in zip(got.values, expected, strict=True)) > 0.9999


async def test_a_search_is_hybrid_with_a_worker_and_degraded_without(
    channel: Settings, encoder: TorchEncoder
) -> None:
    stores = connect(channel)
    rule_book = RuleBook(stores.repository, stores.stream)
    try:
        async with vectors(channel) as source:
            served = ServedCollection(stores.index)
            search = SearchService(stores.index, served, source, 2000, channel.search_weights)
            async with worker(channel, encoder, "all"):
                for template_id, (title, body) in RULES.items():
                    await rule_book.put(template_id, TemplateDraft(title=title, body=body))
                deadline = time.monotonic() + 15
                while await stores.index.count() < len(RULES) and time.monotonic() < deadline:
                    await asyncio.sleep(0.05)
                found = await search.search("как пишется не с глаголом", 3)
                assert (found.mode, found.degraded) == ("hybrid", False)
                assert found.hits[0].template_id == "ne-verbs"
            await until_seen(channel, alive=False)
            alone = await search.search("мягкий знак в инфинитиве глаголов", 3)
            assert (alone.mode, alone.degraded) == ("lexical", True)
            assert alone.hits[0].template_id == "tsya"
    finally:
        await stores.close()


async def test_queries_do_not_wait_behind_indexing(
    channel: Settings, encoder: TorchEncoder
) -> None:
    stores = connect(channel)
    rule_book = RuleBook(stores.repository, stores.stream)
    body = " ".join(body for _, body in RULES.values())
    try:
        async with vectors(channel) as source, worker(channel, encoder, "all"):
            revision = encoder.info.revision
            idle = [await _seconds(source, revision, f"вопрос без дела {n}") for n in range(10)]
            for number in range(250):
                text = f"{number} {body} {body} {body}"
                await rule_book.put(f"t{number}", TemplateDraft(title=f"т{number}", body=text))
            busy = [await _seconds(source, revision, f"вопрос за делом {n}") for n in range(20)]
            assert (await stores.stream.status()).pending > 0, "indexing ended before the queries"
    finally:
        await stores.close()
    middle, under_load = statistics.median(idle), statistics.median(busy)
    print(f"query vector: {middle * 1000:.0f} ms idle, {under_load * 1000:.0f} ms while indexing")
    # A batch of 512 tokens takes 0.12 s on 2 cores of one's own; a query is let in between layers.
    assert under_load < middle + 0.25


async def _seconds(source: QueryVectorSource, revision: str, text: str) -> float:
    started = time.monotonic()
    vector = await source.get(text, revision, started + 10)
    assert vector is not None and vector.source == "worker"
    return time.monotonic() - started


def test_the_encoder_gives_what_sentence_transformers_gives(model_directory: Path) -> None:
    from sentence_transformers import SentenceTransformer

    encoder = TorchEncoder(ModelSource(model_directory.name, model_directory), "float32")
    bare = SentenceTransformer(
        str(model_directory), device="cpu", model_kwargs={"dtype": "float32"}
    )
    texts = ["Тире.", RULES["tsya"][1], " ".join(body for _, body in RULES.values()) * 20]
    prefix = encoder.info.passage_prefix
    expected = bare.encode([prefix + text for text in texts], normalize_embeddings=True)
    ids = encoder.passage_ids(texts)
    assert max(map(len, ids)) == encoder.info.max_tokens
    served = []

    def serve_a_query() -> None:
        if not served:
            served.append(encoder.embed(encoder.query_ids(["тире"])))

    got = encoder.embed(ids, serve_a_query)
    assert abs(got - expected).max() < 1e-4
    assert abs(served[0] - encoder.embed(encoder.query_ids(["тире"]))).max() < 1e-5
