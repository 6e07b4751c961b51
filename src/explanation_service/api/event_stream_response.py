"""Server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pydantic import BaseModel
from starlette.responses import StreamingResponse

MEDIA_TYPE = "text/event-stream"


def server_sent_event(name: str, data: BaseModel) -> str:
    """One event; JSON has no raw line breaks, so the data is one line."""
    return f"event: {name}\ndata: {data.model_dump_json()}\n\n"


def wants_events(accept: str | None) -> bool:
    """Whether an Accept header asks for a stream by name; */* does not."""
    ranges = (accept or "").lower().split(",")
    return any(each.split(";")[0].strip() == MEDIA_TYPE for each in ranges)


def event_stream_response(
    events: AsyncIterator[str], headers: dict[str, str] | None = None
) -> StreamingResponse:
    """The answer; proxies are told neither to store nor to buffer it."""
    return StreamingResponse(
        events,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no", **(headers or {})},
    )
