"""The one thread that computes vectors: queries before passages.

Two threads would share the same cores and make both slower (text-embeddings-inference 1854). A
query does not even wait for the passages' batch in work: it is served between two layers of it,
so it waits about 10 ms and not the 120 ms of a batch of 512 tokens.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from explanation_service.indexing.encoder import PassageEncoder, Tokens, Vectors
from explanation_service.indexing.pulse import Pulse


@dataclass
class _Job:
    ids: Sequence[Tokens]
    done: Future[Vectors] = field(default_factory=Future)


class EncodeThread:
    """`start` it, `await` the two lanes from any task of one event loop, `close` it."""

    def __init__(self, encoder: PassageEncoder) -> None:
        self._encoder = encoder
        self._pulse: Pulse | None = None
        self._queries: deque[_Job] = deque()
        self._passages: deque[_Job] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="encode", daemon=True)

    def start(self) -> None:
        """Start the thread; once."""
        self._thread.start()

    def tell(self, pulse: Pulse) -> None:
        """Beat it with each batch of passages."""
        self._pulse = pulse

    def close(self) -> None:
        """Stop after the batch in work, without waiting; what is queued is cancelled."""
        with self._wake:
            self._closing = True
            for job in (*self._queries, *self._passages):
                job.done.cancel()
            self._wake.notify()

    def busy_seconds(self) -> float:
        """How long the batch in work has taken so far; 0.0 when idle."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

    async def embed_queries(self, ids: Sequence[Tokens]) -> Vectors:
        """Vectors of one batch of queries; raises what the model raises."""
        return await self._submit(self._queries, ids)

    async def embed_late_queries(self, ids: Sequence[Tokens]) -> Vectors:
        """As `embed_queries`, in the place of a passage: nobody waits for these any more."""
        return await self._submit(self._passages, ids)

    async def embed_passages(self, ids: Sequence[Tokens]) -> Vectors:
        """Vectors of one batch of passages; raises what the model raises. A sign of life of the
        loop that indexes."""
        vectors = await self._submit(self._passages, ids)
        if self._pulse is not None:
            self._pulse.beat()
        return vectors

    async def _submit(self, lane: deque[_Job], ids: Sequence[Tokens]) -> Vectors:
        job = _Job(ids)
        with self._wake:
            if self._closing:
                raise RuntimeError("the encode thread is closed")
            lane.append(job)
            self._wake.notify()
        return await asyncio.wrap_future(job.done)

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closing or self._queries or self._passages)
                if self._closing:
                    return
                job = None if self._queries else self._passages.popleft()
            self._busy_since = time.monotonic()
            if job is None:
                self._serve_queries()
            else:
                self._serve(job, interruptible=True)
            self._busy_since = None

    def _serve_queries(self) -> None:
        while self._queries:
            self._serve(self._queries.popleft(), interruptible=False)

    def _serve(self, job: _Job, interruptible: bool) -> None:
        if not job.done.set_running_or_notify_cancel():
            return
        between_layers = self._serve_queries if interruptible else None
        try:
            job.done.set_result(self._encoder.embed(job.ids, between_layers))
        except BaseException as error:  # the thread must outlive whatever a batch does to it
            job.done.set_exception(error)
