"""Routes that write points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qdrant_edge as edge
from pydantic import TypeAdapter
from qdrant_client.http import models
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from explanation_service.standalone.qdrant_server import updates, wire

_BATCH = TypeAdapter(models.UpdateOperations)


def _writing(
    path: str, method: str, body_type: Any, convert: Callable[[Any], edge.UpdateOperation]
) -> Route:
    """A route that reads a `body_type`, converts it to one operation and applies it."""
    adapter = TypeAdapter(body_type)

    async def write(request: Request) -> Response:
        since = wire.started()
        collection = request.app.state.catalogue.get(request.path_params["collection"])
        operation = convert(await wire.parse(request, adapter))
        return wire.success(updates.updated(request, collection.update(operation)), since)

    return Route(f"/collections/{{collection}}/points{path}", write, methods=[method])


async def apply_batch(request: Request) -> Response:
    """Several operations one after another; all are converted before the first is applied."""
    since = wire.started()
    collection = request.app.state.catalogue.get(request.path_params["collection"])
    body = await wire.parse(request, _BATCH)
    operations = [updates.from_batch(item) for item in body.operations]
    results = [updates.updated(request, collection.update(item)) for item in operations]
    return wire.success(results, since)


ROUTES = [
    _writing("", "PUT", models.PointInsertOperations, updates.upsert),
    _writing("/delete", "POST", models.PointsSelector, updates.delete),
    _writing("/payload", "POST", models.SetPayload, updates.set_payload),
    _writing("/payload", "PUT", models.SetPayload, updates.overwrite_payload),
    _writing("/payload/delete", "POST", models.DeletePayload, updates.delete_payload),
    _writing("/payload/clear", "POST", models.PointsSelector, updates.clear_payload),
    _writing("/vectors", "PUT", models.UpdateVectors, updates.update_vectors),
    _writing("/vectors/delete", "POST", models.DeleteVectors, updates.delete_vectors),
    Route("/collections/{collection}/points/batch", apply_batch, methods=["POST"]),
]
