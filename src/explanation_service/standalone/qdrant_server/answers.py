"""Points of the engine as the JSON values of an answer."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge

from explanation_service.standalone.qdrant_server import point_ids, vectors


def record(point: edge.Record) -> dict[str, Any]:
    """A point as scroll and retrieve give it."""
    return _point(point)


def scored(point: edge.ScoredPoint) -> dict[str, Any]:
    """A point as the query API gives it."""
    return {**_point(point), "version": point.version, "score": point.score}


def _point(point: edge.Record | edge.ScoredPoint) -> dict[str, Any]:
    return {
        "id": point_ids.from_engine(point.id),
        "payload": point.payload,
        "vector": vectors.from_engine(point.vector),
        "order_value": point.order_value,
    }
