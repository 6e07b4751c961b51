"""Reading over REST: where it goes, and what becomes of each answer."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpcore
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


@dataclass
class Request:
    method: str
    url: str
    headers: list[tuple[bytes, bytes]]
    content: bytes | None


Answer = Callable[[Request], Awaitable[httpcore.Response]]


class Pool:
    """Answers as it is told to, in the place of httpcore's."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def request(
        self,
        method: str,
        url: httpcore.URL,
        headers: list[tuple[bytes, bytes]],
        content: bytes | None,
    ) -> httpcore.Response:
        answer = await self._answer(Request(method, bytes(url).decode(), headers, content))
        await answer.aread()
        return answer


def rest(answer: Answer) -> QdrantRest:
    return QdrantRest(Pool(answer), httpx.URL("http://qdrant:6333/q/"))  # type: ignore[arg-type]


def answering(
    status: int, content: bytes = b'{"status":{"error":"why"}}', reason: bytes = b""
) -> QdrantRest:
    async def answer(request: Request) -> httpcore.Response:
        extensions = {"reason_phrase": reason}
        return httpcore.Response(status, content=content, extensions=extensions)

    return rest(answer)


def raising(error: Exception) -> QdrantRest:
    async def answer(request: Request) -> httpcore.Response:
        raise error

    return rest(answer)


async def test_the_result_is_what_stands_in_the_envelope() -> None:
    seen: list[Request] = []

    async def answer(request: Request) -> httpcore.Response:
        seen.append(request)
        content = b'{"result": {"count": 3}, "status": "ok", "time": 0.1}'
        return httpcore.Response(200, content=content)

    asked = rest(answer)
    result = await asked.post("/collections/t/points/count?timeout=2", {"exact": True}, "t")
    assert result == {"count": 3}
    await asked.get("/collections/имя", "имя")
    (first, second) = seen
    assert (first.method, first.content) == ("POST", b'{"exact":true}')
    assert first.url == "http://qdrant:6333/q/collections/t/points/count?timeout=2"
    assert (b"host", b"qdrant:6333") in first.headers
    assert (second.method, second.content) == ("GET", None)
    assert second.url == "http://qdrant:6333/q/collections/%D0%B8%D0%BC%D1%8F"


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
        await answering(502, body, b"Bad Gateway").get("/aliases", "templates")


@pytest.mark.parametrize(
    "raised",
    [
        httpcore.ConnectError("refused"),
        httpcore.UnsupportedProtocol("qdrant://"),
        httpcore.ReadError(""),
        httpcore.RemoteProtocolError("disconnected"),
        httpcore.PoolTimeout("full"),
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


async def test_one_clock_runs_over_the_whole_request(monkeypatch: pytest.MonkeyPatch) -> None:
    async def drip(request: Request) -> httpcore.Response:
        await asyncio.sleep(60)
        raise AssertionError("nobody waits so long")

    monkeypatch.setattr(qdrant_rest, "SEARCH_TIMEOUT", 0.05)
    with pytest.raises(StoreUnavailable, match="no answer in time"):
        await rest(drip).get("/aliases", "templates")


async def test_a_crowd_waits_before_the_connections() -> None:
    under_way = most = 0

    async def answer(request: Request) -> httpcore.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        return httpcore.Response(200, content=b'{"result": 1}')

    asked = rest(answer)
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
    assert str(reading._base).rstrip("/") == base
    assert (b"api-key", b"hunter2") in reading._headers
    writing = connect_qdrant(settings)
    there = httpx.URL(writing._client.openapi_client.client.host)  # type: ignore[attr-defined]
    assert str(there).rstrip("/") == base
    await reading.close()
    await writing.close()


async def test_without_a_key_none_is_sent() -> None:
    reading = connect_qdrant_rest(load_settings(qdrant_url="http://qdrant", qdrant_api_key=None))
    assert b"api-key" not in dict(reading._headers)
    await reading.close()
