"""Routes about collections, their payload indexes and their aliases."""

from __future__ import annotations

import qdrant_edge as edge
from pydantic import TypeAdapter
from qdrant_client.http import models
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from explanation_service.standalone.qdrant_server import payload_indexes, wire
from explanation_service.standalone.qdrant_server.catalogue import Catalogue
from explanation_service.standalone.qdrant_server.updates import updated

_CREATE = TypeAdapter(models.CreateCollection)
_CREATE_INDEX = TypeAdapter(models.CreateFieldIndex)
_CHANGE_ALIASES = TypeAdapter(models.ChangeAliasesOperation)


def _catalogue(request: Request) -> Catalogue:
    catalogue: Catalogue = request.app.state.catalogue
    return catalogue


async def list_collections(request: Request) -> Response:
    names = _catalogue(request).names()
    return wire.success({"collections": [{"name": name} for name in names]}, wire.started())


async def exists(request: Request) -> Response:
    found = _catalogue(request).has(request.path_params["collection"])
    return wire.success({"exists": found}, wire.started())


async def describe(request: Request) -> Response:
    since = wire.started()
    collection = _catalogue(request).get(request.path_params["collection"])
    return wire.success(collection.describe(), since)


async def create(request: Request) -> Response:
    since = wire.started()
    definition = await wire.parse(request, _CREATE)
    _catalogue(request).create(request.path_params["collection"], definition)
    return wire.success(True, since)


async def delete(request: Request) -> Response:
    since = wire.started()
    return wire.success(_catalogue(request).delete(request.path_params["collection"]), since)


async def create_index(request: Request) -> Response:
    since = wire.started()
    body = await wire.parse(request, _CREATE_INDEX)
    collection = _catalogue(request).get(request.path_params["collection"])
    schema = payload_indexes.to_engine(body.field_schema)
    operation = edge.UpdateOperation.create_field_index(body.field_name, schema)
    return wire.success(updated(request, collection.update(operation)), since)


async def delete_index(request: Request) -> Response:
    since = wire.started()
    collection = _catalogue(request).get(request.path_params["collection"])
    operation = edge.UpdateOperation.delete_field_index(request.path_params["field"])
    return wire.success(updated(request, collection.update(operation)), since)


async def change_aliases(request: Request) -> Response:
    since = wire.started()
    body = await wire.parse(request, _CHANGE_ALIASES)
    _catalogue(request).change_aliases(body.actions)
    return wire.success(True, since)


async def list_aliases(request: Request) -> Response:
    return wire.success({"aliases": _catalogue(request).aliases()}, wire.started())


async def collection_aliases(request: Request) -> Response:
    name = request.path_params["collection"]
    catalogue = _catalogue(request)
    catalogue.get(name)
    return wire.success({"aliases": catalogue.aliases(name)}, wire.started())


ROUTES = [
    Route("/collections", list_collections, methods=["GET"]),
    Route("/collections/aliases", change_aliases, methods=["POST"]),
    Route("/aliases", list_aliases, methods=["GET"]),
    Route("/collections/{collection}", describe, methods=["GET"]),
    Route("/collections/{collection}", create, methods=["PUT"]),
    Route("/collections/{collection}", delete, methods=["DELETE"]),
    Route("/collections/{collection}/exists", exists, methods=["GET"]),
    Route("/collections/{collection}/aliases", collection_aliases, methods=["GET"]),
    Route("/collections/{collection}/index", create_index, methods=["PUT"]),
    Route("/collections/{collection}/index/{field:path}", delete_index, methods=["DELETE"]),
]
