"""The vectors of the rule book in Qdrant: one collection per model, behind one alias."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from qdrant_client import AsyncQdrantClient, models

from explanation_service.stores import vector_points as points_of
from explanation_service.stores import vector_writes
from explanation_service.stores.errors import (
    CollectionMissing,
    ModelMismatch,
    StoreUnavailable,
)
from explanation_service.stores.qdrant import (
    SEARCH_TIMEOUT,
    WRITE_TIMEOUT,
    connect_qdrant,
    translated_errors,
)
from explanation_service.stores.records import (
    EmbeddingModelInfo,
    IndexedState,
    LabelChange,
    Passage,
    PassagePoint,
    SearchFilters,
    SparseVector,
)
from explanation_service.stores.vector_collection import collection_for, create_collection

__all__ = ["VectorIndex", "connect_qdrant"]

# Chunks a request: about 200 bytes each; 32 templates of one group have some 100.
_STATES_PER_REQUEST = 1000
# Several chunks of one template can be hits, and one of them is shown: ask for more at once, and
# once again for many more where long templates crowded out the others.
_OVERFETCH = 4
_SECOND_OVERFETCH = 16
# The constant of the paper on reciprocal rank fusion is 60, which is 61 in Qdrant's counting.
_RRF_K = 61


class VectorIndex:
    """Every method raises StoreUnavailable when Qdrant does not serve (CollectionMissing, one of
    its kind, when the collection is gone) and StoreRejected when it refuses a request.

    Reads of a missing collection find nothing: before the first worker has started, a search is
    empty and no failure. Writes return when they are searchable.
    """

    def __init__(self, client: AsyncQdrantClient, alias: str) -> None:
        self._client = client
        self.alias = alias

    async def ping(self) -> None:
        """Raises StoreUnavailable unless Qdrant answers, with our key."""
        with translated_errors(self.alias):
            async with asyncio.timeout(SEARCH_TIMEOUT):
                await self._client.get_collections()

    async def close(self) -> None:
        """Close the client and its connections."""
        await self._client.close()

    async def collection_name(self) -> str | None:
        """The collection behind the alias; None where there is no alias yet."""
        with translated_errors(self.alias):
            async with asyncio.timeout(SEARCH_TIMEOUT):
                aliases = (await self._client.get_aliases()).aliases
        return next((a.collection_name for a in aliases if a.alias_name == self.alias), None)

    async def ensure_collection(self, model: EmbeddingModelInfo) -> None:
        """Make the collection of this model and point the alias at it, where neither is there.

        Raises ModelMismatch when the alias points at the collection of another model.
        """
        wanted = collection_for(self.alias, model.revision)
        current = await self.collection_name()
        if current is not None and current != wanted:
            raise ModelMismatch(
                f"The index {self.alias} was made by another model (collection {current}) than "
                f"{model.name} (collection {wanted}): run rebuild-embeddings, or start fresh "
                "with another QDRANT_COLLECTION."
            )
        await create_collection(self._client, wanted, model.dimension)
        if current is None:
            operation = models.CreateAliasOperation(
                create_alias=models.CreateAlias(collection_name=wanted, alias_name=self.alias)
            )
            with translated_errors(wanted):
                await self._client.update_collection_aliases([operation], timeout=WRITE_TIMEOUT)

    async def indexed_state(self, template_ids: Sequence[str]) -> dict[str, IndexedState]:
        """What the index holds of these templates; those it does not know are left out."""
        if not template_ids:
            return {}
        condition = points_of.of_templates(list(dict.fromkeys(template_ids)))
        payloads: list[Any] = []
        offset: Any = None
        while True:
            with translated_errors(self.alias):
                records, offset = await self._client.scroll(
                    self.alias,
                    scroll_filter=condition,
                    limit=_STATES_PER_REQUEST,
                    offset=offset,
                    with_payload=points_of.STATE_FIELDS,
                )
            payloads += [record.payload for record in records if record.payload]
            if offset is None:
                return points_of.to_states(payloads)

    async def upsert(
        self, points: Sequence[PassagePoint], up_to: Mapping[str, int] | None = None
    ) -> None:
        """Write chunks; a chunk that is there in a higher version than its template's `up_to`
        (the points' own version where it is not given) stays as it is."""
        for operations in vector_writes.upserts(points, up_to or {}):
            await self._update(operations)

    async def trim(self, template_id: str, keep_chunks: int, up_to: int | None = None) -> None:
        """Delete the chunks from number `keep_chunks` on, left from a longer version; those in a
        version above `up_to` stay."""
        await self._update([vector_writes.trim(template_id, keep_chunks, up_to)])

    async def relabel(self, changes: Sequence[LabelChange]) -> None:
        """Note new versions and labels of templates whose text is the one that is indexed."""
        await self._update([vector_writes.relabel(change) for change in changes])

    async def delete(
        self, template_ids: Sequence[str], up_to: Mapping[str, int] | None = None
    ) -> None:
        """Delete all chunks of these templates; those in a version above `up_to` stay."""
        await self._update(vector_writes.removals(template_ids, up_to or {}))

    async def count(self) -> int:
        """The number of chunks in the index."""
        try:
            with translated_errors(self.alias):
                async with asyncio.timeout(SEARCH_TIMEOUT):
                    return (await self._client.count(self.alias, exact=True)).count
        except CollectionMissing:
            return 0

    async def search(
        self,
        dense: Sequence[float] | None,
        sparse: SparseVector | None,
        filters: SearchFilters,
        limit: int,
        weights: tuple[float, float] | None = None,
    ) -> list[Passage]:
        """The best passage of each of the best `limit` templates, best first.

        With both vectors the two lists are fused by reciprocal rank, weighted (dense, lexical)
        where `weights` says so. A sparse vector without a component counts as none.
        """
        if sparse is not None and not sparse.indices:
            sparse = None
        if (dense is None and sparse is None) or limit < 1:
            return []
        try:
            async with asyncio.timeout(SEARCH_TIMEOUT):
                for overfetch in (_OVERFETCH, _SECOND_OVERFETCH):
                    chunks = limit * overfetch
                    hits = await self._query(dense, sparse, filters, chunks, weights)
                    best: dict[str, Passage] = {}
                    for hit in hits:
                        best.setdefault(hit.template_id, hit)
                    if len(best) >= limit or len(hits) < chunks:
                        break
        except CollectionMissing:
            return []
        except TimeoutError as error:
            raise StoreUnavailable("qdrant", "no answer in time") from error
        return list(best.values())[:limit]

    async def _query(
        self,
        dense: Sequence[float] | None,
        sparse: SparseVector | None,
        filters: SearchFilters,
        limit: int,
        weights: tuple[float, float] | None,
    ) -> list[Passage]:
        """The best `limit` chunks."""
        condition = points_of.to_filter(filters)
        lanes: list[tuple[str, Any]] = []
        if dense is not None:
            lanes.append((points_of.DENSE, [float(component) for component in dense]))
        if sparse is not None:
            lanes.append((points_of.LEXICAL, points_of.to_sparse(sparse)))
        query: dict[str, Any]
        if len(lanes) == 1:
            query = {"using": lanes[0][0], "query": lanes[0][1], "query_filter": condition}
        else:
            query = {
                "prefetch": [
                    models.Prefetch(query=vector, using=name, filter=condition, limit=limit)
                    for name, vector in lanes
                ],
                "query": models.RrfQuery(
                    rrf=models.Rrf(k=_RRF_K, weights=None if weights is None else list(weights))
                ),
            }
        with translated_errors(self.alias):
            answer = await self._client.query_points(
                self.alias,
                **query,
                limit=limit,
                with_payload=points_of.PASSAGE_FIELDS,
                timeout=SEARCH_TIMEOUT,
            )
        hits = answer.points
        return [points_of.to_passage(hit.payload, hit.score) for hit in hits if hit.payload]

    async def _update(self, operations: Sequence[models.UpdateOperation]) -> None:
        if operations:
            with translated_errors(self.alias):
                await self._client.batch_update_points(self.alias, operations, wait=True)
