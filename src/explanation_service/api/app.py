"""The application: middlewares, routes, and what lives as long as it does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias

from fastapi import FastAPI

from explanation_service import __version__
from explanation_service.api import (
    console,
    explanations,
    health,
    reindex,
    search,
    status,
    templates,
)
from explanation_service.api.assembly import open_services
from explanation_service.api.body_limit_middleware import BodyLimitMiddleware
from explanation_service.api.openapi_schema import configure_openapi
from explanation_service.api.problems import install_problem_handlers
from explanation_service.api.request_context_middleware import RequestContextMiddleware
from explanation_service.api.security import ApiKeys
from explanation_service.api.services import Services
from explanation_service.api.worker_in_process import worker_in_process
from explanation_service.settings import Settings
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

OpenServices: TypeAlias = Callable[[Settings], AbstractAsyncContextManager[Services]]

_ROUTERS = (
    explanations.router,
    search.router,
    status.router,
    reindex.router,
    templates.router,
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
    )
    app.state.api_keys = ApiKeys.of(settings)
    # Added last, called first.
    app.add_middleware(BodyLimitMiddleware)
    app.add_middleware(RequestContextMiddleware)
    install_problem_handlers(app)
    for router in _ROUTERS:
        app.include_router(router)
    configure_openapi(app)
    return app


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
