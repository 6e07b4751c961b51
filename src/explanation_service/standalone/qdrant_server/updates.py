"""Writes on points as operations of the engine."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge
from qdrant_client.http import models
from starlette.requests import Request

from explanation_service.standalone.qdrant_server import filters, point_ids, vectors, wire
from explanation_service.standalone.qdrant_server.faults import BadInput

_MODES = {
    models.UpdateMode.UPSERT: edge.UpdateMode.Upsert,
    models.UpdateMode.INSERT_ONLY: edge.UpdateMode.InsertOnly,
    models.UpdateMode.UPDATE_ONLY: edge.UpdateMode.UpdateOnly,
}


def updated(request: Request, operation_id: int) -> dict[str, Any]:
    """The result of a write. It is always applied by now; `wait` only changes the word."""
    waited = wire.flag(request, "wait")
    return {"operation_id": operation_id, "status": "completed" if waited else "acknowledged"}


def upsert(body: models.PointsBatch | models.PointsList) -> edge.UpdateOperation:
    """`update_filter` guards points that exist; new ones are inserted whatever it says."""
    points = _columns(body.batch) if isinstance(body, models.PointsBatch) else _rows(body.points)
    return edge.UpdateOperation.upsert_points(
        points,
        condition=filters.optional_to_engine(body.update_filter),
        update_mode=None if body.update_mode is None else _MODES[body.update_mode],
    )


def delete(body: models.PointIdsList | models.FilterSelector) -> edge.UpdateOperation:
    if isinstance(body, models.FilterSelector):
        return edge.UpdateOperation.delete_points_by_filter(filters.to_engine(body.filter))
    return edge.UpdateOperation.delete_points(_ids(body.points))


def set_payload(body: models.SetPayload) -> edge.UpdateOperation:
    if body.points is not None:
        return edge.UpdateOperation.set_payload(_ids(body.points), body.payload, body.key)
    condition = filters.to_engine(_target(body.filter))
    return edge.UpdateOperation.set_payload_by_filter(condition, body.payload, body.key)


def overwrite_payload(body: models.SetPayload) -> edge.UpdateOperation:
    if body.points is not None:
        return edge.UpdateOperation.overwrite_payload(_ids(body.points), body.payload, body.key)
    condition = filters.to_engine(_target(body.filter))
    return edge.UpdateOperation.overwrite_payload_by_filter(condition, body.payload, body.key)


def delete_payload(body: models.DeletePayload) -> edge.UpdateOperation:
    if body.points is not None:
        return edge.UpdateOperation.delete_payload(_ids(body.points), body.keys)
    condition = filters.to_engine(_target(body.filter))
    return edge.UpdateOperation.delete_payload_by_filter(condition, body.keys)


def clear_payload(body: models.PointIdsList | models.FilterSelector) -> edge.UpdateOperation:
    if isinstance(body, models.FilterSelector):
        return edge.UpdateOperation.clear_payload_by_filter(filters.to_engine(body.filter))
    return edge.UpdateOperation.clear_payload(_ids(body.points))


def update_vectors(body: models.UpdateVectors) -> edge.UpdateOperation:
    points = [
        edge.PointVectors(point_ids.to_engine(point.id), vectors.struct_to_engine(point.vector))
        for point in body.points
    ]
    condition = filters.optional_to_engine(body.update_filter)
    return edge.UpdateOperation.update_vectors(points, condition)


def delete_vectors(body: models.DeleteVectors) -> edge.UpdateOperation:
    if body.points is not None:
        return edge.UpdateOperation.delete_vectors(_ids(body.points), body.vector)
    condition = filters.to_engine(_target(body.filter))
    return edge.UpdateOperation.delete_vectors_by_filter(condition, body.vector)


def from_batch(item: models.UpdateOperation) -> edge.UpdateOperation:
    """One entry of POST /points/batch."""
    match item:
        case models.UpsertOperation():
            return upsert(item.upsert)
        case models.DeleteOperation():
            return delete(item.delete)
        case models.SetPayloadOperation():
            return set_payload(item.set_payload)
        case models.OverwritePayloadOperation():
            return overwrite_payload(item.overwrite_payload)
        case models.DeletePayloadOperation():
            return delete_payload(item.delete_payload)
        case models.ClearPayloadOperation():
            return clear_payload(item.clear_payload)
        case models.UpdateVectorsOperation():
            return update_vectors(item.update_vectors)
        case models.DeleteVectorsOperation():
            return delete_vectors(item.delete_vectors)
    raise BadInput(f"unknown operation {type(item).__name__}")


def _rows(points: list[models.PointStruct]) -> list[edge.Point]:
    return [_point(point.id, point.vector, point.payload) for point in points]


def _columns(batch: models.Batch) -> list[edge.Point]:
    count = len(batch.ids)
    payloads = batch.payloads or [{}] * count
    by_point: list[Any]
    if isinstance(batch.vectors, dict):
        names = list(batch.vectors)
        columns = list(batch.vectors.values())
        if any(len(column) != count for column in columns):
            raise BadInput("number of ids and of vectors must be equal")
        by_point = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    else:
        by_point = list(batch.vectors)
    if not len(by_point) == len(payloads) == count:
        raise BadInput("number of ids, of vectors and of payloads must be equal")
    return [_point(*row) for row in zip(batch.ids, by_point, payloads, strict=True)]


def _point(point_id: point_ids.WireId, vector: Any, payload: dict[str, Any] | None) -> edge.Point:
    return edge.Point(
        point_ids.to_engine(point_id), vectors.struct_to_engine(vector), payload or None
    )


def _ids(wire_ids: list[Any]) -> list[Any]:
    return list(point_ids.all_to_engine(wire_ids))


def _target(condition: models.Filter | None) -> models.Filter:
    if condition is None:
        raise BadInput("either points or filter must be given")
    return condition
