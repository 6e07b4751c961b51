"""Reading over REST: where it goes, and what becomes of each answer."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

import httpx
import pytest

from explanation_service.settings import load_settings
from explanation_service.stores import qdrant_rest
from explanation_service.stores.errors import (
    CollectionMissing,
    StoreError,
    StoreRejected,
    StoreUnavailable,
)
from explanation_service.stores.qdrant import connect_qdrant
from explanation_service.stores.qdrant_rest import QdrantRest, connect_qdrant_rest

Answer = Callable[[httpx.Request], httpx.Response]


def rest(answer: Answer) -> QdrantRest:
    return QdrantRest(httpx.MockTransport(answer), httpx.URL("http://qdrant:6333/q/"))


def answering(status: int, content: bytes = b'{"status":{"error":"why"}}') -> QdrantRest:
    return rest(lambda _: httpx.Response(status, content=content))


def raising(error: Exception) -> QdrantRest:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    return rest(answer)


async def test_the_result_is_what_stands_in_the_envelope() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"result": {"count": 3}, "status": "ok", "time": 0.1})

    asked = rest(answer)
    result = await asked.post("/collections/t/points/count?timeout=2", {"exact": True}, "t")
    assert result == {"count": 3}
    await asked.get("/collections/имя", "имя")
    first, second = seen
    assert (first.method, first.content) == ("POST", b'{"exact":true}')
    assert str(first.url) == "http://qdrant:6333/q/collections/t/points/count?timeout=2"
    assert first.headers["host"] == "qdrant:6333"
    assert (second.method, second.content) == ("GET", b"")
    assert second.url.raw_path == b"/q/collections/%D0%B8%D0%BC%D1%8F"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (500, StoreUnavailable),
        (503, StoreUnavailable),
        (401, StoreUnavailable),
        (403, StoreUnavailable),
        (429, StoreUnavailable),
        (302, StoreUnavailable),
        (404, CollectionMissing),
        (400, StoreRejected),
        (422, StoreRejected),
    ],
)
async def test_refusals(status: int, expected: type[StoreError]) -> None:
    with pytest.raises(expected) as caught:
        await answering(status).get("/aliases", "templates")
    assert type(caught.value) is expected
    if expected is CollectionMissing:
        assert "templates" in str(caught.value)
    else:
        assert f"{status} why" in str(caught.value)


@pytest.mark.parametrize(
    "body", [b"<html>", b"", b"[]", b"null", b"{}", b'{"result"', b"\xff", b'{"status":"ok"}']
)
async def test_an_answer_of_something_else(body: bytes) -> None:
    with pytest.raises(StoreUnavailable, match="none of Qdrant's"):
        await answering(200, body).get("/aliases", "templates")
    with pytest.raises(StoreUnavailable, match="502 Bad Gateway"):
        await answering(502, body).get("/aliases", "templates")


@pytest.mark.parametrize(
    "raised",
    [
        httpx.ConnectError("refused"),
        httpx.ReadError(""),
        httpx.RemoteProtocolError("disconnected"),
        httpx.PoolTimeout("full"),
        OSError("broken pipe"),
        TimeoutError(),
    ],
)
async def test_no_answer(raised: Exception) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        await raising(raised).get("/aliases", "templates")
    assert type(caught.value) is StoreUnavailable and caught.value.name == "qdrant"


async def test_a_bug_of_ours_is_no_fault_of_the_store() -> None:
    with pytest.raises(KeyError):
        await raising(KeyError("x")).get("/aliases", "templates")


async def test_one_clock_runs_over_the_whole_request() -> None:
    async def drip(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError("nobody waits so long")

    slow = QdrantRest(httpx.MockTransport(drip), httpx.URL("http://qdrant"))
    with pytest.raises(StoreUnavailable, match="no answer in time"):
        await slow.post("/collections/t/points/count", {}, "t", seconds=0.05)


async def test_a_crowd_waits_before_the_connections() -> None:
    under_way = most = 0

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        return httpx.Response(200, json={"result": 1})

    asked = QdrantRest(httpx.MockTransport(answer), httpx.URL("http://qdrant"))
    count = 3 * qdrant_rest.MOST_AT_A_TIME
    results = await asyncio.gather(*(asked.get("/aliases", "templates") for _ in range(count)))
    assert results == [1] * count
    assert most == qdrant_rest.MOST_AT_A_TIME


def test_httpcore_looks_for_sniffio_no_more_than_once() -> None:
    assert "sniffio" in sys.modules


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://qdrant", "http://qdrant:6333"),
        ("http://qdrant:7000", "http://qdrant:7000"),
        ("http://qdrant:80/", "http://qdrant"),
        ("https://cloud.example", "https://cloud.example:6333"),
        ("https://cloud.example:443/q", "https://cloud.example/q"),
        ("http://user:secret@qdrant", "http://qdrant:6333"),
        ("http://[::1]:7000", "http://[::1]:7000"),
        ("http://[::1]", "http://[::1]:6333"),
    ],
)
async def test_where_it_goes_is_where_the_writing_client_goes(url: str, base: str) -> None:
    settings = load_settings(qdrant_url=url, qdrant_api_key="hunter2")
    reading = connect_qdrant_rest(settings)
    assert reading._base == base
    assert reading._headers is not None and reading._headers["api-key"] == "hunter2"
    writing = connect_qdrant(settings)
    there = httpx.URL(writing._client.openapi_client.client.host)  # type: ignore[attr-defined]
    assert str(there).rstrip("/") == base
    await reading.close()
    await writing.close()


async def test_without_a_key_none_is_sent() -> None:
    reading = connect_qdrant_rest(load_settings(qdrant_url="http://qdrant", qdrant_api_key=None))
    assert reading._headers is not None and "api-key" not in reading._headers
    await reading.close()


@pytest.mark.parametrize(
    ("name", "scheme"), [("HTTP_PROXY", "http://"), ("ALL_PROXY", "http://"), ("HTTP_PROXY", "")]
)
async def test_it_goes_through_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, name: str, scheme: str
) -> None:
    for one in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(one, raising=False)
        monkeypatch.delenv(one.lower(), raising=False)
    asked: list[str] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"result":1}')
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv(name, f"{scheme}user:secret@127.0.0.1:{port}")
    settings = load_settings(qdrant_url="http://qdrant.invalid")
    reading = connect_qdrant_rest(settings)
    assert await reading.get("/aliases", "templates") == 1
    await reading.close()
    assert asked[0].startswith("GET http://qdrant.invalid:6333/aliases HTTP/1.1\r\n")
    assert "proxy-authorization: basic" in asked[0].lower()
    monkeypatch.setenv("NO_PROXY", "qdrant.invalid")
    straight = connect_qdrant_rest(settings)
    with pytest.raises(StoreUnavailable, match="ConnectError"):
        await straight.get("/aliases", "templates")
    await straight.close()
    assert len(asked) == 1
    server.close()
