"""The API key of Qdrant: header `api-key`, or `Authorization: Bearer`."""

from __future__ import annotations

import secrets

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

# Open in Qdrant too: version and probes.
_OPEN_PATHS = frozenset({"/", "/healthz", "/livez", "/readyz"})


class ApiKeyMiddleware:
    """Answers 401 unless the request carries `api_key`; compared in constant time."""

    def __init__(self, app: ASGIApp, api_key: str) -> None:
        self._app = app
        self._key = api_key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        if given and secrets.compare_digest(given.encode(), self._key):
            await self._app(scope, receive, send)
            return
        problem = (
            "Invalid API key or JWT"
            if given
            else "Must provide an API key or an Authorization bearer token"
        )
        await PlainTextResponse(problem, status_code=401)(scope, receive, send)
