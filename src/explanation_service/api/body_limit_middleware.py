"""Refuses bodies that are too large before they are in memory."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from explanation_service.api.problems import problem

# Bytes. The largest body is a template of 100,000 characters, which JSON may escape to six bytes
# each.
MAX_BODY = 1_048_576

_DETAIL = f"A body may have at most {MAX_BODY} bytes."


class BodyLimitMiddleware:
    """Answers 413 by the length announced, and by what comes where none was announced."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > self._limit:
            # The rest of the body is not worth reading, so the connection cannot be used again.
            answer = problem(413, _DETAIL, headers={"Connection": "close"})
            await answer(scope, receive, send)
            return
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                # FastAPI lets an HTTPException through where it turns others into a 400.
                raise HTTPException(413, _DETAIL, {"Connection": "close"})
            return message

        await self._app(scope, receive_counted, send)
