"""The application: routes, fault answers, and the lifetime of the collections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import metadata
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from explanation_service.standalone.qdrant_server import (
    collection_routes,
    point_routes,
    query_routes,
    wire,
)
from explanation_service.standalone.qdrant_server.authentication import ApiKeyMiddleware
from explanation_service.standalone.qdrant_server.catalogue import Catalogue
from explanation_service.standalone.qdrant_server.faults import Fault

# Bodies are read with the client's models, so the interface served is the client's.
API_VERSION = metadata.version("qdrant-client")
# A flush costs about 10 ms, so not after every write: the log already holds them.
_FLUSH_EVERY_SECONDS = 1.0


def create_app(data_dir: Path, api_key: str | None = None) -> Starlette:
    """Serves the collections in `data_dir`, which it creates when absent."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        catalogue = Catalogue(data_dir)
        catalogue.load()
        app.state.catalogue = catalogue
        flushing = asyncio.create_task(_flush_for_ever(catalogue))
        yield
        flushing.cancel()
        catalogue.close()

    return Starlette(
        routes=[
            Route("/", version, methods=["GET"]),
            *(Route(path, ready, methods=["GET"]) for path in ("/healthz", "/livez", "/readyz")),
            *collection_routes.ROUTES,
            *point_routes.ROUTES,
            *query_routes.ROUTES,
        ],
        middleware=[Middleware(ApiKeyMiddleware, api_key=api_key)] if api_key else [],
        exception_handlers={Fault: answer_fault, HTTPException: answer_http},
        lifespan=lifespan,
    )


async def version(request: Request) -> Response:
    return JSONResponse({"title": "qdrant - vector search engine", "version": API_VERSION})


async def ready(request: Request) -> Response:
    return PlainTextResponse("all shards are ready")


async def answer_fault(request: Request, error: Exception) -> Response:
    assert isinstance(error, Fault)
    return wire.failure(error)


async def answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return wire.failure(Fault(error.status_code, error.detail))


async def _flush_for_ever(catalogue: Catalogue) -> None:
    while True:
        await asyncio.sleep(_FLUSH_EVERY_SECONDS)
        catalogue.flush()
