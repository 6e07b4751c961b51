"""The API's sockets: an orderly end, clients that are slow on purpose, bytes that are no HTTP."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import socket
import string
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from explanation_service.settings import Settings

BODY = json.dumps({"title": "Тире", "body": "Тире ставится между подлежащим и сказуемым."}).encode()
# Seconds; each bound of the service is far below, and the machine may have other work.
PATIENCE = 60.0


def connect(api: Any) -> socket.socket:
    address = urlsplit(api.url)
    client = socket.create_connection((address.hostname, address.port), timeout=PATIENCE)
    client.settimeout(PATIENCE)
    return client


def head(method: str, path: str, length: int, *more: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: api", f"Content-Length: {length}", *more]
    return "\r\n".join([*lines, "Content-Type: application/json", "", ""]).encode()


def read_all(client: socket.socket) -> bytes:
    """What comes until the server closes the connection."""
    received = b""
    while True:
        try:
            data = client.recv(65_536)
        except ConnectionResetError:
            return received
        if not data:
            return received
        received += data


def read_one(client: socket.socket) -> bytes:
    """One answer with a length, on a connection that stays open."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += client.recv(65_536)
    before, _, body = received.partition(b"\r\n\r\n")
    length = int(before.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += client.recv(65_536)
    return before


def refuses_connections(api: Any) -> bool:
    try:
        connect(api).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        # Just then the listener was closed, with this connection waiting in it.
        return False
    return False


def test_sigterm_ends_what_is_in_hand_and_takes_nothing_new(api: Any) -> None:
    with connect(api) as slow, connect(api) as idle:
        # A request whose body is still on its way when the signal comes.
        slow.sendall(head("PUT", "/v1/templates/a", len(BODY)) + BODY[:10])
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: api\r\n\r\n")
        assert read_one(idle).startswith(b"HTTP/1.1 200")
        started = time.monotonic()
        api.process.send_signal(signal.SIGTERM)
        while not refuses_connections(api):
            assert time.monotonic() - started < PATIENCE
        assert read_all(idle) == b"", "a connection without a request is closed at once"
        assert api.process.poll() is None
        slow.sendall(BODY[10:])
        answer = read_all(slow)
    assert answer.startswith(b"HTTP/1.1 201"), answer
    assert b"connection: close" in answer.lower()
    assert api.process.wait(PATIENCE) == 0
    (line,) = [one for one in api.log() if one.get("path") == "/v1/templates/a"]
    assert line["status"] == 201
    assert api.log()[-1]["event"] == "api stopped"


def test_a_request_that_never_ends_does_not_hold_up_the_end(api: Any) -> None:
    with connect(api) as endless:
        endless.sendall(head("PUT", "/v1/templates/a", len(BODY)) + BODY[:10])
        # The server has it in hand once it has answered a later one.
        with api.client() as client:
            assert client.get("/health").status_code == 200
        api.process.send_signal(signal.SIGTERM)
        # 8 s are given to requests; compose kills after 10, a busy machine is slower.
        assert api.process.wait(PATIENCE) == 0


def test_headers_that_do_not_come(api: Any) -> None:
    started = time.monotonic()
    with connect(api) as silent, connect(api) as dripping, connect(api) as second:
        second.sendall(b"GET /health HTTP/1.1\r\nHost: api\r\n\r\n")
        assert read_one(second).startswith(b"HTTP/1.1 200")
        second.sendall(b"GET /hea")
        dripping.sendall(b"GET /health HTTP/1.1\r\nHost: api\r\nX-")
        for client in (silent, dripping, second):
            answer = read_all(client)
            assert answer.startswith(b"HTTP/1.1 408"), answer
            assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "request_timeout"
    assert time.monotonic() - started < PATIENCE
    with api.client() as client:
        assert client.get("/health").status_code == 200


def test_a_body_that_drips(settings: Settings, tmp_path: Path, run_api: Any) -> None:
    more = {"REQUEST_TIMEOUT_SECONDS": "0.5", "YANDEXGPT_TIMEOUT_SECONDS": "0.1"}
    with run_api(settings, tmp_path, **more) as api, connect(api) as client:
        client.sendall(head("PUT", "/v1/templates/a", len(BODY)))
        client.settimeout(0.2)
        answer = b""
        deadline = time.monotonic() + PATIENCE
        while not answer and time.monotonic() < deadline:
            client.sendall(b" ")
            try:
                answer = client.recv(65_536)
            except TimeoutError:
                continue
        # What comes behind is not read as a further request: the connection ends with this answer.
        client.settimeout(PATIENCE)
        with contextlib.suppress(OSError):
            client.sendall(BODY + b"GET /health HTTP/1.1\r\nHost: api\r\n\r\n")
        answer += read_all(client)
        assert answer.startswith(b"HTTP/1.1 408"), answer
        assert answer.count(b"HTTP/1.1 ") == 1, answer
        assert b"connection: close" in answer.lower()
        assert api.process.poll() is None


def nonsense(seed: int) -> Iterator[bytes]:
    """Requests that are wrong in many ways, the same ones each time."""
    chance = random.Random(seed)
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    yield b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n"
    yield "GET /ж HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
    yield b"GET /v1/templates/%ff%00 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    yield b"GET //evil HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    yield b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    yield b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    yield b"GET / HTTP/9.9\r\n\r\n"
    yield b"GET / HTTP/1.0\r\n\r\n"
    yield b"POST /v1/rag/search HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"
    yield b"POST /v1/rag/search HTTP/1.1\r\nHost: a\r\nContent-Length: 9" + b"9" * 400 + b"\r\n\r\n"
    yield (
        b"POST /v1/rag/search HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    )
    yield b"POST /v1/rag/search HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    yield (
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    names = ["Authorization", "X-API-Key", "X-Request-ID", "traceparent", "Idempotency-Key"]
    names += ["If-Match", "If-None-Match", "Accept", "Content-Type", "Cookie", "Origin"]
    paths = ["/v1/templates", "/v1/templates/a", "/v1/rag/search?query=a", "/v1/rag/status"]
    for _ in range(120):
        value = bytes(chance.choice(range(0x20, 0x100)) for _ in range(chance.randrange(60)))
        name, path = chance.choice(names), chance.choice(paths)
        method = chance.choice(
            ["GET", "PUT", "DELETE", "POST", "".join(chance.choices(string.ascii_uppercase, k=5))]
        )
        yield (
            f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{name}: ".encode()
            + value.replace(b"\x7f", b"")
            + b"\r\nContent-Length: 2\r\n\r\n{}"
        )


def test_whatever_bytes_come_there_is_no_5xx_and_the_api_goes_on(api: Any) -> None:
    for request in nonsense(1):
        with connect(api) as client:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            answer = read_all(client)
        assert not answer.startswith(b"HTTP/1.1 5"), (request, answer)
        if answer.startswith(b"HTTP/1.1 4"):
            assert b"application/problem+json" in answer, (request, answer)
    with api.client() as client:
        assert client.get("/health").status_code == 200
    assert api.stop() == 0
    faults = [line for line in api.log() if line["level"] in ("error", "critical")]
    assert faults == []


@pytest.mark.parametrize("count", [200])
def test_many_idle_connections_leave_the_api_answering(api: Any, count: int) -> None:
    clients = [connect(api) for _ in range(count)]
    try:
        answer = httpx.get(f"{api.url}/health", timeout=PATIENCE, trust_env=False)
        assert answer.status_code == 200
    finally:
        for client in clients:
            client.close()
