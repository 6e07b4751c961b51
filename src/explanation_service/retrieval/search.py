"""The search: two lanes side by side, fused by template, within a time budget."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Literal

from explanation_service.retrieval.fusion import fuse
from explanation_service.retrieval.lexical import encode_query
from explanation_service.retrieval.query_vectors import QueryVector, QueryVectorSource
from explanation_service.stores.errors import StoreRejected
from explanation_service.stores.records import Passage, SearchFilters, SparseVector
from explanation_service.stores.vector_index import VectorIndex
from explanation_service.telemetry.logging import get_logger
from explanation_service.telemetry.metrics import explain_rag_search_total

log = get_logger(__name__)

Mode = Literal["hybrid", "dense", "lexical"]

# Weights of the lanes in the fusion: (dense, lexical). The middle of what is equal on the odd
# questions of bench/data/retrieval_questions.jsonl, 0.5 to 0.9; at 1.2 hit@1 falls by .06.
FUSION_WEIGHTS = (0.8, 1.0)
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
        index: VectorIndex,
        vectors: QueryVectorSource,
        budget_ms: int,
        weights: tuple[float, float] = FUSION_WEIGHTS,
    ) -> None:
        self._index = index
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

        With mode "hybrid" or "dense" and no query vector in time the lexical lane answers alone,
        `degraded`.
        """
        started = time.monotonic()
        filters = filters or SearchFilters()
        sparse = encode_query(query) if mode != "dense" else None
        after_lexical = time.monotonic()
        vector = None
        if mode != "lexical":
            vector = await self._vectors.get(query, started + self._budget * VECTOR_SHARE)
        after_vector = time.monotonic()
        hits, used = await self._query(query, vector, sparse, filters, limit)
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

    async def _query(
        self,
        query: str,
        vector: QueryVector | None,
        sparse: SparseVector | None,
        filters: SearchFilters,
        limit: int,
    ) -> tuple[list[Passage], Mode]:
        words = sparse if sparse is not None else encode_query(query)
        if vector is not None:
            try:
                return await self._with_vector(vector, sparse, filters, limit)
            except StoreRejected as error:
                # A vector of another model than the index's, while one takes over from the other.
                log.warning("dense lane refused", revision=vector.revision, why=error.detail)
        return await self._index.search(None, words, filters, limit), "lexical"

    async def _with_vector(
        self,
        vector: QueryVector,
        sparse: SparseVector | None,
        filters: SearchFilters,
        limit: int,
    ) -> tuple[list[Passage], Mode]:
        # A question without a word ("???") has no lexical lane.
        if sparse is None or not sparse.indices:
            return await self._index.search(vector.values, None, filters, limit), "dense"
        depth = max(limit, FUSION_DEPTH)
        dense, lexical = await asyncio.gather(
            self._index.search(vector.values, None, filters, depth),
            self._index.search(None, sparse, filters, depth),
        )
        return fuse(dense, lexical, limit, self._weights, depth), "hybrid"
