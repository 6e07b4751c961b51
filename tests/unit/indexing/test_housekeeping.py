from __future__ import annotations

import asyncio
from typing import cast

import pytest

from explanation_service.indexing.housekeeping import watch_stream
from explanation_service.stores.errors import StoreUnavailable
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.records import StreamStatus
from explanation_service.telemetry import metrics


class Stream:
    """Fails in ways that are and are not foreseen, and then has figures."""

    def __init__(self) -> None:
        self.answers = [
            StoreUnavailable("redis", "is away"),
            RuntimeError("not foreseen"),
            StreamStatus(
                length=9, lag=4, pending=3, oldest_pending_seconds=2.5, consumers=1, dead_letters=0
            ),
        ]
        self.shown = asyncio.Event()

    async def status(self) -> StreamStatus:
        if len(self.answers) == 1:
            self.shown.set()
            found = self.answers[0]
        else:
            found = self.answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


async def test_figures_are_shown_whatever_went_before() -> None:
    stream = Stream()
    watching = asyncio.create_task(watch_stream(cast(EventStream, stream), interval=0.0))
    try:
        async with asyncio.timeout(30):
            await stream.shown.wait()
            await asyncio.sleep(0)
    finally:
        watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
    text = metrics.render()[0].decode()
    assert "embed_stream_lag 4.0" in text
    assert "embed_stream_pending 3.0" in text
    assert "embed_oldest_pending_seconds 2.5" in text
