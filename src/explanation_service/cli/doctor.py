"""`explanation doctor`: one sentence about each dependency."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from explanation_service.cli.connections import settings_from
from explanation_service.settings import Settings
from explanation_service.stores.collection_names import is_of_model
from explanation_service.stores.embedding_channel import QueryEmbeddingClient
from explanation_service.stores.errors import GroupMissing, StoreError
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.mongodb import MongoStore, connect_mongodb
from explanation_service.stores.rebuild_states import RebuildStates
from explanation_service.stores.redis import (
    RedisClient,
    close,
    connect_redis,
    eviction_policy,
    ping,
)
from explanation_service.stores.vector_search import VectorSearch, connect_vector_search


@dataclass(frozen=True)
class Finding:
    """What was found of one dependency: "ok", "note" (it works without), or "wrong"."""

    state: str
    sentence: str


@dataclass(frozen=True)
class Patient:
    """What is examined."""

    settings: Settings
    mongodb: MongoStore
    redis: RedisClient
    index: VectorSearch


def register(commands: Any) -> None:
    """Add the sub-command to the parser's sub-commands."""
    parser = commands.add_parser("doctor", help="check every dependency")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Exit code 1 when anything is wrong."""
    findings = asyncio.run(_examine(settings_from(options)))
    for finding in findings:
        print(f"{finding.state:<6}{finding.sentence}")
    return 1 if any(finding.state == "wrong" for finding in findings) else 0


async def _examine(settings: Settings) -> list[Finding]:
    async with _patient(settings) as patient:
        return [await _examined(check, patient) for check in CHECKS]


@asynccontextmanager
async def _patient(settings: Settings) -> AsyncIterator[Patient]:
    async with AsyncExitStack() as stack:
        mongodb = connect_mongodb(settings)
        stack.push_async_callback(mongodb.close)
        redis = connect_redis(settings)
        stack.push_async_callback(close, redis)
        index = connect_vector_search(settings)
        stack.push_async_callback(index.close)
        yield Patient(settings, mongodb, redis, index)


async def _examined(check: Callable[[Patient], Awaitable[Finding]], patient: Patient) -> Finding:
    try:
        return await check(patient)
    except StoreError as error:
        return Finding("wrong", f"{str(error).rstrip('.')}.")


async def _mongodb(patient: Patient) -> Finding:
    await patient.mongodb.ping()
    return Finding("ok", f"mongodb answers, database {patient.settings.mongodb_db}.")


async def _redis(patient: Patient) -> Finding:
    await ping(patient.redis)
    policy = await eviction_policy(patient.redis)
    # The others evict only what has a time to live, and the stream has none.
    if policy is not None and policy.startswith("allkeys"):
        return Finding(
            "wrong",
            f"redis may evict the stream of changes (maxmemory-policy {policy}): set it to "
            "noeviction.",
        )
    return Finding("ok", "redis answers.")


async def _stream(patient: Patient) -> Finding:
    settings = patient.settings
    name, group = settings.redis_stream_name, settings.redis_stream_group
    try:
        status = await EventStream(patient.redis, name, group).status()
    except GroupMissing:
        return Finding("note", f"the group {group} of stream {name} is made by the first worker.")
    figures = f"{status.lag} to come, {status.pending} in hand, {status.dead_letters} set aside"
    if status.dead_letters:
        return Finding("note", f"stream {name}: {figures} (explanation dead-letters list).")
    return Finding("ok", f"stream {name}: {figures}.")


async def _qdrant(patient: Patient) -> Finding:
    await patient.index.ping()
    return Finding("ok", "qdrant answers.")


async def _index(patient: Patient) -> Finding:
    collection = await patient.index.collection_name()
    alias = patient.settings.qdrant_collection
    if collection is None:
        return Finding("note", f"the index {alias} is not there yet; the first worker makes it.")
    live = await QueryEmbeddingClient(patient.redis, patient.redis).live_workers()
    ready = [worker for worker in live if worker.ready]
    if ready and not any(is_of_model(alias, collection, worker.revision) for worker in ready):
        return Finding(
            "wrong",
            f"the index is {collection}, but no worker has its model (theirs: {ready[0].model}, "
            f"revision {ready[0].revision}): start workers of that model, or run "
            "rebuild-embeddings.",
        )
    return Finding("ok", f"the index is {collection}, {await patient.index.count()} passages.")


async def _rebuild(patient: Patient) -> Finding:
    state = await RebuildStates(patient.mongodb).get(patient.settings.qdrant_collection)
    if state is None:
        return Finding("ok", "the index was never rebuilt.")
    if state.phase in ("filling", "switching", "rolling_back"):
        return Finding(
            "note",
            f"a rebuild into {state.collection} is under way or was interrupted, {state.done} "
            "templates are in (rebuild-embeddings goes on with it, --abandon gives it up).",
        )
    if state.phase == "refused":
        return Finding(
            "note",
            f"the rebuild into {state.collection} was refused by its quality gate "
            "(rebuild-embeddings judges anew, --abandon gives it up).",
        )
    if state.kept is not None:
        return Finding(
            "ok", f"{state.kept} is kept since the last rebuild (rebuild-embeddings --drop-old)."
        )
    return Finding("ok", "no rebuild is under way.")


async def _workers(patient: Patient) -> Finding:
    # It sends nothing, so one client does for both of its parts.
    client = QueryEmbeddingClient(patient.redis, patient.redis)
    ready = [worker for worker in await client.live_workers() if worker.ready]
    if not ready:
        return Finding("note", "no worker is ready: searches are lexical, changes wait.")
    return Finding("ok", f"{len(ready)} worker(s) ready, model {ready[0].model}.")


async def _language_model(patient: Patient) -> Finding:
    settings = patient.settings
    if not settings.explanation_yandexgpt_enabled:
        return Finding("ok", "the language model is switched off; explanations come from rules.")
    if not settings.yandexgpt_configured:
        return Finding(
            "note",
            "no language model: YANDEXGPT_API_KEY and YANDEXGPT_FOLDER_ID are not both set.",
        )
    return Finding("note", "the language model is set up, but not available in this build.")


CHECKS = (_mongodb, _redis, _stream, _qdrant, _index, _rebuild, _workers, _language_model)
