"""Around each request: its id and trace, one line in the log, one observation."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager

from fastapi.routing import APIRoute
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from explanation_service.telemetry import request_context, tracing
from explanation_service.telemetry.logging import get_logger
from explanation_service.telemetry.metrics import explain_http_request_duration_seconds
from explanation_service.telemetry.tracing import Span

log = get_logger("explanation_service.access")

REQUEST_ID_HEADER = "X-Request-ID"

# Probes and scrapes come every few seconds; at INFO they would be most of the log.
_QUIET_ROUTES = frozenset({"/health", "/health/ready", "/metrics"})
# Labels must not grow with what strangers send.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# What nginx writes for a client that has gone.
_CLIENT_GONE = 499


class RequestContextMiddleware:
    """Outside of all that answers, in plain ASGI: BaseHTTPMiddleware hides client disconnects."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = request_context.accept_request_id(headers.get(REQUEST_ID_HEADER))
        caller = request_context.valid_traceparent(headers.get("traceparent"))
        traceparent = caller or request_context.new_traceparent()
        with (
            request_context.bind(request_id, traceparent),
            _span(scope, root=caller is None) as span,
        ):
            await self._serve(scope, receive, send, request_id, span)

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, request_id: str, span: Span
    ) -> None:
        status: int | None = None
        started = time.perf_counter()

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
        except ClientDisconnect:
            status = _CLIENT_GONE
        except Exception:
            # The last resort has logged it; the server breaks the connection off.
            status = status or 500
            raise
        finally:
            _record(scope, status or _CLIENT_GONE, time.perf_counter() - started, span)


def _span(scope: Scope, root: bool) -> AbstractContextManager[Span]:
    if scope["path"] in _QUIET_ROUTES:
        return tracing.UNRECORDED
    return tracing.span(_method(scope), "server", {"url.path": scope["path"]}, root=root)


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in _METHODS else "other"


def _route(scope: Scope) -> str:
    """The template of the address, also where the request was refused before it came to a route."""
    if (found := scope.get("route")) is None:
        # Who is below Starlette's router alone (a test of this class) has no routes.
        routes = getattr(getattr(scope.get("app"), "state", None), "routes", ())
        path, method = scope["path"], scope["method"]
        found = next((one for one in routes if _fits(one, path, method)), None)
    return getattr(found, "path", "unmatched")


def _fits(route: APIRoute, path: str, method: str) -> bool:
    return method in (route.methods or ()) and route.path_regex.match(path) is not None


def _record(scope: Scope, status: int, seconds: float, span: Span) -> None:
    route = _route(scope)
    method = _method(scope)
    span.rename(f"{method} {route}")
    span.note(
        {"http.request.method": method, "http.route": route, "http.response.status_code": status}
    )
    if status >= 500:
        span.failed(str(status))
    explain_http_request_duration_seconds.labels(route, method, str(status)).observe(seconds)
    write = log.debug if route in _QUIET_ROUTES and status < 400 else log.info
    client = scope.get("client")
    write(
        "request",
        method=method,
        path=scope["path"],
        route=route,
        status=status,
        duration_ms=round(seconds * 1000, 2),
        client=client[0] if client else None,
    )
