"""The bound on the time of one request."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse

from explanation_service.api.request_timeout_middleware import RequestTimeoutMiddleware

LIMIT = 0.2


def client_of(app, longer=None):
    limited = RequestTimeoutMiddleware(app, LIMIT, longer or {})
    return httpx.AsyncClient(transport=httpx.ASGITransport(limited), base_url="http://api")


async def slow(scope, receive, send):
    await asyncio.Event().wait()


async def in_time(scope, receive, send):
    await PlainTextResponse("ok")(scope, receive, send)


async def reading(scope, receive, send):
    await Request(scope, receive).body()
    await PlainTextResponse("ok")(scope, receive, send)


async def test_who_is_in_time_notices_nothing():
    async with client_of(in_time) as client:
        assert (await client.get("/")).text == "ok"


async def test_a_service_that_is_too_slow_says_so():
    async with client_of(slow) as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.json()["code"]) == (503, "timed_out")
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0


async def test_a_body_that_never_ends():
    async def drip():
        while True:
            yield b"x"
            await asyncio.sleep(0.01)

    async with client_of(reading) as client:
        answer = await client.post("/", content=drip())
    assert (answer.status_code, answer.json()["code"]) == (408, "request_timeout")
    assert answer.headers["connection"] == "close"


async def test_an_answer_under_way_is_broken_off():
    async def parts():
        yield b"first"
        await asyncio.Event().wait()

    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        await asyncio.Event().wait()

    async def streaming(scope, receive, send):
        await StreamingResponse(parts())(scope, receive, send)

    scope = {"type": "http", "path": "/", "method": "GET", "headers": [], "asgi": {}}
    limited = RequestTimeoutMiddleware(streaming, LIMIT, {})
    async with asyncio.timeout(20):
        await limited(scope, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[1]["more_body"]


async def test_some_paths_may_take_longer():
    async def a_little_slow(scope, receive, send):
        await asyncio.sleep(LIMIT * 2)
        await in_time(scope, receive, send)

    async with client_of(a_little_slow, {"/long": 60.0}) as client:
        assert (await client.get("/long")).status_code == 200
        assert (await client.get("/other")).status_code == 503


async def test_a_timeout_of_the_application_itself_is_not_ours():
    async def failing(scope, receive, send):
        raise TimeoutError("its own")

    async with client_of(failing) as client:
        with pytest.raises(TimeoutError, match="its own"):
            await client.get("/")
