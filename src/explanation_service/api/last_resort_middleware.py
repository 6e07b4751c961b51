"""The answer to what nobody foresaw."""

from __future__ import annotations

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from explanation_service.api.problems import internal_error
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)


class LastResortMiddleware:
    """Within CORS: without its headers a browser shows a page of another origin no answer at all,
    but a fault of the network."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_watched)
        except ClientDisconnect:
            raise
        except Exception:
            log.exception("unhandled error")
            if started:
                # Too late for an answer of ours; the server breaks the connection off.
                raise
            await internal_error()(scope, receive, send)
