"""Which collection answers now, and which model made its vectors.

A query vector of one model says nothing in the collection of another, even where both have the same
dimension: the hits would look like hits. So the model is read from the name of the collection
behind the alias, and the vector is compared in that collection by its name. While the alias moves
to another one, both stay as they were together for up to 2 s.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from explanation_service.stores.collection_names import revision_of
from explanation_service.stores.errors import StoreError
from explanation_service.stores.vector_search import VectorSearch
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# Seconds between two looks at the alias. It moves when a rebuild ends, or is rolled back.
REFRESH = 2.0


@dataclass(frozen=True, slots=True)
class Served:
    """A collection by its own name, and the revision of its model; None where the name does not
    tell it: then no query vector fits."""

    collection: str
    revision: str | None


class ServedCollection:
    """One per process. `start` it on the loop that uses it, `close` it."""

    def __init__(self, index: VectorSearch, refresh: float = REFRESH) -> None:
        self._index = index
        self._refresh = refresh
        self._served: Served | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look at the alias now and then."""
        self._task = asyncio.create_task(self._keep_up(), name="served-collection")

    async def close(self) -> None:
        """End the looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def current(self) -> Served | None:
        """What was seen last, at once; where nothing is known, what is seen now. None before the
        first worker has made a collection. Raises StoreUnavailable."""
        if self._served is None:
            await self._look()
        return self._served

    def forget(self) -> None:
        """Look anew the next time: the collection has gone, or refuses the model's vectors."""
        self._served = None

    async def _look(self) -> None:
        collection = await self._index.collection_name()
        if collection is None:
            self._served = None
            return
        served = Served(collection, revision_of(self._index.alias, collection))
        if served != self._served:
            log.info("collection in use", collection=collection, revision=served.revision)
        self._served = served

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(self._refresh)
            try:
                await self._look()
            except StoreError as error:
                # What was known last still fits together.
                log.debug("no look at the alias", why=str(error))
