"""How the API asks a worker for the vector of a query, over Redis.

embedding:queries:<revision>          list: requests to the workers with this model, JSON
embedding:replies:<process>           list: replies to one API process, JSON, gone after 60 s
embedding:vector:<revision>:<hash>    the cache: base64 of float32, little endian, 7 days
embedding:workers:<consumer>          heartbeat of a worker, JSON, gone after 5 s
embedding:workers                     sorted set: consumers by the time of their last heartbeat
embedding:model                       the model of the last worker that was ready, JSON
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from explanation_service.stores import embedding_messages as messages
from explanation_service.stores.records import (
    EmbeddingModelInfo,
    QueryReply,
    QueryRequest,
    WorkerState,
)
from explanation_service.stores.redis import MAX_BLOCK_SECONDS, RedisClient, run, translated_errors
from explanation_service.telemetry.logging import get_logger

__all__ = [
    "EmbeddingModelInfo",
    "QueryEmbeddingClient",
    "QueryEmbeddingServer",
    "QueryReply",
    "QueryRequest",
    "WorkerState",
]

log = get_logger(__name__)

QUEUE_KEY = "embedding:queries"
# A queue for each model: while one model takes the place of another, workers of both live, and a
# vector of the wrong one would be compared with passages of the other.
MODEL_KEY = "embedding:model"
WORKERS_KEY = "embedding:workers"

# Seconds.
REPLY_TTL = 60
QUEUE_TTL = 60
CACHE_TTL = 7 * 24 * 3600
HEARTBEAT_TTL = 5.0
# A vector that comes late still serves the next one who asks (the caller's process puts it into the
# cache), so a late request is kept for when there is nothing else to do; after this it is dropped.
# Also the skew of clocks between hosts that does no harm.
LATE_LIMIT = 5.0


class QueryEmbeddingClient:
    """The API's side. `redis` serves quick commands, `blocking` waits for replies; both raise
    StoreUnavailable through every method.

    All texts are already normalised (`retrieval.normalise.normalise_query`).
    """

    def __init__(self, redis: RedisClient, blocking: RedisClient) -> None:
        self._redis = redis
        self._blocking = blocking
        self.reply_key = f"embedding:replies:{uuid4().hex}"

    async def send_request(
        self, text: str, revision: str, deadline_ms: int, request_id: str | None = None
    ) -> str:
        """Ask a worker with the model `revision` for a vector until `deadline_ms` (Unix time); the
        answer is the request's id."""
        request = QueryRequest(
            request_id or uuid4().hex, text, revision, deadline_ms, self.reply_key
        )
        with translated_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.rpush(queue_key(revision), messages.encode_request(request))
                # Where no worker comes back the queue goes by itself.
                pipe.expire(queue_key(revision), QUEUE_TTL)
                await run(pipe)
        return request.id

    async def next_reply(self, block_s: float = 1.0) -> QueryReply | None:
        """The next reply to this process; None after `block_s` seconds (at most 2) without one."""
        with translated_errors():
            row: Any = await self._blocking.blpop([self.reply_key], timeout=_bounded(block_s))
        if row is None:
            return None
        reply = messages.decode_reply(row[1])
        if reply is None:
            log.warning("a reply that is no reply was dropped")
        return reply

    async def get_cached(self, revision: str, text: str) -> tuple[float, ...] | None:
        """The cached vector of a text, or None."""
        with translated_errors():
            raw: Any = await self._redis.get(messages.cache_key(revision, text))
        return None if raw is None else messages.decode_vector(raw)

    async def put_cached(self, revision: str, text: str, vector: Sequence[float]) -> None:
        """Keep the vector of a text for 7 days."""
        with translated_errors():
            await self._redis.set(
                messages.cache_key(revision, text), messages.encode_vector(vector), ex=CACHE_TTL
            )

    async def live_workers(self) -> list[WorkerState]:
        """The workers with a heartbeat in the last 5 s."""
        with translated_errors():
            # All of them: their scores come from the workers' clocks, which may differ from ours.
            consumers: Any = await self._redis.zrange(WORKERS_KEY, 0, -1)
            if not consumers:
                return []
            keys = [f"{WORKERS_KEY}:{consumer}" for consumer in consumers]
            rows: Any = await self._redis.mget(keys)
        states = (messages.decode_worker(row) for row in rows if row is not None)
        return [state for state in states if state is not None]

    async def current_model(self) -> EmbeddingModelInfo | None:
        """The model of the last worker that was ready; None before the first ever was."""
        with translated_errors():
            raw: Any = await self._redis.get(MODEL_KEY)
        return None if raw is None else messages.decode_model(raw)


class QueryEmbeddingServer:
    """The worker's side; the same two clients and errors as on the API's."""

    def __init__(self, redis: RedisClient, blocking: RedisClient) -> None:
        self._redis = redis
        self._blocking = blocking

    async def next_requests(
        self, revision: str, max_requests: int, block_s: float = 1.0
    ) -> list[QueryRequest]:
        """Up to `max_requests` that wait now for the model `revision`, or the first that comes
        within `block_s` seconds.

        Requests that are broken or more than 5 s past their deadline are dropped, so the answer
        can be empty before the time is up. The others may be past it, too (`is_late`).
        """
        with translated_errors():
            row: Any = await self._blocking.blmpop(
                _bounded(block_s), 1, queue_key(revision), direction="LEFT", count=max_requests
            )
        if row is None:
            return []
        requests = [messages.decode_request(raw) for raw in row[1]]
        kept = [one for one in requests if one is not None and not is_late(one, LATE_LIMIT)]
        if len(kept) < len(requests):
            log.warning("query requests were dropped", count=len(requests) - len(kept))
        return kept

    async def reply(self, request: QueryRequest, revision: str, vector: Sequence[float]) -> None:
        """Answer one request."""
        await self.reply_many([(request, vector)], revision)

    async def reply_many(
        self, answers: Sequence[tuple[QueryRequest, Sequence[float]]], revision: str
    ) -> None:
        """Answer requests in one round trip."""
        with translated_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                for request, vector in answers:
                    text = messages.encode_reply(request.id, revision, vector)
                    pipe.rpush(request.reply_to, text)
                    pipe.expire(request.reply_to, REPLY_TTL)
                await run(pipe)

    async def heartbeat(
        self, consumer: str, role: str, info: EmbeddingModelInfo, ready: bool
    ) -> None:
        """Say that this worker lives; to be repeated each 1.5 s."""
        state = WorkerState(consumer, role, info.revision, info.name, info.dimension, ready)
        now = time.time()
        with translated_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.set(
                    f"{WORKERS_KEY}:{consumer}",
                    messages.encode_worker(state),
                    px=int(HEARTBEAT_TTL * 1000),
                )
                pipe.zadd(WORKERS_KEY, {consumer: now})
                pipe.zremrangebyscore(WORKERS_KEY, "-inf", now - 3600)
                await run(pipe)

    async def withdraw(self, consumer: str) -> None:
        """Say that this worker is about to stop, so that nobody waits for it."""
        with translated_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.delete(f"{WORKERS_KEY}:{consumer}")
                pipe.zrem(WORKERS_KEY, consumer)
                await run(pipe)

    async def publish_model(self, info: EmbeddingModelInfo) -> None:
        """Say which model makes the vectors, once it is ready."""
        with translated_errors():
            await self._redis.set(MODEL_KEY, messages.encode_model(info))


def queue_key(revision: str) -> str:
    """Where the requests to the workers with this model wait."""
    return f"{QUEUE_KEY}:{revision}"


def is_late(request: QueryRequest, seconds: float = 0.0) -> bool:
    """Whether the deadline has passed by more than so many seconds: its caller has gone."""
    return request.deadline_ms < (time.time() - seconds) * 1000


def _bounded(block_s: float) -> float:
    if not 0 < block_s <= MAX_BLOCK_SECONDS:
        raise ValueError(f"block_s must be above 0 and at most {MAX_BLOCK_SECONDS}")
    return block_s
