"""Answers the API's requests for query vectors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from explanation_service.indexing.batching import plan_batches
from explanation_service.indexing.encode_thread import EncodeThread
from explanation_service.indexing.encoder import PassageEncoder, Tokens, Vectors
from explanation_service.indexing.patience import FIRST_PAUSE, LONGEST_PAUSE
from explanation_service.indexing.pulse import Pulse
from explanation_service.indexing.tasks import end
from explanation_service.retrieval.normalise import normalise_query
from explanation_service.stores.embedding_channel import (
    LATE_LIMIT,
    QueryEmbeddingServer,
    QueryRequest,
    is_late,
)
from explanation_service.stores.errors import StoreUnavailable
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# Requests taken at once; there is no waiting for more: those that come in during a batch make the
# next one.
MOST_REQUESTS = 32
BLOCK_SECONDS = 1.0
# Tokens of one batch of queries, about 30 ms: the first answers leave while the rest is computed.
MAX_BATCH_TOKENS = 128
# Late requests that are kept; the oldest of more are dropped.
MOST_LATE = 64

Embed = Callable[[Sequence[Tokens]], Awaitable[Vectors]]


class QueryLane:
    """Serves until `stop` is set; a lost connection is taken up again.

    Nobody waits any longer for a request past its deadline, but its vector goes to the cache and
    serves the next one who asks. So it gets the place of passages: any query in time goes before
    it, even between two layers of its batch.
    """

    def __init__(
        self,
        server: QueryEmbeddingServer,
        encoder: PassageEncoder,
        thread: EncodeThread,
        stop: asyncio.Event,
        pulse: Pulse | None = None,
    ) -> None:
        self._pulse = pulse or Pulse("query")
        self._server = server
        self._encoder = encoder
        self._thread = thread
        self._stop = stop
        self._late: dict[str, QueryRequest] = {}
        self._late_came = asyncio.Event()

    async def run(self) -> None:
        """Take requests and answer them."""
        late = asyncio.create_task(self._answer_late(), name="late-queries")
        try:
            await self._answer_in_time()
        finally:
            await end(late)

    async def _answer_in_time(self) -> None:
        pause = FIRST_PAUSE
        while not self._stop.is_set():
            try:
                requests = await self._server.next_requests(
                    self._encoder.info.revision, MOST_REQUESTS, BLOCK_SECONDS
                )
                if requests:
                    await self._answer(requests, self._thread.embed_queries, self._in_time)
                self._pulse.beat()
                pause = FIRST_PAUSE
            except StoreUnavailable as error:
                self._pulse.beat()
                log.warning("query lane waits", store=error.name, why=error.detail, again_in=pause)
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, pause * 2)

    async def _answer_late(self) -> None:
        while True:
            await self._late_came.wait()
            # The newest first: the older ones are closer to being of no use.
            _, request = self._late.popitem()
            if not self._late:
                self._late_came.clear()
            try:
                await self._answer([request], self._thread.embed_late_queries, _of_use)
            except Exception as error:  # nobody waits for it, so nothing else may end with it
                log.warning("late query is dropped", why=f"{type(error).__name__}: {error}")

    def _in_time(self, requests: Sequence[QueryRequest]) -> list[QueryRequest]:
        """Those in time; the others are kept for later."""
        in_time = []
        for request in requests:
            if is_late(request):
                self._late[request.id] = request
                self._late_came.set()
            else:
                in_time.append(request)
        while len(self._late) > MOST_LATE:
            del self._late[next(iter(self._late))]
        return in_time

    async def _answer(
        self,
        requests: Sequence[QueryRequest],
        embed: Embed,
        still_wanted: Callable[[Sequence[QueryRequest]], list[QueryRequest]],
    ) -> None:
        # The same question of several pupils is computed once.
        by_text: dict[str, list[QueryRequest]] = {}
        for request in still_wanted(requests):
            by_text.setdefault(normalise_query(request.text), []).append(request)
        texts = list(by_text)
        ids = self._encoder.query_ids(texts)
        # Shortest first, so that one pasted page does not hold up the questions beside it.
        for batch in reversed(plan_batches([len(row) for row in ids], MAX_BATCH_TOKENS)):
            asking = {at: still_wanted(by_text[texts[at]]) for at in batch.positions}
            wanted = [at for at in batch.positions if asking[at]]
            if not wanted:
                continue
            try:
                vectors = await embed([ids[at] for at in wanted])
            except Exception as error:
                # The API answers without the vector; the next question may be a better one.
                log.error("query could not be embedded", error=f"{type(error).__name__}: {error}")
                continue
            answers = [
                (request, row)
                for at, row in zip(wanted, vectors.tolist(), strict=True)
                for request in asking[at]
            ]
            await self._server.reply_many(answers, self._encoder.info.revision)


def _of_use(requests: Sequence[QueryRequest]) -> list[QueryRequest]:
    """Those that are not too late for the cache, either."""
    return [request for request in requests if not is_late(request, LATE_LIMIT)]
