"""Whether a worker answers queries now, and with which model; asked of Redis at most twice a
second."""

from __future__ import annotations

import time
from collections.abc import Callable

from explanation_service.stores.embedding_channel import QueryEmbeddingClient

# Seconds for which an answer is good. A dead worker's heartbeat lasts 5 s in any case.
WORKERS_FRESH = 0.5
REVISION_FRESH = 2.0


class WorkerPresence:
    """Every method that asks raises StoreUnavailable when Redis does not serve."""

    def __init__(
        self, client: QueryEmbeddingClient, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._clock = clock
        self._revision: str | None = None
        self._revision_until = 0.0
        self._serving = False
        self._serving_until = 0.0

    @property
    def revision(self) -> str | None:
        """The model revision known last, however long ago: vectors in memory are found by it even
        while Redis is away."""
        return self._revision

    async def current_revision(self) -> str | None:
        """The revision of the model in use; None before a worker was ever ready."""
        if self._clock() >= self._revision_until:
            model = await self._client.current_model()
            self._revision = None if model is None else model.revision
            self._revision_until = self._clock() + REVISION_FRESH
        return self._revision

    async def serving(self) -> bool:
        """Whether a live, ready worker takes queries."""
        if self._clock() >= self._serving_until:
            workers = await self._client.live_workers()
            self._serving = any(one.ready and one.role in ("all", "query") for one in workers)
            self._serving_until = self._clock() + WORKERS_FRESH
        return self._serving

    def forget(self) -> None:
        """Ask anew the next time."""
        self._revision_until = self._serving_until = 0.0
