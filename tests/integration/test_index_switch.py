"""What a change of the model rests on: collections of their own, one switch, leases, groups."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio

from explanation_service.content.events import ContentEvent
from explanation_service.indexing.patience import Patience
from explanation_service.indexing.rebuild.follower import Follower
from explanation_service.settings import Settings, load_settings
from explanation_service.stores.errors import CollectionMissing, IndexMoved, ModelMismatch
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.forgotten_groups import drop_forgotten, rebuild_stream
from explanation_service.stores.index_collections import IndexCollections
from explanation_service.stores.lease import Lease
from explanation_service.stores.mongodb import connect_mongodb
from explanation_service.stores.qdrant import connect_qdrant
from explanation_service.stores.rebuild_states import RebuildState, RebuildStates
from explanation_service.stores.records import (
    EmbeddingModelInfo,
    PassagePoint,
    SearchFilters,
    SparseVector,
)
from explanation_service.stores.redis import RedisClient, close, connect_redis
from explanation_service.stores.vector_index import VectorIndex, connect_vector_index

OLD = EmbeddingModelInfo("old", "r1", 4, 128)
NEW = EmbeddingModelInfo("new", "r2", 8, 128)
WORDS = SparseVector((7,), (1.0,))


def point(template_id: str, dimension: int, chunk: int = 0, of: int = 1) -> PassagePoint:
    dense = [1.0] + [0.0] * (dimension - 1)
    return PassagePoint(
        template_id, chunk, of, 1, "h", "Правило", "текст", None, None, (), dense, WORDS
    )


@pytest_asyncio.fixture
async def index(settings: Settings) -> AsyncIterator[VectorIndex]:
    index = connect_vector_index(settings)
    yield index
    await index.close()


@pytest_asyncio.fixture
async def collections(settings: Settings) -> AsyncIterator[IndexCollections]:
    collections = IndexCollections(connect_qdrant(settings), settings.qdrant_collection)
    yield collections
    for name in await collections.names():
        await collections.drop(name)
    await collections.close()


@pytest_asyncio.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    client = connect_redis(load_settings(redis_url=redis_url))
    yield client
    await close(client)


async def found(index: VectorIndex) -> list[str]:
    hits = (await index.search(None, WORDS, SearchFilters(), 5)).lexical
    return [hit.template_id for hit in hits]


async def test_who_writes_stays_with_its_own_collection(
    index: VectorIndex, collections: IndexCollections
) -> None:
    alias = index.alias
    await index.ensure_collection(OLD)
    await index.upsert([point("a", 4)])
    await index.check_served()
    await collections.create(f"{alias}_r2", 8)
    new = index.for_collection(f"{alias}_r2")
    await new.upsert([point("b", 8)])
    assert await found(index) == ["a"] and await found(new) == ["b"]

    await collections.switch(f"{alias}_r2")
    assert await collections.served() == f"{alias}_r2"
    assert await found(index) == ["b"], "searches go through the alias"
    await index.upsert([point("c", 4)])
    await index.delete(["b"])
    assert await index.count() == 2 and await new.count() == 1, "writes do not"
    with pytest.raises(IndexMoved, match=f"{alias}_r2"):
        await index.check_served()
    with pytest.raises(ModelMismatch):
        await index.ensure_collection(OLD)
    assert await collections.names() == [f"{alias}_r1", f"{alias}_r2"]


async def test_a_later_generation_is_found_behind_the_alias(
    index: VectorIndex, collections: IndexCollections
) -> None:
    await index.ensure_collection(OLD)
    second = f"{index.alias}_r1_2"
    await collections.create(second, 4)
    await collections.switch(second)
    with pytest.raises(IndexMoved):
        await index.check_served()
    await index.ensure_collection(OLD)
    await index.check_served()
    await index.upsert([point("a", 4)])
    assert await index.for_collection(second).count() == 1


async def test_a_switch_to_nothing_changes_nothing(
    index: VectorIndex, collections: IndexCollections
) -> None:
    await index.ensure_collection(OLD)
    with pytest.raises(CollectionMissing):
        await collections.switch(f"{index.alias}_none")
    assert await collections.served() == f"{index.alias}_r1"


async def test_no_search_falls_between_two_collections(
    index: VectorIndex, collections: IndexCollections
) -> None:
    alias = index.alias
    await index.ensure_collection(OLD)
    await index.upsert([point("a", 4)])
    await collections.create(f"{alias}_r2", 8)
    await index.for_collection(f"{alias}_r2").upsert([point("b", 8)])
    done = asyncio.Event()

    async def search() -> set[str]:
        seen = set()
        while not done.is_set():
            hits = await found(index)
            assert len(hits) == 1, "neither none nor both"
            seen.add(hits[0])
        return seen

    searching = [asyncio.create_task(search()) for _ in range(4)]
    for number in range(40):
        await collections.switch(f"{alias}_r{number % 2 + 1}")
    done.set()
    assert set().union(*await asyncio.gather(*searching)) == {"a", "b"}


async def test_a_lease_has_one_holder_and_ends_by_itself(redis: RedisClient) -> None:
    key = f"test:lease:{uuid4().hex}"
    first, second = Lease(redis, key, "first", 30), Lease(redis, key, "second", 0.3)
    assert await first.state() == (None, 0.0)
    assert await first.take() and not await second.take() and not await second.renew()
    holder, left = await second.state()
    assert holder == "first" and 25 < left <= 30
    await second.release()
    assert await first.renew(), "only the holder gives it back"
    await first.release()
    assert await second.take()
    while not await first.take():
        await asyncio.sleep(0.02)
    assert not await second.renew(), "it ran out, and is another one's"


def event(template_id: str) -> ContentEvent:
    return ContentEvent.model_validate(
        {
            "event_id": uuid4().hex,
            "entity_id": template_id,
            "op": "upsert",
            "version": 1,
            "occurred_at": "2026-01-01T00:00:00Z",
        }
    )


async def test_a_guard_that_objects_leaves_the_entry_pending(redis: RedisClient) -> None:
    stream = EventStream(redis, f"test:{uuid4().hex}", "g")
    await stream.ensure_group()
    entry = await stream.append(event("a"))
    await stream.read_new("w", 10, 1)

    async def moved() -> None:
        raise IndexMoved("elsewhere")

    async def fine() -> None:
        return

    with pytest.raises(IndexMoved):
        await stream.guarded(moved).ack([entry])
    assert (await stream.status()).pending == 1
    assert await stream.guarded(fine).ack([entry]) == 1


async def test_groups_of_rebuilds_that_were_left_are_dropped(redis: RedisClient) -> None:
    stream = EventStream(redis, f"test:{uuid4().hex}", "g")
    assert await drop_forgotten(redis, stream, 0) == []
    await stream.ensure_group()
    await stream.append(event("a"))
    await stream.read_new("w", 10, 1)
    rebuild = rebuild_stream(stream, "templates_r2")
    await rebuild.ensure_group()
    assert await drop_forgotten(redis, stream, 0) == [], "nobody has read yet: it is just made"
    assert len(await rebuild.read_new("rebuild", 10, 1)) == 1, "it gets every entry of its own"
    assert await drop_forgotten(redis, stream, 3600) == []
    assert await drop_forgotten(redis, stream, 0) == ["g:rebuild:templates_r2"]
    groups = await redis.xinfo_groups(stream.name)
    assert [group["name"] for group in groups] == ["g"], "the workers' own stays, however idle"
    await rebuild.drop_group()
    await rebuild.of_group("never there").drop_group()
    await EventStream(redis, f"test:{uuid4().hex}", "g").drop_group()


async def test_the_state_of_a_rebuild_is_kept(settings: Settings) -> None:
    store = connect_mongodb(settings)
    states = RebuildStates(store)
    try:
        assert await states.get("t") is None
        wanted = RebuildState("t_r2", "r2", "switching", "x9", 12, "t_r1", ("t_r0",))
        await states.put("t", wanted)
        await states.put("t", wanted)
        kept = await states.get("t")
        assert kept is not None and kept.updated_at is not None
        assert (kept.collection, kept.phase, kept.after, kept.done) == (
            "t_r2",
            "switching",
            "x9",
            12,
        )
        assert (kept.kept, kept.leftovers) == ("t_r1", ("t_r0",))
        await states.forget("t")
        assert await states.get("t") is None
    finally:
        await store.close()


async def test_a_rebuild_that_was_killed_before_its_first_read_is_forgotten(
    redis: RedisClient,
) -> None:
    stream = EventStream(redis, f"t:{uuid4().hex}", "g")
    await stream.ensure_group()
    of_rebuild = rebuild_stream(stream, "templates_r2")
    follower = Follower(of_rebuild, None, Patience())  # type: ignore[arg-type]
    await follower.start()
    assert follower.missed
    assert await drop_forgotten(redis, stream, 0) == [of_rebuild.group]
    await redis.delete(stream.name)
