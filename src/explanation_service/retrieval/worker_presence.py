"""Whether a worker of a model answers queries now; asked of Redis at most twice a second."""

from __future__ import annotations

import time
from collections.abc import Callable

from explanation_service.stores.embedding_channel import QueryEmbeddingClient

# Seconds for which an answer is good. A dead worker's heartbeat lasts 5 s in any case.
WORKERS_FRESH = 0.5


class WorkerPresence:
    """Raises StoreUnavailable when Redis does not serve."""

    def __init__(
        self, client: QueryEmbeddingClient, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._clock = clock
        self._serving: frozenset[str] = frozenset()
        self._until = 0.0

    async def serving(self, revision: str) -> bool:
        """Whether a live, ready worker with this revision of the model takes queries."""
        if self._clock() >= self._until:
            workers = await self._client.live_workers()
            self._serving = frozenset(
                one.revision for one in workers if one.ready and one.role in ("all", "query")
            )
            self._until = self._clock() + WORKERS_FRESH
        return revision in self._serving

    def forget(self) -> None:
        """Ask anew the next time."""
        self._until = 0.0
