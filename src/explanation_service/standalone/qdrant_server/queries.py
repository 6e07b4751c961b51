"""The query API: prefetches, fusion and scoring queries as the engine takes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import qdrant_edge as edge
from qdrant_client.http import models

from explanation_service.standalone.qdrant_server import filters, point_ids, selectors, vectors
from explanation_service.standalone.qdrant_server.faults import BadInput, NotFound, NotServed

# Qdrant's own defaults.
DEFAULT_LIMIT = 10
_RRF_K = 2
_MMR_DIVERSITY = 0.5

# What a stored point holds under a vector name; None when the point or the vector is absent.
VectorLookup = Callable[[point_ids.EngineId, str], Any]


@dataclass(frozen=True)
class _Scoring:
    """A scoring query, and the point it was made from when it was asked by id."""

    query: Any
    of_point: point_ids.EngineId | None = None


def to_engine(wire: models.QueryRequest, lookup: VectorLookup) -> edge.QueryRequest:
    """`lookup` finds the vector of a point given by id. Raises BadInput, NotFound, NotServed."""
    limit = DEFAULT_LIMIT if wire.limit is None else wire.limit
    if limit < 1:
        raise BadInput("limit must be 1 or more")
    scoring, condition = _scoring_and_filter(wire, lookup, limit)
    return edge.QueryRequest(
        limit,
        offset=wire.offset or 0,
        query=scoring,
        prefetches=_prefetches(wire.prefetch, lookup),
        with_vector=selectors.vector(wire.with_vector),
        with_payload=selectors.payload(wire.with_payload, default=False),
        filter=condition,
        score_threshold=wire.score_threshold,
        params=_params(wire.params),
    )


def order_by(wire: models.OrderByInterface) -> edge.OrderBy:
    if isinstance(wire, str):
        return edge.OrderBy(wire)
    start: Any = wire.start_from
    if hasattr(start, "isoformat"):
        start = start.isoformat()
    descending = wire.direction is models.Direction.DESC
    direction = edge.Direction.Desc if descending else edge.Direction.Asc
    return edge.OrderBy(wire.key, direction=direction, start_from=start)


def _prefetches(wire: Any, lookup: VectorLookup) -> list[edge.Prefetch] | None:
    if wire is None:
        return None
    stages = wire if isinstance(wire, list) else [wire]
    return [_prefetch(stage, lookup) for stage in stages]


def _prefetch(wire: models.Prefetch, lookup: VectorLookup) -> edge.Prefetch:
    limit = DEFAULT_LIMIT if wire.limit is None else wire.limit
    scoring, condition = _scoring_and_filter(wire, lookup, limit)
    return edge.Prefetch(
        limit,
        query=scoring,
        prefetches=_prefetches(wire.prefetch, lookup),
        params=_params(wire.params),
        filter=condition,
        score_threshold=wire.score_threshold,
    )


def _scoring_and_filter(
    wire: models.QueryRequest | models.Prefetch, lookup: VectorLookup, limit: int
) -> tuple[Any, edge.Filter | None]:
    if wire.lookup_from is not None:
        raise NotServed("lookup_from")
    scoring = _scoring(wire.query, wire.using or "", lookup, limit)
    condition = filters.optional_to_engine(wire.filter)
    if scoring.of_point is not None:
        condition = filters.excluding(condition, scoring.of_point)
    return scoring.query, condition


def _scoring(wire: Any, using: str, lookup: VectorLookup, limit: int) -> _Scoring:
    match wire:
        case None:
            return _Scoring(None)
        case models.FusionQuery():
            rrf = wire.fusion is models.Fusion.RRF
            return _Scoring(edge.Fusion.Rrf(k=_RRF_K) if rrf else edge.Fusion.Dbsf())
        case models.RrfQuery():
            k = _RRF_K if wire.rrf.k is None else wire.rrf.k
            return _Scoring(edge.Fusion.Rrf(k=k, weights=wire.rrf.weights))
        case models.OrderByQuery():
            return _Scoring(order_by(wire.order_by))
        case models.SampleQuery():
            return _Scoring(edge.Sample.Random)
        case models.NearestQuery():
            return _nearest(wire.nearest, wire.mmr, using, lookup, limit)
        case list() | int() | str() | UUID() | models.SparseVector():
            return _nearest(wire, None, using, lookup, limit)
    raise NotServed(f"the query {type(wire).__name__}")


def _nearest(
    target: Any, mmr: models.Mmr | None, using: str, lookup: VectorLookup, limit: int
) -> _Scoring:
    of_point = None
    if isinstance(target, int | str | UUID):
        of_point = point_ids.to_engine(target)
        vector = lookup(of_point, using)
        if vector is None:
            raise NotFound(f"No point with id {of_point} found")
    else:
        vector = vectors.named_to_engine(target)
    if mmr is None:
        return _Scoring(edge.Query.Nearest(vector, using=using), of_point)
    diversity = _MMR_DIVERSITY if mmr.diversity is None else mmr.diversity
    # The engine takes lambda, the weight of relevance; the API its complement.
    maximal = edge.Mmr(vector, 1.0 - diversity, mmr.candidates_limit or limit, using=using)
    return _Scoring(maximal, of_point)


def _params(wire: models.SearchParams | None) -> edge.SearchParams | None:
    if wire is None:
        return None
    idf = wire.idf
    corpus = filters.to_engine(idf.corpus) if isinstance(idf, models.IdfCorpusParams) else None
    return edge.SearchParams(
        hnsw_ef=wire.hnsw_ef,
        exact=bool(wire.exact),
        indexed_only=bool(wire.indexed_only),
        idf=None if corpus is None else edge.IdfParams(corpus),
    )
