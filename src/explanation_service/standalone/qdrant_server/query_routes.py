"""Routes that read points."""

from __future__ import annotations

import qdrant_edge as edge
from pydantic import TypeAdapter
from qdrant_client.http import models
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from explanation_service.standalone.qdrant_server import (
    answers,
    filters,
    point_ids,
    queries,
    selectors,
    wire,
)
from explanation_service.standalone.qdrant_server.collection import Collection
from explanation_service.standalone.qdrant_server.faults import BadInput, NotFound

_RETRIEVE = TypeAdapter(models.PointRequest)
_QUERY = TypeAdapter(models.QueryRequest)
_QUERY_BATCH = TypeAdapter(models.QueryRequestBatch)
_SCROLL = TypeAdapter(models.ScrollRequest)
_COUNT = TypeAdapter(models.CountRequest)


def _collection(request: Request) -> Collection:
    collection: Collection = request.app.state.catalogue.get(request.path_params["collection"])
    return collection


async def retrieve(request: Request) -> Response:
    since = wire.started()
    collection = _collection(request)
    body = await wire.parse(request, _RETRIEVE)
    found = collection.retrieve(
        point_ids.all_to_engine(body.ids),
        selectors.payload(body.with_payload, default=True),
        selectors.vector(body.with_vector),
    )
    return wire.success([answers.record(point) for point in found], since)


async def retrieve_one(request: Request) -> Response:
    since = wire.started()
    point_id = point_ids.from_path(request.path_params["id"])
    found = _collection(request).retrieve([point_id], True, True)
    if not found:
        raise NotFound(f"Point with id {point_id} does not exists!")
    return wire.success(answers.record(found[0]), since)


def _run(collection: Collection, body: models.QueryRequest) -> dict[str, object]:
    found = collection.query(queries.to_engine(body, collection.vector_of))
    return {"points": [answers.scored(point) for point in found]}


async def query(request: Request) -> Response:
    since = wire.started()
    collection = _collection(request)
    return wire.success(_run(collection, await wire.parse(request, _QUERY)), since)


async def query_batch(request: Request) -> Response:
    since = wire.started()
    collection = _collection(request)
    body = await wire.parse(request, _QUERY_BATCH)
    return wire.success([_run(collection, search) for search in body.searches], since)


async def scroll(request: Request) -> Response:
    since = wire.started()
    collection = _collection(request)
    body = await wire.parse(request, _SCROLL)
    if body.order_by is not None and body.offset is not None:
        raise BadInput("Cannot use an `offset` when using `order_by`")
    limit = queries.DEFAULT_LIMIT if body.limit is None else body.limit
    if limit < 1:
        raise BadInput("limit must be 1 or more")
    found, following = collection.scroll(
        edge.ScrollRequest(
            offset=None if body.offset is None else point_ids.to_engine(body.offset),
            limit=limit,
            filter=filters.optional_to_engine(body.filter),
            with_payload=selectors.payload(body.with_payload, default=True),
            with_vector=selectors.vector(body.with_vector),
            order_by=None if body.order_by is None else queries.order_by(body.order_by),
        )
    )
    page = {
        "points": [answers.record(point) for point in found],
        "next_page_offset": None if following is None else point_ids.from_engine(following),
    }
    return wire.success(page, since)


async def count(request: Request) -> Response:
    since = wire.started()
    collection = _collection(request)
    body = await wire.parse(request, _COUNT)
    condition = filters.optional_to_engine(body.filter)
    return wire.success({"count": collection.count(condition)}, since)


ROUTES = [
    Route("/collections/{collection}/points", retrieve, methods=["POST"]),
    Route("/collections/{collection}/points/query", query, methods=["POST"]),
    Route("/collections/{collection}/points/query/batch", query_batch, methods=["POST"]),
    Route("/collections/{collection}/points/scroll", scroll, methods=["POST"]),
    Route("/collections/{collection}/points/count", count, methods=["POST"]),
    Route("/collections/{collection}/points/{id}", retrieve_one, methods=["GET"]),
]
