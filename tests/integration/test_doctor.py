"""`explanation doctor` on real stores: what it says of states that need somebody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest_asyncio

from explanation_service.cli import doctor
from explanation_service.indexing.connections import Connections, connect
from explanation_service.settings import Settings
from explanation_service.stores.rebuild_states import RebuildState, RebuildStates
from explanation_service.stores.records import EmbeddingModelInfo

SERVED = EmbeddingModelInfo("served", "r1", 4, 64)
OTHER = EmbeddingModelInfo("other", "r2", 4, 64)


@pytest_asyncio.fixture
async def stores(settings: Settings) -> AsyncIterator[Connections]:
    stores = connect(settings)
    yield stores
    if collection := await stores.index.collection_name():
        await stores.index._client.delete_collection(collection)
    await stores.close()


async def findings(settings: Settings) -> dict[str, doctor.Finding]:
    names = [check.__name__.strip("_") for check in doctor.CHECKS]
    found = dict(zip(names, await doctor._examine(settings), strict=True))
    assert all(finding.sentence.endswith(".") for finding in found.values())
    return found


async def test_workers_of_another_model_than_the_index(
    settings: Settings, stores: Connections
) -> None:
    await stores.index.ensure_collection(SERVED)
    try:
        await stores.queries.heartbeat("other", "query", OTHER, True)
        finding = (await findings(settings))["index"]
        assert finding.state == "wrong" and "rebuild-embeddings" in finding.sentence
        await stores.queries.heartbeat("served", "all", SERVED, True)
        finding = (await findings(settings))["index"]
        assert finding.state == "ok" and "_r1, 0 passages" in finding.sentence
    finally:
        for consumer in ("other", "served"):
            await stores.queries.withdraw(consumer)


async def test_a_rebuild_that_waits_for_somebody(settings: Settings, stores: Connections) -> None:
    states, alias = RebuildStates(stores.mongodb), settings.qdrant_collection
    assert (await findings(settings))["rebuild"].state == "ok"
    state = RebuildState(f"{alias}_r2", "r2", "filling", "t", 12)
    for phase, state_of_it, word in (
        ("filling", "note", "12 templates"),
        ("refused", "note", "--abandon"),
        ("switched", "ok", "--drop-old"),
    ):
        await states.put(alias, replace(state, phase=phase, kept=f"{alias}_r1"))  # type: ignore[arg-type]
        finding = (await findings(settings))["rebuild"]
        assert finding.state == state_of_it and word in finding.sentence


async def test_a_redis_that_may_evict_the_stream(settings: Settings, stores: Connections) -> None:
    assert (await findings(settings))["redis"].state == "ok"
    before = await stores.redis.config_get("maxmemory*")
    try:
        await stores.redis.config_set("maxmemory", "1gb")
        assert (await findings(settings))["redis"].state == "ok"
        await stores.redis.config_set("maxmemory-policy", "allkeys-lru")
        finding = (await findings(settings))["redis"]
        assert finding.state == "wrong" and "allkeys-lru" in finding.sentence
    finally:
        await stores.redis.config_set("maxmemory", before["maxmemory"])
        await stores.redis.config_set("maxmemory-policy", before["maxmemory-policy"])
