from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from explanation_service.content.events import ContentEvent
from explanation_service.content.rule_book import (
    PreconditionFailed,
    RuleBook,
    TemplateNotFound,
)
from explanation_service.content.template import Template, TemplateDraft
from explanation_service.stores.errors import ConditionFailed, StoreUnavailable
from explanation_service.stores.mongodb import StoredTemplate, StoredWrite
from explanation_service.stores.write_condition import ANY_STATE, WriteCondition
from explanation_service.telemetry.request_context import bind

DRAFT = TemplateDraft(title="Т", body="Б")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Repository:
    """What RuleBook needs of TemplateRepository, in memory; notes the order of calls in `log`."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.outbox: dict[str, ContentEvent] = {}
        self.stored: dict[str, StoredTemplate] = {}

    def _event(self, op: str, key: str, traceparent: str | None) -> ContentEvent:
        event = ContentEvent.model_validate(
            {
                "event_id": f"{op}-{key}",
                "entity_id": key,
                "op": op,
                "version": 1,
                "occurred_at": NOW,
                "traceparent": traceparent,
            }
        )
        self.outbox[key] = event
        self.log.append(f"write {key}")
        return event

    async def put(
        self,
        key: str,
        draft: TemplateDraft,
        traceparent: str | None,
        condition: WriteCondition = ANY_STATE,
    ) -> StoredWrite:
        self._check(key, condition)
        template = Template(id=key, version=1, updated_at=NOW, **draft.model_dump())
        created = key not in self.stored
        self.stored[key] = StoredTemplate(key, template, 1, False)
        return StoredWrite(template, self._event("upsert", key, traceparent), created)

    async def mark_deleted(
        self, key: str, traceparent: str | None, condition: WriteCondition = ANY_STATE
    ) -> ContentEvent | None:
        self._check(key, condition)
        return self._event("delete", key, traceparent) if key in self.stored else None

    def _check(self, key: str, condition: WriteCondition) -> None:
        if condition.versions == frozenset():
            raise ConditionFailed(key)

    async def get(self, key: str) -> StoredTemplate | None:
        return self.stored.get(key)

    async def pending_outbox(self, older_than: timedelta, limit: int) -> list[ContentEvent]:
        return list(self.outbox.values())[:limit]

    async def clear_outbox(self, key: str, event_id: str) -> bool:
        assert self.outbox[key].event_id == event_id
        del self.outbox[key]
        self.log.append(f"clear {key}")
        return True


class Stream:
    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.events: list[ContentEvent] = []
        self.down = False

    async def append(self, event: ContentEvent) -> str:
        return (await self.append_many([event]))[0]

    async def append_many(self, events: list[ContentEvent]) -> list[str]:
        if self.down:
            raise StoreUnavailable("redis", "refused")
        self.events += events
        self.log += [f"publish {event.entity_id}" for event in events]
        return ["1-0"] * len(events)


@pytest.fixture
def parts() -> tuple[RuleBook, Repository, Stream]:
    log: list[str] = []
    repository, stream = Repository(log), Stream(log)
    return RuleBook(repository, stream), repository, stream  # type: ignore[arg-type]


async def test_the_outbox_is_cleared_only_after_the_event_is_out(
    parts: tuple[RuleBook, Repository, Stream],
) -> None:
    rule_book, repository, stream = parts
    with bind("r", "00-trace"):
        template, created = await rule_book.put("a", DRAFT)
    assert created and template.draft() == DRAFT
    assert repository.log == ["write a", "publish a", "clear a"]
    assert stream.events[0].traceparent == "00-trace"


async def test_a_write_succeeds_without_redis_and_keeps_its_event(
    parts: tuple[RuleBook, Repository, Stream],
) -> None:
    rule_book, repository, stream = parts
    stream.down = True
    await rule_book.put("a", DRAFT)
    await rule_book.put("b", DRAFT)
    await rule_book.delete("b")
    assert {key: event.op for key, event in repository.outbox.items()} == {
        "a": "upsert",
        "b": "delete",
    }
    with pytest.raises(StoreUnavailable):
        await rule_book.publish_pending()
    assert len(repository.outbox) == 2
    stream.down = False
    assert await rule_book.publish_pending() == 2
    assert repository.outbox == {} and await rule_book.publish_pending() == 0


async def test_a_long_outbox_is_published_to_its_end(
    parts: tuple[RuleBook, Repository, Stream],
) -> None:
    rule_book, repository, stream = parts
    stream.down = True
    for number in range(1100):
        await repository.put(f"t{number}", DRAFT, None)
    stream.down = False
    assert await rule_book.publish_pending() == 1100
    assert repository.outbox == {}


async def test_absent_deleted_and_broken_templates_are_not_found(
    parts: tuple[RuleBook, Repository, Stream],
) -> None:
    rule_book, repository, _ = parts
    repository.stored["gone"] = StoredTemplate("gone", None, 2, True)
    repository.stored["broken"] = StoredTemplate("broken", None, 1, False, None, "body: missing")
    for name in ("never", "gone", "broken"):
        with pytest.raises(TemplateNotFound) as caught:
            await rule_book.get(name)
        assert caught.value.template_id == name
    with pytest.raises(TemplateNotFound):
        await rule_book.delete("never")


async def test_a_condition_that_does_not_hold_says_what_is_there_and_writes_nothing(
    parts: tuple[RuleBook, Repository, Stream],
) -> None:
    rule_book, repository, stream = parts
    never = WriteCondition(exists=True, versions=frozenset())
    for version in (None, 1):
        for call in (rule_book.put("a", DRAFT, never), rule_book.delete("a", never)):
            with pytest.raises(PreconditionFailed) as caught:
                await call
            assert (caught.value.template_id, caught.value.version) == ("a", version)
        repository.stored["a"] = StoredTemplate("a", None, 1, False)
    assert stream.events == [] and repository.outbox == {}
