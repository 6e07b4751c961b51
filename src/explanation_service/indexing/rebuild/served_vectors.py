"""Query vectors of the model that is in use, asked of its workers as the API asks them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from explanation_service.retrieval.normalise import normalise_query
from explanation_service.stores.collection_names import is_of_model
from explanation_service.stores.embedding_channel import QueryEmbeddingClient
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# Requests at once: few, for pupils ask the same workers.
_AT_ONCE = 8
# Seconds for a group of requests, and how often one is asked again: while both models have workers
# another one may take it.
_WAIT = 10.0
_ATTEMPTS = 3


class ServedVectors:
    """Raises StoreUnavailable when Redis does not serve."""

    def __init__(self, client: QueryEmbeddingClient, alias: str) -> None:
        self._client = client
        self._alias = alias

    async def revision_of(self, collection: str) -> str | None:
        """The revision of a live worker whose model made the collection; None without one."""
        for worker in await self._client.live_workers():
            if worker.ready and is_of_model(self._alias, collection, worker.revision):
                return worker.revision
        return None

    async def of(self, texts: Sequence[str], revision: str) -> dict[str, tuple[float, ...]]:
        """By text; those that no worker answered are left out."""
        found: dict[str, tuple[float, ...]] = {}
        wanted = {normalise_query(text): text for text in texts}
        for text, original in wanted.items():
            cached = await self._client.get_cached(revision, text)
            if cached is not None:
                found[original] = cached
        for attempt in range(_ATTEMPTS):
            missing = [text for text, original in wanted.items() if original not in found]
            if attempt and missing:
                log.warning("query vectors are asked for again", count=len(missing))
            for start in range(0, len(missing), _AT_ONCE):
                answers = await self._ask(missing[start : start + _AT_ONCE], revision)
                found |= {wanted[text]: vector for text, vector in answers.items()}
                if not answers and start == 0:
                    # Nobody is there; the other groups would wait as long.
                    break
        return found

    async def _ask(self, texts: Sequence[str], revision: str) -> dict[str, tuple[float, ...]]:
        deadline_ms = int((time.time() + _WAIT) * 1000)
        open_requests = {
            await self._client.send_request(text, revision, deadline_ms): text for text in texts
        }
        answers: dict[str, tuple[float, ...]] = {}
        ends_at = asyncio.get_running_loop().time() + _WAIT
        while open_requests and asyncio.get_running_loop().time() < ends_at:
            reply = await self._client.next_reply(1.0)
            if reply is None:
                continue
            text = open_requests.pop(reply.id, None)
            if text is not None and reply.revision == revision:
                answers[text] = reply.vector
        return answers
