"""The application over stand-ins of the stores: real endpoints, real services, no network."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from explanation_service.api.app import create_app
from explanation_service.api.services import Services
from explanation_service.content.events import ContentEvent
from explanation_service.content.rule_book import RuleBook
from explanation_service.content.template import Template, TemplateDraft
from explanation_service.explanations.findings import FindingsService
from explanation_service.explanations.language_model import DisabledLanguageModel
from explanation_service.explanations.service import ExplanationService
from explanation_service.retrieval.search import SearchResult
from explanation_service.settings import load_settings
from explanation_service.stores.errors import ConditionFailed, StoreUnavailable
from explanation_service.stores.idempotency import Claim, ClaimState
from explanation_service.stores.mongodb import StoredTemplate, StoredWrite
from explanation_service.stores.records import Passage, SearchFilters, StreamStatus, WorkerState
from explanation_service.stores.write_condition import ANY_STATE, WriteCondition


class Switch:
    """Which stores are away."""

    def __init__(self) -> None:
        self.down: set[str] = set()

    def check(self, name: str) -> None:
        if name in self.down:
            raise StoreUnavailable(name, "Connection refused to secret-host:1234")

    def probe(self, name: str) -> Callable[[], Awaitable[None]]:
        async def probe() -> None:
            self.check(name)

        return probe


class Repository:
    """A TemplateRepository in memory."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self.stored: dict[str, StoredTemplate] = {}

    def _next(self, template_id: str) -> int:
        self.switch.check("mongodb")
        before = self.stored.get(template_id)
        return before.version + 1 if before else 1

    def _check(self, template_id: str, condition: WriteCondition) -> None:
        before = self.stored.get(template_id)
        live = before is not None and not before.deleted
        if condition.exists not in (None, live):
            raise ConditionFailed(template_id)
        if condition.versions is not None and self._next(template_id) - 1 not in condition.versions:
            raise ConditionFailed(template_id)

    async def put(
        self,
        template_id: str,
        draft: TemplateDraft,
        traceparent: str | None = None,
        condition: WriteCondition = ANY_STATE,
    ) -> StoredWrite:
        version = self._next(template_id)
        self._check(template_id, condition)
        before = self.stored.get(template_id)
        now = datetime.now(UTC)
        template = Template(**draft.model_dump(), id=template_id, version=version, updated_at=now)
        self.stored[template_id] = StoredTemplate(template_id, template, version, False)
        event = _event(template_id, "upsert", version, traceparent)
        return StoredWrite(template, event, created=before is None or before.deleted)

    async def mark_deleted(
        self,
        template_id: str,
        traceparent: str | None = None,
        condition: WriteCondition = ANY_STATE,
    ) -> ContentEvent | None:
        version = self._next(template_id)
        before = self.stored.get(template_id)
        if before is None or before.deleted:
            return None
        self._check(template_id, condition)
        self.stored[template_id] = StoredTemplate(template_id, None, version, True)
        return _event(template_id, "delete", version, traceparent)

    async def get(self, template_id: str) -> StoredTemplate | None:
        return (await self.get_many([template_id])).get(template_id)

    async def get_many(self, template_ids: Sequence[str]) -> dict[str, StoredTemplate]:
        self.switch.check("mongodb")
        return {key: self.stored[key] for key in template_ids if key in self.stored}

    async def page(self, after: str | None, limit: int) -> tuple[list[Template], str | None]:
        self.switch.check("mongodb")
        live = [one for _, one in sorted(self.stored.items()) if not one.deleted]
        found = [one for one in live if one.id > (after or "")]
        templates = [one.template for one in found[:limit] if one.template is not None]
        return templates, found[limit - 1].id if len(found) > limit else None

    async def iterate_all(self, batch: int = 500) -> AsyncIterator[StoredTemplate]:
        self.switch.check("mongodb")
        for _, stored in sorted(self.stored.items()):
            yield stored

    async def pending_outbox(self, older_than: timedelta, limit: int) -> list[ContentEvent]:
        return []

    async def clear_outbox(self, template_id: str, event_id: str) -> bool:
        return True


class Stream:
    """An EventStream in memory."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self.events: list[ContentEvent] = []

    async def append(self, event: ContentEvent) -> str:
        return (await self.append_many([event]))[0]

    async def append_many(self, events: Sequence[ContentEvent]) -> list[str]:
        self.switch.check("redis")
        self.events += events
        return ["0-1" for _ in events]

    async def status(self) -> StreamStatus:
        self.switch.check("redis")
        return StreamStatus(len(self.events), 2, 1, 3.5, 1, 4)


class Index:
    """The part of VectorIndex that the status shows."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch

    async def collection_name(self) -> str | None:
        self.switch.check("qdrant")
        return "templates_rev1"

    async def count(self) -> int:
        self.switch.check("qdrant")
        return 7


class Workers:
    """The part of QueryEmbeddingClient that the status shows."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self.live: list[WorkerState] = []

    async def live_workers(self) -> list[WorkerState]:
        self.switch.check("redis")
        return self.live

    async def current_model(self) -> None:
        self.switch.check("redis")


class Search:
    """Finds published templates by a word of the query; keeps what it was asked."""

    def __init__(self, switch: Switch, repository: Repository) -> None:
        self.switch = switch
        self.repository = repository
        self.asked: list[tuple[str, int, SearchFilters, str]] = []
        self.degraded = False

    async def search(
        self,
        query: str,
        limit: int,
        filters: SearchFilters | None = None,
        mode: str = "hybrid",
    ) -> SearchResult:
        self.switch.check("qdrant")
        filters = filters or SearchFilters()
        self.asked.append((query, limit, filters, mode))
        hits = []
        for stored in self.repository.stored.values():
            template = stored.template
            if template is None or filters.topic not in (None, template.topic):
                continue
            text = f"{template.title} {template.body}".lower()
            if any(word in text for word in query.lower().split()):
                hits.append(_passage(template))
        used: Any = "lexical" if self.degraded else mode
        return SearchResult(hits[:limit], used, self.degraded, {"total": 1.0})


class Idempotency:
    """An IdempotencyStore in memory."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self.kept: dict[str, tuple[str, str | None]] = {}

    async def claim(self, principal: str, key: str, request: str, token: str) -> Claim:
        self.switch.check("redis")
        name = f"{principal}:{key}"
        if name not in self.kept:
            self.kept[name] = (request, None)
            return Claim(ClaimState.OURS, name, token, request)
        before, answer = self.kept[name]
        state = ClaimState.IN_PROGRESS if answer is None else ClaimState.ANSWERED
        if before != request:
            state = ClaimState.MISMATCH
        return Claim(state, name, token, request, answer)

    async def keep(self, claim: Claim, answer: str) -> None:
        self.kept[claim.key] = (claim.fingerprint, answer)

    async def release(self, claim: Claim) -> None:
        self.kept.pop(claim.key)


class RateLimits:
    """A RateLimitStore that lets `allowed` requests of each caller pass."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self.allowed = 3
        self.taken: dict[str, int] = {}

    async def take(self, caller: str, per_minute: int, burst: int) -> float:
        self.switch.check("redis")
        self.taken[caller] = self.taken.get(caller, 0) + 1
        return 0.0 if self.taken[caller] <= self.allowed else 1.5


@dataclasses.dataclass
class World:
    """The stand-ins behind an application, for a test to set up and to look at."""

    switch: Switch
    repository: Repository
    stream: Stream
    workers: Workers
    search: Search
    idempotency: Idempotency
    rate_limits: RateLimits

    def services(self, model: Any = None) -> Services:
        rule_book = RuleBook(self.repository, self.stream)  # type: ignore[arg-type]
        parts: dict[str, Any] = {
            "rule_book": rule_book,
            "repository": self.repository,
            "stream": self.stream,
            "index": Index(self.switch),
            "workers": self.workers,
            "search": self.search,
            "idempotency": self.idempotency,
            "rate_limits": self.rate_limits,
        }
        return Services(
            **parts,
            explanations=ExplanationService(
                FindingsService(self.search, rule_book),
                model or DisabledLanguageModel(),
                system_prompt="Объясняй.",
                model_timeout_seconds=1,
            ),
            probes={name: self.switch.probe(name) for name in ("mongodb", "redis", "qdrant")},
        )


@pytest.fixture
def world() -> World:
    switch = Switch()
    repository = Repository(switch)
    return World(
        switch,
        repository,
        Stream(switch),
        Workers(switch),
        Search(switch, repository),
        Idempotency(switch),
        RateLimits(switch),
    )


@pytest.fixture
async def connect(world: World) -> AsyncIterator[Callable[..., Awaitable[httpx.AsyncClient]]]:
    """`await connect(model=..., **settings)` is a client of an application that has started."""
    async with contextlib.AsyncExitStack() as stack:

        async def connect(model: Any = None, **settings: Any) -> httpx.AsyncClient:
            services = contextlib.nullcontext(world.services(model))
            app = create_app(load_settings(**settings), lambda _: services)
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = httpx.ASGITransport(app)
            client = httpx.AsyncClient(transport=transport, base_url="http://api")
            return await stack.enter_async_context(client)

        yield connect


@pytest.fixture
async def client(connect: Callable[..., Awaitable[httpx.AsyncClient]]) -> httpx.AsyncClient:
    """A client of an application without keys."""
    return await connect()


@pytest.fixture
async def rule(client: httpx.AsyncClient) -> dict[str, Any]:
    """A template in the rule book."""
    draft = {
        "title": "Безударные гласные в корне",
        "body": "Букву в корне проверяют ударением. Например: вода — воды.",
        "topic": "orfografiya",
    }
    answer = await client.put("/v1/templates/vowels", json=draft)
    template: dict[str, Any] = answer.json()
    return template


def _event(template_id: str, op: Any, version: int, traceparent: str | None) -> ContentEvent:
    return ContentEvent(
        event_id=uuid4().hex,
        entity_id=template_id,
        op=op,
        version=version,
        occurred_at=datetime.now(UTC),
        traceparent=traceparent,
    )


def _passage(template: Template) -> Passage:
    return Passage(
        template_id=template.id,
        chunk_index=0,
        version=template.version,
        title=template.title,
        text=template.body,
        topic=template.topic,
        exam=template.exam,
        tags=template.tags,
        score=0.5,
    )
