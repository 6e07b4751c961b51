"""What the endpoints work with, opened once per process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from explanation_service.content.rule_book import RuleBook
from explanation_service.explanations.service import ExplanationService
from explanation_service.retrieval.search import SearchService
from explanation_service.stores.embedding_channel import QueryEmbeddingClient
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.idempotency import IdempotencyStore
from explanation_service.stores.mongodb import TemplateRepository
from explanation_service.stores.rate_limit import RateLimitStore
from explanation_service.stores.vector_search import VectorSearch

Probe: TypeAlias = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Services:
    """Every service raises StoreUnavailable when its store is away; none connects before use.

    `probes`: the dependencies that readiness needs, by name; each raises StoreUnavailable.
    """

    rule_book: RuleBook
    repository: TemplateRepository
    stream: EventStream
    index: VectorSearch
    workers: QueryEmbeddingClient
    search: SearchService
    explanations: ExplanationService
    idempotency: IdempotencyStore
    rate_limits: RateLimitStore
    probes: Mapping[str, Probe]


async def services_of(request: Request) -> Services:
    # Asynchronous although nothing is waited for: FastAPI would run it in a thread.
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(services_of)]
