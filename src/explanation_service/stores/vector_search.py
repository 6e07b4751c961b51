"""Questions to the index of passages in Qdrant."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from explanation_service.settings import Settings
from explanation_service.stores.errors import CollectionMissing, StoreUnavailable
from explanation_service.stores.qdrant_rest import (
    SEARCH_TIMEOUT,
    QdrantRest,
    connect_qdrant_rest,
    reading_answer,
)
from explanation_service.stores.records import Candidate, Passage, SearchFilters, SparseVector
from explanation_service.stores.vector_layout import (
    DENSE,
    LEXICAL,
    PASSAGE_FIELDS,
    filter_json,
    sparse_json,
    to_passage,
)

# Several chunks of one template can be hits, and one of them is shown: ask for more at once, and
# once again for many more where long templates crowded out the others.
OVERFETCH = 4
_SECOND_OVERFETCH = 16


@dataclass(frozen=True, slots=True)
class LaneHits:
    """What each lane found: the best passage of each template, best first; empty where the lane was
    not asked. Scores compare within one lane only."""

    dense: list[Candidate] = field(default_factory=list)
    lexical: list[Candidate] = field(default_factory=list)


class VectorSearch:
    """Every method raises StoreUnavailable when Qdrant does not serve, and StoreRejected when it
    refuses a request.

    Reads through an alias that leads nowhere find nothing: before the first worker has started, a
    search is empty and no failure.
    """

    def __init__(self, rest: QdrantRest, alias: str) -> None:
        self._rest = rest
        self.alias = alias

    async def ping(self) -> None:
        """Raises StoreUnavailable unless Qdrant answers, with our key."""
        await self._rest.get("/collections", self.alias)

    async def close(self) -> None:
        """Close the connections."""
        await self._rest.close()

    async def collection_name(self) -> str | None:
        """The collection behind the alias; None where there is no alias yet."""
        result = await self._rest.get("/aliases", self.alias)
        with reading_answer():
            behind = {one["alias_name"]: str(one["collection_name"]) for one in result["aliases"]}
            return behind.get(self.alias)

    async def count(self, collection: str | None = None) -> int:
        """The number of chunks behind the alias, or in a collection; 0 where there is none."""
        name = collection or self.alias
        try:
            result = await self._rest.post(
                f"/collections/{name}/points/count", {"exact": True}, name
            )
        except CollectionMissing:
            return 0
        with reading_answer():
            return int(result["count"])

    async def search(
        self,
        dense: Sequence[float] | None,
        sparse: SparseVector | None,
        filters: SearchFilters,
        limit: int,
        collection: str | None = None,
    ) -> LaneHits:
        """The best passage of each of the best `limit` templates by each of the vectors given,
        without its text: ten of the hundreds that are looked at are shown (`passages`).

        Both lanes are one request. A sparse vector without a component counts as none. Without
        `collection` that behind the alias is asked; a `collection` that is gone raises
        CollectionMissing.
        """
        lanes: dict[str, Any] = {}
        if dense is not None:
            # float() because the components may come as numpy's own type.
            lanes[DENSE] = [float(component) for component in dense]
        if sparse is not None and sparse.indices:
            lanes[LEXICAL] = sparse_json(sparse)
        if not lanes or limit < 1:
            return LaneHits()
        try:
            async with asyncio.timeout(SEARCH_TIMEOUT):
                found = await self._best(collection or self.alias, lanes, filters, limit)
        except TimeoutError as error:
            raise StoreUnavailable("qdrant", "no answer in time") from error
        except CollectionMissing:
            if collection is not None:
                raise
            return LaneHits()
        return LaneHits(**found)

    async def passages(
        self, candidates: Sequence[Candidate], collection: str | None = None
    ) -> list[Passage]:
        """What the candidates say, in their order; those that have gone since they were found are
        left out, and so is what lacks a field of ours: a point that somebody else wrote or tampered
        with must not take the others with it. The comparison with the rule book mends it.

        `collection` as in `search`.
        """
        if not candidates:
            return []
        name = collection or self.alias
        path = f"/collections/{name}/points?timeout={SEARCH_TIMEOUT}"
        try:
            points = await self._rest.post(path, point_request(candidates), name)
        except CollectionMissing:
            if collection is not None:
                raise
            return []
        with reading_answer():
            payloads = {point["id"]: point.get("payload") or {} for point in points}
        read = (_passage(payloads.get(one.point_id, {}), one.score) for one in candidates)
        return [passage for passage in read if passage is not None]

    async def _best(
        self, collection: str, lanes: dict[str, Any], filters: SearchFilters, limit: int
    ) -> dict[str, list[Candidate]]:
        """By lane: the best passages, one a template."""
        found: dict[str, list[Candidate]] = {}
        for overfetch in (OVERFETCH, _SECOND_OVERFETCH):
            chunks = limit * overfetch
            answers = await self._query(collection, lanes, filters, chunks)
            crowded = {}
            with reading_answer():
                for (lane, vector), answer in zip(lanes.items(), answers, strict=True):
                    points = answer["points"]
                    found[lane] = _best_of_each_template(points, limit)
                    if len(found[lane]) < limit and len(points) == chunks:
                        crowded[lane] = vector
            if not crowded:
                break
            lanes = crowded
        return found

    async def _query(
        self, collection: str, lanes: dict[str, Any], filters: SearchFilters, limit: int
    ) -> Any:
        """For each lane Qdrant's answer with the best `limit` points."""
        path = f"/collections/{collection}/points/query/batch?timeout={SEARCH_TIMEOUT}"
        return await self._rest.post(path, query_batch(lanes, filters, limit), collection)


def _best_of_each_template(points: Sequence[dict[str, Any]], limit: int) -> list[Candidate]:
    best: dict[str, Candidate] = {}
    for point in points:
        template_id = (point.get("payload") or {}).get("template_id")
        # A point without one is nobody's.
        if not isinstance(template_id, str) or template_id in best:
            continue
        best[template_id] = Candidate(template_id, point["id"], float(point["score"]))
        if len(best) == limit:
            break
    return list(best.values())


def _passage(payload: dict[str, Any], score: float) -> Passage | None:
    try:
        return to_passage(payload, score)
    except (KeyError, TypeError, ValueError):
        return None


def query_batch(lanes: dict[str, Any], filters: SearchFilters, limit: int) -> dict[str, Any]:
    """Qdrant's QueryRequestBatch: one search for each lane, `lanes` being name to vector."""
    condition = filter_json(filters)
    common = {"limit": limit, "with_payload": ["template_id"]}
    if condition is not None:
        common["filter"] = condition
    return {"searches": [{"using": name, "query": lanes[name], **common} for name in lanes]}


def point_request(candidates: Sequence[Candidate]) -> dict[str, Any]:
    """Qdrant's PointRequest for what the candidates say."""
    return {"ids": [one.point_id for one in candidates], "with_payload": list(PASSAGE_FIELDS)}


def connect_vector_search(settings: Settings) -> VectorSearch:
    """The index of these settings, for reading; raises SettingsError for an address that cannot be
    read."""
    return VectorSearch(connect_qdrant_rest(settings), settings.qdrant_collection)
