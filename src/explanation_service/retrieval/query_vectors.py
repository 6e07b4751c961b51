"""Where the vector of a query comes from: memory, Redis, or a worker, within a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import time
from array import array
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from explanation_service.retrieval.normalise import normalise_query
from explanation_service.retrieval.worker_presence import WorkerPresence
from explanation_service.stores.embedding_channel import QueryEmbeddingClient, QueryReply
from explanation_service.stores.errors import StoreError
from explanation_service.telemetry.logging import get_logger
from explanation_service.telemetry.metrics import explain_query_embedding_seconds

log = get_logger(__name__)

# Vectors of 384 components in 32 bits, as they come: at most 7 MB, where tuples of Python's floats
# were 50. Pupils of one class ask alike.
LRU_SIZE = 4096
# Seconds that a request is waited for after its caller has gone: the vector serves the next one.
LATE_SECONDS = 5.0
# Requests under way; above it the workers are behind and further requests make it worse.
MOST_PENDING = 256
# Misses in a row after which callers do not wait, and seconds until one is let through again.
BREAKER_MISSES = 5
BREAKER_SECONDS = 2.0
_REPLY_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class QueryVector:
    """An L2-normalised vector, the model revision that made it, and where it came from: lru,
    redis or worker."""

    revision: str
    values: tuple[float, ...]
    source: str


class QueryVectorSource:
    """One per process. `start` it on the loop that uses it, `close` it."""

    def __init__(
        self, client: QueryEmbeddingClient, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._clock = clock
        self._presence = WorkerPresence(client, clock)
        self._lru: OrderedDict[tuple[str, str], array[float]] = OrderedDict()
        self._lookups: dict[tuple[str, str], asyncio.Task[QueryVector | None]] = {}
        self._replies: dict[str, asyncio.Future[QueryReply]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._misses = 0
        self._closed_until = 0.0

    async def start(self) -> None:
        """Begin to read replies."""
        self._reader = asyncio.create_task(self._read_replies(), name="query-replies")

    async def close(self) -> None:
        """End the reading and all lookups."""
        tasks = [*self._lookups.values(), *([self._reader] if self._reader else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def get(self, text: str, revision: str, deadline: float) -> QueryVector | None:
        """The vector of a query by the model `revision`, or None when there is none by `deadline`
        (monotonic seconds).

        A vector that comes later is kept for the next time. Never raises because of Redis.
        """
        started = self._clock()
        text = normalise_query(text)
        vector = self._remembered(revision, text) or await self._looked_up(revision, text, deadline)
        source = "miss" if vector is None else vector.source
        explain_query_embedding_seconds.labels(source).observe(self._clock() - started)
        return vector

    def _remembered(self, revision: str, text: str) -> QueryVector | None:
        values = self._lru.get((revision, text))
        if values is None:
            return None
        self._lru.move_to_end((revision, text))
        return QueryVector(revision, tuple(values), "lru")

    async def _looked_up(self, revision: str, text: str, deadline: float) -> QueryVector | None:
        # Everybody who asks the same at the same time waits for one lookup.
        key = (revision, text)
        lookup = self._lookups.get(key)
        if lookup is None:
            if len(self._lookups) >= MOST_PENDING:
                return None
            lookup = asyncio.create_task(self._lookup(revision, text, deadline))
            self._lookups[key] = lookup
            lookup.add_done_callback(lambda _: self._lookups.pop(key, None))
        remaining = deadline - self._clock()
        if self._clock() < self._closed_until:
            # The workers have not kept up lately: look whether Redis has it, wait no longer.
            remaining = min(remaining, 0.02)
        await asyncio.wait({lookup}, timeout=max(0.0, remaining))
        if not lookup.done():
            self._note_miss()
            return None
        return lookup.result()

    async def _lookup(self, revision: str, text: str, deadline: float) -> QueryVector | None:
        try:
            cached = await self._client.get_cached(revision, text)
            if cached is not None:
                self._remember(revision, text, cached)
                return QueryVector(revision, cached, "redis")
            if not await self._presence.serving(revision):
                return None
            return await self._ask(revision, text, deadline)
        except StoreError as error:
            log.debug("no query vector", why=str(error))
            self._presence.forget()
            return None

    async def _ask(self, revision: str, text: str, deadline: float) -> QueryVector | None:
        # The deadline travels as wall-clock time: the worker is another process.
        deadline_ms = int((time.time() + deadline - self._clock()) * 1000)
        reply_to: asyncio.Future[QueryReply] = asyncio.get_running_loop().create_future()
        request_id = f"{id(reply_to):x}-{time.monotonic_ns():x}"
        self._replies[request_id] = reply_to
        try:
            await self._client.send_request(text, revision, deadline_ms, request_id)
            async with asyncio.timeout(max(0.0, deadline - self._clock()) + LATE_SECONDS):
                reply = await reply_to
        except TimeoutError:
            return None
        finally:
            self._replies.pop(request_id, None)
        if self._clock() <= deadline:
            self._misses = 0
            self._closed_until = 0.0
        self._remember(reply.revision, text, reply.vector)
        with contextlib.suppress(StoreError):
            await self._client.put_cached(reply.revision, text, reply.vector)
        # A worker with another model took the request: its vector is for whoever asks for that.
        if reply.revision != revision:
            return None
        return QueryVector(revision, reply.vector, "worker")

    def _remember(self, revision: str, text: str, values: tuple[float, ...]) -> None:
        self._lru[revision, text] = array("f", values)
        self._lru.move_to_end((revision, text))
        while len(self._lru) > LRU_SIZE:
            self._lru.popitem(last=False)

    def _note_miss(self) -> None:
        self._misses += 1
        if self._misses >= BREAKER_MISSES:
            self._misses = 0
            self._closed_until = self._clock() + BREAKER_SECONDS

    async def _read_replies(self) -> None:
        while True:
            try:
                reply = await self._client.next_reply(1.0)
            except StoreError:
                await asyncio.sleep(_REPLY_PAUSE)
                continue
            if reply is not None:
                waiting = self._replies.get(reply.id)
                if waiting is not None and not waiting.done():
                    waiting.set_result(reply)
