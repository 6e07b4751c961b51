"""Direct writes to a MongoDB that is no replica set, found by their time of change."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from explanation_service.content.rule_book import RuleBook
from explanation_service.content.template import TemplateDraft
from explanation_service.indexing import reconcile_schedule
from explanation_service.indexing.connections import Connections, connect
from explanation_service.settings import Settings
from explanation_service.stores import change_polling
from explanation_service.stores.change_polling import PollingSource
from explanation_service.stores.changes import open_changes
from explanation_service.stores.errors import HistoryLost
from explanation_service.stores.records import SearchFilters
from explanation_service.telemetry.metrics import REGISTRY
from tests.integration.toy_worker import INFO, eventually, toy_worker


def now(seconds: float = 0.0) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def relayed() -> float:
    return REGISTRY.get_sample_value("embed_relayed_total", {"source": "polling"}) or 0.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_polling, "INTERVAL", 0.05)
    monkeypatch.setattr(reconcile_schedule, "LOOK_EVERY", 0.2)


@pytest.fixture
async def stores(settings: Settings) -> AsyncIterator[Connections]:
    connections = connect(settings)
    await connections.repository.ensure_indexes()
    yield connections
    await connections.close()


@pytest.fixture
def templates(stores: Connections) -> Any:
    """The collection, as another program sees it."""
    return stores.mongodb.database["templates"]


@pytest.fixture
async def source(stores: Connections) -> AsyncIterator[PollingSource]:
    source = await open_changes(stores.mongodb)
    assert isinstance(source, PollingSource)
    await source.begin(await source.now())
    yield source
    await source.close()


async def look(source: PollingSource) -> list[str]:
    """What one whole look tells, where it fits into one page."""
    return sorted((await source.next()).ids)


async def test_each_change_is_told_once(source: PollingSource, templates: Any) -> None:
    await templates.insert_one({"_id": "a", "updated_at": now()})
    # A clock that is late, and one that is ahead.
    await templates.insert_one({"_id": "late", "updated_at": now(-5)})
    await templates.insert_one({"_id": "ahead", "updated_at": now(5)})
    assert await look(source) == ["a", "ahead", "late"]
    assert await look(source) == []
    await templates.update_one({"_id": "a"}, {"$set": {"updated_at": now()}})
    assert await look(source) == ["a"]
    assert await look(source) == []


async def test_what_it_cannot_see_is_left_to_the_reconciler(
    source: PollingSource, templates: Any
) -> None:
    await templates.insert_many(
        [
            {"_id": "none"},
            {"_id": "text", "updated_at": "2026-01-01"},
            {"_id": "list", "updated_at": [now()]},
            {"_id": "very-late", "updated_at": now(-3600)},
            {"_id": "far-ahead", "updated_at": now(3600)},
            {"_id": 17, "updated_at": now()},
            {"_id": "seen", "updated_at": now()},
        ]
    )
    assert await look(source) == ["seen"]
    assert await look(source) == []


async def test_a_large_import_comes_in_pages(
    source: PollingSource, templates: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_polling, "_PAGE", 10)
    moment = now()
    ids = [f"t{number:03}" for number in range(45)]
    await templates.insert_many([{"_id": one, "updated_at": moment} for one in ids])
    found: list[str] = []

    async def all_of_them() -> bool:
        changes = await source.next()
        assert len(changes.ids) <= 10
        found.extend(changes.ids)
        return len(found) >= len(ids)

    await eventually(all_of_them)
    assert sorted(found) == ids
    assert await look(source) == []


async def test_a_position_is_where_another_process_goes_on(
    source: PollingSource, templates: Any, stores: Connections
) -> None:
    position = await source.now()
    await templates.insert_one({"_id": "a", "updated_at": now()})
    assert await look(source) == ["a"]
    later = (await source.next()).position
    assert later >= position
    other = PollingSource(stores.mongodb)
    await other.begin(position)
    assert await look(other) == ["a"]
    await other.close()
    with pytest.raises(HistoryLost):
        await other.begin('{"_data": "82"}')


async def test_writes_of_the_service_are_not_told(
    source: PollingSource, stores: Connections, templates: Any
) -> None:
    rule_book = RuleBook(stores.repository, stores.stream)
    for number in range(10):
        await rule_book.put(f"t{number}", TemplateDraft(title="т", body="б"))
    await rule_book.delete("t1")
    await rule_book.put("t2", TemplateDraft(title="т", body="другое"))
    assert await look(source) == []
    # Somebody else comes after us.
    await templates.update_one({"_id": "t3"}, {"$set": {"body": "иное", "updated_at": now(1)}})
    assert await look(source) == ["t3"]
    await rule_book.put("t3", TemplateDraft(title="т", body="снова"))
    assert await look(source) == []


async def found(stores: Connections, template_id: str) -> str | None:
    """What the index says of a template."""
    hits = await stores.index.search([1.0] * INFO.dimension, None, SearchFilters(), 50)
    passages = await stores.index.passages(hits.dense)
    return next((one.text for one in passages if one.template_id == template_id), None)


async def test_direct_writes_become_searchable(
    settings: Settings, stores: Connections, templates: Any
) -> None:
    async with toy_worker(settings):
        # The first start compares everything; from here on the changes alone are read.
        async def following() -> bool:
            return REGISTRY.get_sample_value("embed_relay_leader") == 1

        await eventually(following)
        before = relayed()
        await templates.insert_one(
            {"_id": "a", "title": "Правило", "body": "вставлено", "updated_at": now()}
        )
        await eventually(lambda: _says(stores, "a", "вставлено"))
        # As an editor does who knows nothing of versions.
        await templates.update_one(
            {"_id": "a"}, {"$set": {"body": "исправлено", "updated_at": now()}}
        )
        await eventually(lambda: _says(stores, "a", "исправлено"))
        await templates.update_one({"_id": "a"}, {"$set": {"status": "draft", "updated_at": now()}})
        await eventually(lambda: _says(stores, "a", None))
        assert relayed() >= before + 2


async def test_what_polling_cannot_see_is_found_by_the_schedule(
    settings: Settings, stores: Connections, templates: Any
) -> None:
    each_second = settings.model_copy(update={"reconcile_interval_seconds": 1})
    await templates.insert_one({"_id": "a", "title": "Правило", "body": "старое", "version": 3})
    await templates.insert_one({"_id": "b", "title": "Правило", "body": "другое"})
    async with toy_worker(each_second):
        await eventually(lambda: _says(stores, "a", "старое"))
        await eventually(lambda: _says(stores, "b", "другое"))
        # Neither version nor time move: the hash tells.
        await templates.update_one({"_id": "a"}, {"$set": {"body": "новое"}})
        await eventually(lambda: _says(stores, "a", "новое"))
        await templates.delete_one({"_id": "b"})
        await eventually(lambda: _says(stores, "b", None))


async def test_writes_of_the_service_are_not_doubled(
    settings: Settings, stores: Connections
) -> None:
    rule_book = RuleBook(stores.repository, stores.stream)
    async with toy_worker(settings):
        before = relayed()
        for number in range(20):
            await rule_book.put(f"t{number}", TemplateDraft(title="т", body=f"правило {number}"))
        await rule_book.delete("t0")

        async def position_is_past_them() -> bool:
            notes = await stores.redis.hgetall(f"{settings.redis_stream_name}:relay:notes")
            return notes.get("position", "") > written.isoformat()

        written = now(1)
        await eventually(position_is_past_them)
        assert relayed() == before


async def _says(stores: Connections, template_id: str, text: str | None) -> bool:
    return await found(stores, template_id) == text
