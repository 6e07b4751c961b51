"""uvicorn's protocol with what it lacks, over a transport that only remembers."""

from __future__ import annotations

import asyncio
import time

import pytest
import uvicorn
from uvicorn.server import ServerState

from explanation_service.api.http_protocol import HttpProtocol

PATIENCE = 60.0
ASK = b"GET /a HTTP/1.1\r\nHost: api\r\n\r\n"


class Transport(asyncio.Transport):
    """What a protocol writes, and whether it has closed the connection."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data):
        assert not self.closed
        self.written += data

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass


class Application:
    """Answers when it is let, and remembers the scopes."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.go.set()
        self.scopes = []

    async def __call__(self, scope, receive, send):
        self.scopes.append(scope)
        await self.go.wait()
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})


class Impatient(HttpProtocol):
    headers_within = 0.02


@pytest.fixture
async def application():
    return Application()


@pytest.fixture
async def transport():
    return Transport()


@pytest.fixture
async def protocol(application, transport):
    config = uvicorn.Config(application, http=Impatient, log_config=None, lifespan="off")
    config.load()
    protocol = Impatient(config, ServerState(), {})
    protocol.connection_made(transport)
    yield protocol
    protocol.connection_lost(None)


async def until(condition) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.002)


async def test_the_application_learns_when_a_request_had_come_in(protocol, application):
    before = time.monotonic()
    protocol.data_received(ASK)
    after = time.monotonic()
    await until(lambda: application.scopes)
    assert before <= application.scopes[0]["state"]["received"] <= after


@pytest.mark.parametrize("rest", [b"GET /b HT", b"NO HTTP AT ALL\r\n\r\n"])
async def test_what_is_refused_does_not_come_before_the_answer_to_an_earlier_request(
    protocol, application, transport, rest
):
    application.go.clear()
    protocol.data_received(ASK)
    await until(lambda: application.scopes)
    protocol.data_received(rest)
    # The headers are late, or there are none.
    await until(lambda: protocol._headers_due is None)
    assert transport.written == b""
    application.go.set()
    await until(lambda: transport.closed)
    assert transport.written.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in transport.written
    assert transport.written.endswith(b"\r\n\r\nok") and len(application.scopes) == 1


async def test_late_headers_end_the_connection(protocol, application, transport):
    protocol.data_received(b"GET /a HTTP/1.1\r\nHo")
    await until(lambda: transport.closed)
    assert transport.written.startswith(b"HTTP/1.1 408")
    protocol.data_received(b"st: api\r\n\r\n" + ASK)
    await asyncio.sleep(0)
    assert application.scopes == [] and transport.written.count(b"HTTP/1.1") == 1
