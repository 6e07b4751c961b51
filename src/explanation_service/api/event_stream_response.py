"""Server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from pydantic import BaseModel
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

MEDIA_TYPE = "text/event-stream"

# Seconds without an event until a comment goes out: proxies break off a connection on which
# nothing comes, and a client learns early that its own is dead.
KEEP_ALIVE_SECONDS = 1.0
_COMMENT = ": keep-alive\n\n"


def server_sent_event(name: str, data: BaseModel) -> str:
    """One event; JSON has no raw line breaks, so the data is one line."""
    return f"event: {name}\ndata: {data.model_dump_json()}\n\n"


def wants_events(accept: str | None) -> bool:
    """Whether an Accept header asks for a stream by name; */* does not."""
    ranges = (accept or "").lower().split(",")
    return any(each.split(";")[0].strip() == MEDIA_TYPE for each in ranges)


def event_stream_response(
    events: AsyncGenerator[str], headers: dict[str, str] | None = None
) -> StreamingResponse:
    """The answer; proxies are told neither to store nor to buffer it.

    `events` is closed when the client has gone, wherever it stands then.
    """
    return _EventStreamResponse(
        events,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no", **(headers or {})},
    )


class _EventStreamResponse(StreamingResponse):
    def __init__(
        self, events: AsyncGenerator[str], *, media_type: str, headers: dict[str, str]
    ) -> None:
        self._events = with_keep_alive(events)
        super().__init__(self._events, media_type=media_type, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            # Starlette leaves a generator that it stopped reading to the garbage collector.
            await self._events.aclose()


async def with_keep_alive(
    events: AsyncGenerator[str], interval: float = KEEP_ALIVE_SECONDS
) -> AsyncGenerator[str]:
    """The events as they come, those that are there at once in one piece, and a comment after each
    `interval` seconds without one."""
    ready: list[str] = []
    news = asyncio.Event()

    async def read() -> None:
        async for event in events:
            ready.append(event)
            news.set()

    reading = asyncio.create_task(read())
    reading.add_done_callback(lambda _: news.set())
    try:
        while True:
            if ready:
                # Each piece costs a way through all middlewares and a write to the socket.
                together = "".join(ready)
                ready.clear()
                yield together
            elif reading.done():
                reading.result()
                return
            else:
                news.clear()
                if not await _within(interval, news):
                    yield _COMMENT
    finally:
        reading.cancel()
        await asyncio.wait({reading})
        await events.aclose()


async def _within(seconds: float, news: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        return False
    return True
