"""Server-sent events: kept alive while nothing comes, ended when the client has gone."""

from __future__ import annotations

import asyncio

import pytest

from explanation_service.api.event_stream_response import event_stream_response, with_keep_alive

# Whatever is waited for here comes within milliseconds.
PATIENCE = 30


async def test_comments_fill_the_time_without_events():
    release = asyncio.Event()

    async def events():
        yield "a"
        await release.wait()
        yield "b"

    seen = []
    async with asyncio.timeout(PATIENCE):
        async for part in with_keep_alive(events(), 0.001):
            seen.append(part)
            if len(seen) > 3:
                release.set()
    assert seen[0] == "a" and seen[-1] == "b"
    assert set(seen[1:-1]) == {": keep-alive\n\n"}


async def test_what_is_there_at_once_comes_in_one_piece():
    release = asyncio.Event()

    async def events():
        yield "a"
        yield "b"
        await release.wait()
        yield "c"

    seen = []
    async for part in with_keep_alive(events(), PATIENCE):
        seen.append(part)
        release.set()
    assert seen == ["ab", "c"]


async def test_an_error_comes_through():
    async def events():
        yield "a"
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        assert [part async for part in with_keep_alive(events(), 10)] == ["a"]


@pytest.mark.parametrize("waiting", [True, False])
async def test_the_events_are_closed_when_the_client_has_gone(waiting):
    """While the next event is awaited, and while one is being sent."""
    ended = asyncio.Event()
    sent = asyncio.Event()

    async def events():
        try:
            yield "a"
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def receive():
        await sent.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        if message["type"] == "http.response.body":
            sent.set()
            if not waiting:
                await asyncio.Event().wait()

    response = event_stream_response(events())
    scope = {"type": "http", "asgi": {"spec_version": "2.3"}}
    async with asyncio.timeout(PATIENCE):
        await response(scope, receive, send)
    assert ended.is_set()
