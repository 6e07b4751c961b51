"""The vectors of the rule book in Qdrant: one collection per model, behind one alias."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from qdrant_client import AsyncQdrantClient, models

from explanation_service.stores import vector_points as points_of
from explanation_service.stores.collection_names import collection_for, is_of_model
from explanation_service.stores.errors import (
    CollectionMissing,
    IndexMoved,
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
    Passage,
    PassagePoint,
    SearchFilters,
    SparseVector,
)
from explanation_service.stores.vector_collection import create_collection

__all__ = ["VectorIndex", "connect_qdrant"]

# Points a request: at 384 dimensions about 1 MB of JSON, far below Qdrant's 32 MB.
_POINTS_PER_REQUEST = 128
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

    Searches go through the alias. Once `ensure_collection` has found this model's collection,
    everything else goes to that very collection, wherever the alias may be pointed later: vectors
    of two models never mix.
    """

    def __init__(self, client: AsyncQdrantClient, alias: str) -> None:
        self._client = client
        self.alias = alias
        self._collection = alias

    def for_collection(self, name: str) -> VectorIndex:
        """One collection by its own name, searches included, whatever the alias points at; it
        shares our client, so only one of both is closed."""
        return VectorIndex(self._client, name)

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
        """Find this model's collection behind the alias; make both where neither is there.

        Raises ModelMismatch when the alias points at the collection of another model.
        """
        current = await self.collection_name()
        if current is not None and not is_of_model(self.alias, current, model.revision):
            raise ModelMismatch(
                f"The index {self.alias} was made by another model (collection {current}) than "
                f"{model.name} (revision {model.revision}): run rebuild-embeddings with the new "
                "model while workers of the old one serve, or name a new index with "
                "QDRANT_COLLECTION, which is then filled from the rule book."
            )
        wanted = current or collection_for(self.alias, model.revision)
        await create_collection(self._client, wanted, model.dimension)
        if current is None:
            operation = models.CreateAliasOperation(
                create_alias=models.CreateAlias(collection_name=wanted, alias_name=self.alias)
            )
            with translated_errors(wanted):
                await self._client.update_collection_aliases([operation], timeout=WRITE_TIMEOUT)
        self._collection = wanted

    async def check_served(self) -> None:
        """Raises IndexMoved when the alias points at another collection than we write to."""
        current = await self.collection_name()
        # None: the collection was lost, which the next write finds out.
        if current not in (None, self._collection) and self._collection != self.alias:
            raise IndexMoved(
                f"The index {self.alias} is {current} now; what is written to {self._collection} "
                "is not searched any more."
            )

    async def indexed_state(self, template_ids: Sequence[str]) -> dict[str, IndexedState]:
        """What the index holds of these templates; those it does not know are left out."""
        if not template_ids:
            return {}
        ids = [points_of.point_id(template_id, 0) for template_id in template_ids]
        with translated_errors(self._collection):
            records = await self._client.retrieve(
                self._collection, list(dict.fromkeys(ids)), with_payload=points_of.STATE_FIELDS
            )
        payloads = [record.payload for record in records if record.payload]
        return {payload["template_id"]: points_of.to_state(payload) for payload in payloads}

    async def upsert(self, points: Sequence[PassagePoint]) -> None:
        """Write chunks, whatever was there before.

        The first chunks go last: `indexed_state` reads them, so a writer that dies half-way
        leaves a template that still counts as the old one and is written again.
        """
        ordered = sorted(points, key=lambda point: -point.chunk_index)
        for start in range(0, len(ordered), _POINTS_PER_REQUEST):
            batch = [points_of.to_point(p) for p in ordered[start : start + _POINTS_PER_REQUEST]]
            with translated_errors(self._collection):
                await self._client.upsert(self._collection, batch, wait=True)

    async def trim(self, template_id: str, keep_chunks: int) -> None:
        """Delete the chunks from number `keep_chunks` on, left from a longer version."""
        await self._delete(points_of.of_templates([template_id], keep_chunks))

    async def set_version(self, template_id: str, version: int) -> None:
        """Note a version whose text is the one that is indexed."""
        with translated_errors(self._collection):
            await self._client.set_payload(
                self._collection,
                {"version": version},
                models.FilterSelector(filter=points_of.of_templates([template_id])),
                wait=True,
            )

    async def delete(self, template_ids: Sequence[str]) -> None:
        """Delete all chunks of these templates."""
        if template_ids:
            await self._delete(points_of.of_templates(template_ids))

    async def count(self) -> int:
        """The number of chunks in the index."""
        try:
            with translated_errors(self._collection):
                async with asyncio.timeout(SEARCH_TIMEOUT):
                    return (await self._client.count(self._collection, exact=True)).count
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

    async def _delete(self, condition: models.Filter) -> None:
        with translated_errors(self._collection):
            selector = models.FilterSelector(filter=condition)
            await self._client.delete(self._collection, selector, wait=True)
