"""Refuses bodies that are too large before they are in memory."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from explanation_service.api.problems import problem

# Bytes. The largest body is a template of 100,000 characters, which JSON may escape to six bytes
# each.
MAX_BODY = 1_048_576


class BodyLimitMiddleware:
    """Answers 413 by the length announced, and by what comes where none was announced.

    `larger` has the paths that take more, with their bytes.
    """

    def __init__(self, app: ASGIApp, larger: Mapping[str, int]) -> None:
        self._app = app
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._larger.get(scope["path"], MAX_BODY)
        detail = f"A body may have at most {limit} bytes."
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > limit:
            # The rest of the body is not worth reading, so the connection cannot be used again.
            answer = problem(413, detail, headers={"Connection": "close"})
            await answer(scope, receive, send)
            return
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                # FastAPI lets an HTTPException through where it turns others into a 400.
                raise HTTPException(413, detail, {"Connection": "close"})
            return message

        await self._app(scope, receive_counted, send)
