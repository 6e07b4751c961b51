"""Answers the API's requests for query vectors."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from explanation_service.indexing.batching import plan_batches
from explanation_service.indexing.encode_thread import EncodeThread
from explanation_service.indexing.encoder import PassageEncoder
from explanation_service.indexing.patience import FIRST_PAUSE, LONGEST_PAUSE
from explanation_service.indexing.pulse import Pulse
from explanation_service.retrieval.normalise import normalise_query
from explanation_service.stores.embedding_channel import QueryEmbeddingServer, QueryRequest
from explanation_service.stores.errors import StoreUnavailable
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# Requests taken at once; there is no waiting for more: those that come in during a batch make the
# next one.
MOST_REQUESTS = 32
BLOCK_SECONDS = 1.0
# Tokens of one batch of queries, about 30 ms: the first answers leave while the rest is computed.
MAX_BATCH_TOKENS = 128


class QueryLane:
    """Serves until `stop` is set; a lost connection is taken up again."""

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

    async def run(self) -> None:
        """Take requests and answer them."""
        pause = FIRST_PAUSE
        while not self._stop.is_set():
            try:
                requests = await self._server.next_requests(MOST_REQUESTS, BLOCK_SECONDS)
                if requests:
                    await self._answer(requests)
                self._pulse.beat()
                pause = FIRST_PAUSE
            except StoreUnavailable as error:
                self._pulse.beat()
                log.warning("query lane waits", store=error.name, why=error.detail, again_in=pause)
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, pause * 2)

    async def _answer(self, requests: Sequence[QueryRequest]) -> None:
        # The same question of several pupils is computed once.
        by_text: dict[str, list[QueryRequest]] = {}
        for request in requests:
            by_text.setdefault(normalise_query(request.text), []).append(request)
        texts = list(by_text)
        ids = self._encoder.query_ids(texts)
        batches = plan_batches([len(row) for row in ids], MAX_BATCH_TOKENS)
        # Shortest first, so that one pasted page does not hold up the questions beside it.
        for batch in reversed(batches):
            try:
                vectors = await self._thread.embed_queries([ids[at] for at in batch.positions])
            except Exception as error:
                # The API answers without the vector; the next question may be a better one.
                log.error("query could not be embedded", error=f"{type(error).__name__}: {error}")
                continue
            answers = [
                (request, row)
                for at, row in zip(batch.positions, vectors.tolist(), strict=True)
                for request in by_text[texts[at]]
            ]
            await self._server.reply_many(answers, self._encoder.info.revision)
