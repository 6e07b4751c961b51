"""A bound on how long a request takes, from its headers to the end of its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from explanation_service.api.problems import RETRY_AFTER, problem
from explanation_service.settings import Settings
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# Seconds that an explanation takes beside the model.
_BESIDE_THE_MODEL = 5.0


def seconds_for_a_request(settings: Settings) -> float:
    """What the settings allow one, of those that work through the whole rule book apart: an
    explanation may take the model's time, whatever the others may."""
    beside = settings.yandexgpt_timeout_seconds + _BESIDE_THE_MODEL
    return max(settings.request_timeout_seconds, beside)


class RequestTimeoutMiddleware:
    """Answers 408 to a body that does not come to its end, 503 where the service was too slow; an
    answer that is under way is broken off.

    `longer` has the paths that may take longer, with their seconds.
    """

    def __init__(self, app: ASGIApp, seconds: float, longer: Mapping[str, float]) -> None:
        self._app = app
        self._seconds = seconds
        self._longer = longer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seconds = self._longer.get(scope["path"], self._seconds)
        awaiting_body = started = False

        async def receive_watched() -> Message:
            nonlocal awaiting_body
            awaiting_body = True
            message = await receive()
            awaiting_body = False
            return message

        async def send_watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            async with asyncio.timeout(seconds) as deadline:
                await self._app(scope, receive_watched, send_watched)
        except TimeoutError:
            if not deadline.expired():
                raise
            log.warning("request took too long", seconds=seconds, awaiting_body=awaiting_body)
            # After the start of an answer the server breaks it off, which tells the client.
            if not started:
                await _too_late(seconds, awaiting_body)(scope, receive, send)


def _too_late(seconds: float, awaiting_body: bool) -> ASGIApp:
    if awaiting_body:
        detail = f"The body did not come to its end within {seconds:g} s."
        return problem(408, detail, headers={"Connection": "close"})
    detail = f"This took more than {seconds:g} s; try again later."
    return problem(503, detail, code="timed_out", headers={"Retry-After": str(RETRY_AFTER)})
