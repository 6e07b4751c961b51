"""The search: two lanes side by side, fused by template, within a time budget."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Literal

from explanation_service.retrieval.fusion import fuse
from explanation_service.retrieval.lexical import encode_query
from explanation_service.retrieval.query_vectors import QueryVector, QueryVectorSource
from explanation_service.retrieval.served_collection import Served, ServedCollection
from explanation_service.stores.errors import CollectionMissing, StoreRejected, StoreUnavailable
from explanation_service.stores.qdrant_rest import SEARCH_TIMEOUT
from explanation_service.stores.records import Passage, SearchFilters, SparseVector
from explanation_service.stores.vector_search import VectorSearch
from explanation_service.telemetry.logging import get_logger
from explanation_service.telemetry.metrics import explain_rag_search_total
from explanation_service.telemetry.tracing import span

log = get_logger(__name__)

Mode = Literal["hybrid", "dense", "lexical"]

# Templates that each lane contributes at least; more changed no answer of the bench.
FUSION_DEPTH = 20
# The share of the budget that the query vector may take; the rest is Qdrant's, which answers in 5
# to 20 ms.
VECTOR_SHARE = 0.75


@dataclass(frozen=True, slots=True)
class SearchResult:
    """`mode` is what was searched; `degraded` says that less was searched than was asked for."""

    hits: list[Passage]
    mode: Mode
    degraded: bool
    timings_ms: dict[str, float] = field(default_factory=dict)


class SearchService:
    """Raises StoreUnavailable when Qdrant does not serve; nothing else can fail a search."""

    def __init__(
        self,
        index: VectorSearch,
        served: ServedCollection,
        vectors: QueryVectorSource,
        budget_ms: int,
        weights: tuple[float, float],
    ) -> None:
        """`weights` of the lanes in the fusion: dense, lexical."""
        self._index = index
        self._served = served
        self._vectors = vectors
        self._budget = budget_ms / 1000
        self._weights = weights

    async def search(
        self,
        query: str,
        limit: int,
        filters: SearchFilters | None = None,
        mode: Mode = "hybrid",
    ) -> SearchResult:
        """The best passage of each of the best `limit` templates, best first.

        With mode "hybrid" or "dense" and no query vector in time, or none of the model that made
        the collection, the lexical lane answers alone, `degraded`.
        """
        with span("search", attributes={"search.asked": mode, "search.limit": limit}) as record:
            result = await self._search(query, limit, filters or SearchFilters(), mode)
            record.note({"search.mode": result.mode, "search.degraded": result.degraded})
            record.note({"search.hits": len(result.hits)})
        return result

    async def _search(
        self, query: str, limit: int, filters: SearchFilters, mode: Mode
    ) -> SearchResult:
        started = time.monotonic()
        words = encode_query(query)
        after_lexical = time.monotonic()
        dense = None
        if mode != "lexical":
            dense = await self._dense(query, started + self._budget * VECTOR_SHARE)
        after_vector = time.monotonic()
        # One clock for all that Qdrant is asked: which passages, and what they say.
        try:
            async with asyncio.timeout(SEARCH_TIMEOUT) as clock:
                hits, used = await self._query(dense, words, mode, filters, limit)
        except TimeoutError as error:
            if not clock.expired():
                raise
            raise StoreUnavailable("qdrant", "no answer in time") from error
        ended = time.monotonic()
        degraded = mode != "lexical" and used == "lexical"
        explain_rag_search_total.labels(used, str(degraded).lower()).inc()
        timings = {
            "lexical": after_lexical - started,
            "vector": after_vector - after_lexical,
            "search": ended - after_vector,
            "total": ended - started,
        }
        in_ms = {name: round(seconds * 1000, 2) for name, seconds in timings.items()}
        return SearchResult(hits, used, degraded, in_ms)

    async def _dense(self, query: str, deadline: float) -> tuple[Served, QueryVector] | None:
        """The query's vector with the collection that it can be compared in."""
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                served = await self._served.current()
        except (StoreUnavailable, TimeoutError):
            # The lexical lane tries for itself; the next look comes in the background.
            return None
        if served is None or served.revision is None:
            return None
        vector = await self._vectors.get(query, served.revision, deadline)
        return None if vector is None else (served, vector)

    async def _query(
        self,
        dense: tuple[Served, QueryVector] | None,
        words: SparseVector,
        mode: Mode,
        filters: SearchFilters,
        limit: int,
    ) -> tuple[list[Passage], Mode]:
        if dense is not None:
            served, vector = dense
            # A question without a word ("???") has no lexical lane.
            lexical = words if mode != "dense" and words.indices else None
            try:
                return await self._with_vector(served, vector, lexical, filters, limit)
            except (StoreRejected, CollectionMissing) as error:
                # Another collection has just taken the place of this one.
                log.warning("dense lane refused", collection=served.collection, why=error.detail)
                self._served.forget()
        found = await self._index.search(None, words, filters, limit)
        return await self._index.passages(found.lexical), "lexical"

    async def _with_vector(
        self,
        served: Served,
        vector: QueryVector,
        words: SparseVector | None,
        filters: SearchFilters,
        limit: int,
    ) -> tuple[list[Passage], Mode]:
        depth = limit if words is None else max(limit, FUSION_DEPTH)
        found = await self._index.search(
            vector.values, words, filters, depth, collection=served.collection
        )
        if words is None:
            return await self._index.passages(found.dense, served.collection), "dense"
        best = fuse(found.dense, found.lexical, limit, self._weights, depth)
        return await self._index.passages(best, served.collection), "hybrid"
