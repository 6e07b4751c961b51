"""The application: middlewares, routes, and what lives as long as it does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware

from explanation_service import __version__
from explanation_service.api import (
    console,
    explanations,
    health,
    reindex,
    search,
    status,
    template_import,
    templates,
)
from explanation_service.api.access_middleware import AccessMiddleware
from explanation_service.api.assembly import open_services
from explanation_service.api.body_limit_middleware import BodyLimitMiddleware
from explanation_service.api.cors import cors_options
from explanation_service.api.last_resort_middleware import LastResortMiddleware
from explanation_service.api.openapi_schema import configure_openapi
from explanation_service.api.problems import install_problem_handlers
from explanation_service.api.rate_limit import RateLimiter
from explanation_service.api.reindex import REINDEX_PATH
from explanation_service.api.request_context_middleware import RequestContextMiddleware
from explanation_service.api.request_timeout_middleware import (
    RequestTimeoutMiddleware,
    seconds_for_a_request,
)
from explanation_service.api.security import ApiKeys
from explanation_service.api.security_headers_middleware import SecurityHeadersMiddleware
from explanation_service.api.services import Services
from explanation_service.api.template_import import IMPORT_PATH, MAX_IMPORT_BODY
from explanation_service.api.worker_in_process import worker_in_process
from explanation_service.settings import Settings
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

OpenServices: TypeAlias = Callable[[Settings], AbstractAsyncContextManager[Services]]

# How much longer than others a request may take that works through the whole rule book.
_LONG = 20

_ROUTERS = (
    explanations.router,
    search.router,
    status.router,
    reindex.router,
    templates.router,
    template_import.router,
    health.router,
    console.router,
)


def create_app(settings: Settings, open_services: OpenServices = open_services) -> FastAPI:
    """The ASGI application. `open_services` is called when it starts; tests give their own."""
    app = FastAPI(
        title="Explanation service",
        version=__version__,
        lifespan=_lifespan(settings, open_services),
        # The interactive pages load their scripts from outside.
        docs_url=None,
        redoc_url=None,
        # An address with a slash too many is not there, instead of a redirection.
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    app.state.api_keys = ApiKeys.of(settings)
    app.state.routes = [
        route for router in _ROUTERS for route in router.routes if isinstance(route, APIRoute)
    ]
    _add_middlewares(app, settings)
    install_problem_handlers(app)
    for router in _ROUTERS:
        app.include_router(router)
    configure_openapi(app)
    return app


def _add_middlewares(app: FastAPI, settings: Settings) -> None:
    """From the innermost to the outermost: added last, called first."""
    app.add_middleware(BodyLimitMiddleware, larger={IMPORT_PATH: MAX_IMPORT_BODY})
    app.add_middleware(AccessMiddleware, keys=app.state.api_keys, limiter=RateLimiter(settings))
    long = _LONG * settings.request_timeout_seconds
    app.add_middleware(
        RequestTimeoutMiddleware,
        seconds=seconds_for_a_request(settings),
        longer={IMPORT_PATH: long, REINDEX_PATH: long},
    )
    app.add_middleware(LastResortMiddleware)
    if settings.cors_allow_origins:
        app.add_middleware(CORSMiddleware, **cors_options(settings))
    app.add_middleware(RequestContextMiddleware)
    app.add_middleware(SecurityHeadersMiddleware)


def _lifespan(
    settings: Settings, open_services: OpenServices
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.api_keys.warn_when_open()
        async with open_services(settings) as services, worker_in_process(settings):
            app.state.services = services
            log.info("api started", version=__version__, app_env=settings.app_env)
            yield
        log.info("api stopped")

    return lifespan


def _operation_id(route: APIRoute) -> str:
    """The name of the function, which is what generated clients call the operation."""
    return route.name
