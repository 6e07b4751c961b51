"""The rule book in a real MongoDB, and its outbox to a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import pytest_asyncio

from explanation_service.content.importer import import_templates
from explanation_service.content.rule_book import RuleBook, TemplateNotFound
from explanation_service.content.template import TemplateDraft
from explanation_service.settings import load_settings
from explanation_service.stores.errors import ConditionFailed, StoreRejected, StoreUnavailable
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.mongodb import (
    MongoStore,
    StoredWrite,
    TemplateRepository,
    connect_mongodb,
)
from explanation_service.stores.redis import close, connect_redis
from explanation_service.stores.write_condition import WriteCondition

NO_REDIS = "redis://127.0.0.1:1/0"
NOW = timedelta(0)


@pytest_asyncio.fixture
async def store(mongodb_uri: str) -> AsyncIterator[MongoStore]:
    settings = load_settings(mongodb_uri=mongodb_uri, mongodb_db=f"t{uuid4().hex[:12]}")
    store = connect_mongodb(settings)
    yield store
    await store.database.client.drop_database(settings.mongodb_db)
    await store.close()


@pytest_asyncio.fixture
async def repository(store: MongoStore) -> TemplateRepository:
    repository = TemplateRepository(store)
    await repository.ensure_indexes()
    return repository


@pytest_asyncio.fixture
async def stream(redis_url: str) -> AsyncIterator[EventStream]:
    redis = connect_redis(load_settings(redis_url=redis_url))
    name = f"t:{uuid4().hex}"
    yield EventStream(redis, name, "g")
    await redis.delete(name, f"{name}:dead")
    await close(redis)


def draft(title: str = "Тире", body: str = "Тире ставится, если…", **more: object) -> TemplateDraft:
    return TemplateDraft.model_validate({"title": title, "body": body, **more})


async def fields_in(stream: EventStream) -> list[dict[str, str]]:
    return [fields for _, fields in await stream._redis.xrange(stream.name)]


async def test_put_counts_versions_and_says_what_was_created(
    repository: TemplateRepository,
) -> None:
    first = await repository.put("a", draft(tags=("x", "y"), topic="Пунктуация"), "tp")
    second = await repository.put("a", draft("Новое"), None)
    assert (first.created, first.template.version) == (True, 1)
    assert (second.created, second.template.version) == (False, 2)
    assert (first.event.op, first.event.version, first.event.traceparent) == ("upsert", 1, "tp")
    stored = await repository.get("a")
    assert stored is not None and stored.template == second.template
    assert stored.template.topic is None and stored.template.tags == ()
    assert stored.template.updated_at.tzinfo is not None


async def test_a_deleted_template_leaves_a_tombstone_and_goes_on_counting(
    repository: TemplateRepository, store: MongoStore
) -> None:
    await repository.put("a", draft())
    event = await repository.mark_deleted("a", "tp")
    assert event is not None and (event.op, event.version, event.traceparent) == ("delete", 2, "tp")
    document = await store.database["templates"].find_one({"_id": "a"})
    assert document is not None
    assert set(document) == {"_id", "version", "deleted", "updated_at", "event_at", "outbox"}
    stored = await repository.get("a")
    assert stored is not None and stored.deleted and stored.template is None
    assert stored.version == 2
    assert await repository.mark_deleted("a") is None
    assert await repository.mark_deleted("never") is None
    again = await repository.put("a", draft())
    assert (again.created, again.template.version) == (True, 3)


async def test_concurrent_writers_get_distinct_versions(repository: TemplateRepository) -> None:
    writes = await asyncio.gather(*(repository.put("a", draft(f"t{n}")) for n in range(20)))
    assert sorted(write.template.version for write in writes) == list(range(1, 21))
    assert sum(write.created for write in writes) == 1
    stored = await repository.get("a")
    last = next(write for write in writes if write.template.version == 20)
    assert stored is not None and stored.template == last.template


async def test_of_writers_who_saw_the_same_version_one_wins(
    repository: TemplateRepository,
) -> None:
    await repository.put("a", draft())
    at_first = WriteCondition(exists=True, versions=frozenset({1}))
    outcomes = await asyncio.gather(
        *(repository.put("a", draft(f"t{n}"), None, at_first) for n in range(10)),
        return_exceptions=True,
    )
    won = [each for each in outcomes if isinstance(each, StoredWrite)]
    assert [write.template.version for write in won] == [2]
    assert sum(isinstance(each, ConditionFailed) for each in outcomes) == 9
    stored = await repository.get("a")
    assert stored is not None and stored.template == won[0].template
    assert await repository.pending_outbox(NOW, 10) == [won[0].event]


async def test_of_writers_who_create_one_wins(repository: TemplateRepository) -> None:
    fresh = WriteCondition(exists=False)
    for expected in (1, 3):
        outcomes = await asyncio.gather(
            *(repository.put("a", draft(f"t{n}"), None, fresh) for n in range(10)),
            return_exceptions=True,
        )
        won = [each for each in outcomes if isinstance(each, StoredWrite)]
        assert [(write.template.version, write.created) for write in won] == [(expected, True)]
        assert sum(isinstance(each, ConditionFailed) for each in outcomes) == 9
        await repository.mark_deleted("a")


async def test_conditions_on_a_write(repository: TemplateRepository, store: MongoStore) -> None:
    some = WriteCondition(exists=True, versions=frozenset({1, 3}))
    anything = WriteCondition(exists=True)
    for condition in (some, anything):
        with pytest.raises(ConditionFailed):
            await repository.put("a", draft(), None, condition)
    assert await repository.get("a") is None, "a condition must not leave a document behind"
    await repository.put("a", draft())
    await repository.put("a", draft())
    with pytest.raises(ConditionFailed):
        await repository.put("a", draft(), None, some)
    with pytest.raises(ConditionFailed):
        await repository.mark_deleted("a", None, some)
    assert (await repository.put("a", draft(), None, anything)).template.version == 3
    event = await repository.mark_deleted("a", None, some)
    assert event is not None and event.version == 4
    assert await repository.mark_deleted("a", None, some) is None
    for condition in (some, anything):
        with pytest.raises(ConditionFailed):
            await repository.put("a", draft(), None, condition)


async def test_a_document_without_a_version_is_written_once_as_version_1(
    repository: TemplateRepository, store: MongoStore
) -> None:
    await store.database["templates"].insert_many(
        [{"_id": name, "title": "Т", "body": "Б"} for name in ("a", "b")]
    )
    first = WriteCondition(exists=True, versions=frozenset({1}))
    assert (await repository.put("a", draft(), None, first)).template.version == 2
    with pytest.raises(ConditionFailed):
        await repository.put("a", draft(), None, first)
    assert await repository.mark_deleted("b", None, first) is not None


async def test_reads_of_many(repository: TemplateRepository) -> None:
    for number in range(7):
        await repository.put(f"t{number}", draft(f"Тема {number}"))
    await repository.mark_deleted("t3")
    many = await repository.get_many(["t1", "t3", "nope", "t1"])
    assert set(many) == {"t1", "t3"} and many["t3"].deleted
    page, following = await repository.page(after=None, limit=4)
    assert [template.id for template in page] == ["t0", "t1", "t2", "t4"]
    assert following == "t4"
    rest, following = await repository.page(after=following, limit=4)
    assert ([template.id for template in rest], following) == (["t5", "t6"], None)
    exact, following = await repository.page(after=None, limit=6)
    assert (len(exact), following) == (6, None)
    everything = [(stored.id, stored.deleted) async for stored in repository.iterate_all(batch=3)]
    assert everything == [(f"t{n}", n == 3) for n in range(7)]
    assert await repository.get("nope") is None


async def test_documents_that_somebody_else_wrote(
    repository: TemplateRepository, store: MongoStore
) -> None:
    await store.database["templates"].insert_many(
        [
            {"_id": "bare", "title": "Т", "body": "Б"},
            {"_id": "broken", "title": "Т", "version": 4},
        ]
    )
    found = await repository.get_many(["bare", "broken"])
    bare, broken = found["bare"], found["broken"]
    assert bare.template is not None and bare.version == 1 and bare.fault is None
    assert broken.template is None and not broken.deleted and broken.version == 4
    assert broken.fault == "body: Field required"
    # A page that lost a document to this is not taken for the last one.
    await repository.put("later", draft())
    first, following = await repository.page(after=None, limit=2)
    assert [template.id for template in first] == ["bare"] and following == "broken"
    second, following = await repository.page(following, 2)
    assert [template.id for template in second] == ["later"] and following is None


async def test_an_outbox_is_cleared_only_by_its_own_event(repository: TemplateRepository) -> None:
    first = await repository.put("a", draft())
    second = await repository.put("a", draft("Другое"))
    assert await repository.pending_outbox(timedelta(seconds=60), 10) == []
    assert await repository.pending_outbox(NOW, 10) == [second.event]
    assert not await repository.clear_outbox("a", first.event.event_id)
    assert await repository.clear_outbox("a", second.event.event_id)
    assert await repository.pending_outbox(NOW, 10) == []


async def test_a_write_publishes_its_event_and_clears_the_outbox(
    repository: TemplateRepository, stream: EventStream
) -> None:
    rule_book = RuleBook(repository, stream)
    template, created = await rule_book.put("a", draft())
    await rule_book.delete("a")
    events = await fields_in(stream)
    assert created and template.version == 1
    assert [(event["op"], event["version"]) for event in events] == [
        ("upsert", "1"),
        ("delete", "2"),
    ]
    assert await repository.pending_outbox(NOW, 10) == []
    for call in (rule_book.get("a"), rule_book.delete("a")):
        with pytest.raises(TemplateNotFound):
            await call


async def test_a_write_survives_without_redis_and_the_sweep_publishes_it(
    repository: TemplateRepository, store: MongoStore, stream: EventStream
) -> None:
    redis = connect_redis(load_settings(redis_url=NO_REDIS))
    cut_off = RuleBook(repository, EventStream(redis, stream.name, "g"))
    await cut_off.put("a", draft())
    await cut_off.put("b", draft())
    await cut_off.delete("b")
    rule_book = RuleBook(repository, stream)
    assert await rule_book.publish_pending() == 0, "its writer may still be about to publish"
    long_ago = datetime.now(UTC) - timedelta(seconds=10)
    await store.database["templates"].update_many({}, {"$set": {"outbox.occurred_at": long_ago}})
    with pytest.raises(StoreUnavailable):
        await cut_off.publish_pending()
    assert await rule_book.publish_pending() == 2
    events = {event["entity_id"]: event["op"] for event in await fields_in(stream)}
    assert events == {"a": "upsert", "b": "delete"}
    assert await rule_book.publish_pending() == 0
    await close(redis)


async def test_a_second_import_writes_nothing(
    repository: TemplateRepository, stream: EventStream
) -> None:
    rule_book = RuleBook(repository, stream)
    items = [(f"t{n}", draft(f"Тема {n}", tags=("a",))) for n in range(130)]
    steps: list[int] = []
    first = await import_templates(rule_book, items, steps.append)
    assert (first.created, first.updated, first.unchanged, first.failed) == (130, 0, 0, 0)
    assert sum(steps) == 130
    await rule_book.delete("t7")
    items[9] = ("t9", draft("Иначе"))
    second = await import_templates(rule_book, items)
    assert (second.created, second.updated, second.unchanged) == (1, 1, 128)
    assert await stream._redis.xlen(stream.name) == 133


async def test_a_mongodb_that_is_away_or_refuses() -> None:
    away = connect_mongodb(load_settings(mongodb_uri="mongodb://127.0.0.1:1"))
    repository = TemplateRepository(away)
    for call in (away.ping(), repository.put("a", draft())):
        with pytest.raises(StoreUnavailable) as caught:
            await call
        assert caught.value.name == "mongodb" and "\n" not in caught.value.detail
    await away.close()


async def test_a_bad_id_is_refused_before_anything_is_written(
    repository: TemplateRepository,
) -> None:
    with pytest.raises(ValueError):
        await repository.put("две запятые", draft())
    assert [stored async for stored in repository.iterate_all()] == []


async def test_a_refused_document_is_rejected(
    repository: TemplateRepository, store: MongoStore
) -> None:
    await store.database["templates"].insert_one({"_id": "a", "version": "three"})
    with pytest.raises(StoreRejected):
        await repository.put("a", draft())
