"""Puts the services together for the life of one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from explanation_service.api.request_timeout_middleware import seconds_for_a_request
from explanation_service.api.services import Services
from explanation_service.content.outbox_sweep import sweep_outbox
from explanation_service.content.rule_book import RuleBook
from explanation_service.explanations.findings import FindingsService
from explanation_service.explanations.service import ExplanationService
from explanation_service.explanations.yandexgpt.assembly import create_language_model
from explanation_service.retrieval.query_vectors import QueryVectorSource
from explanation_service.retrieval.search import SearchService
from explanation_service.retrieval.served_collection import ServedCollection
from explanation_service.settings import Settings
from explanation_service.stores.embedding_channel import QueryEmbeddingClient
from explanation_service.stores.errors import StoreError
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.explanation_answers import ExplanationAnswers
from explanation_service.stores.generation_slots import GenerationSlots
from explanation_service.stores.idempotency import CLAIM_MARGIN_SECONDS, IdempotencyStore
from explanation_service.stores.mongodb import TemplateRepository, connect_mongodb
from explanation_service.stores.rate_limit import RateLimitStore
from explanation_service.stores.redis import RedisClient, close, connect_redis, ping
from explanation_service.stores.vector_search import connect_vector_search
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# Seconds between tries while MongoDB is away; the sweep is only slower without its index.
_INDEX_PAUSE = 5.0


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """The services, with their background tasks running; none of the stores need be there yet.

    Raises SettingsError for an address that a driver cannot read.
    """
    async with AsyncExitStack() as stack:
        mongodb = connect_mongodb(settings)
        stack.push_async_callback(mongodb.close)
        redis = connect_redis(settings)
        stack.push_async_callback(close, redis)
        waiting = connect_redis(settings, blocking=True)
        stack.push_async_callback(close, waiting)
        index = connect_vector_search(settings)
        stack.push_async_callback(index.close)

        repository = TemplateRepository(mongodb)
        stream = EventStream(redis, settings.redis_stream_name, settings.redis_stream_group)
        rule_book = RuleBook(repository, stream)
        workers = QueryEmbeddingClient(redis, waiting)
        vectors = QueryVectorSource(workers)
        await vectors.start()
        stack.push_async_callback(vectors.close)
        served = ServedCollection(index)
        await served.start()
        stack.push_async_callback(served.close)
        search = SearchService(
            index, served, vectors, settings.search_budget_ms, settings.search_weights
        )
        explanations = _explanations(settings, redis, FindingsService(search, rule_book))
        stack.push_async_callback(explanations.close)
        await stack.enter_async_context(
            _running([_ensure_indexes(repository), sweep_outbox(rule_book)])
        )
        yield Services(
            rule_book=rule_book,
            repository=repository,
            stream=stream,
            index=index,
            workers=workers,
            search=search,
            explanations=explanations,
            idempotency=IdempotencyStore(
                redis, seconds_for_a_request(settings) + CLAIM_MARGIN_SECONDS
            ),
            rate_limits=RateLimitStore(redis),
            probes={"mongodb": mongodb.ping, "redis": partial(ping, redis), "qdrant": index.ping},
        )


def _explanations(
    settings: Settings, redis: RedisClient, findings: FindingsService
) -> ExplanationService:
    # The quota is the folder's, whatever model is asked.
    slots = GenerationSlots(
        redis, settings.yandexgpt_folder_id or "none", settings.yandexgpt_max_concurrency
    )
    # A fresh answer has to be there to be given.
    keep_seconds = max(settings.explanation_stale_seconds, settings.explanation_cache_seconds)
    return ExplanationService(
        findings,
        create_language_model(settings, slots),
        system_prompt=settings.yandexgpt_system_prompt,
        model_timeout_seconds=settings.yandexgpt_timeout_seconds,
        background_seconds=settings.explanation_background_seconds,
        fresh_seconds=settings.explanation_cache_seconds,
        kept=ExplanationAnswers(redis, keep_seconds),
    )


@asynccontextmanager
async def _running(parts: Sequence[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _ensure_indexes(repository: TemplateRepository) -> None:
    while True:
        try:
            await repository.ensure_indexes()
            return
        except StoreError as error:
            log.debug("indexes of mongodb not ensured yet", why=str(error))
        await asyncio.sleep(_INDEX_PAUSE)
