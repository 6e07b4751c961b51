"""A small HTTP/1.1 client for measuring: so little of its own that the server is what is measured
(httpx alone takes 0.5 ms a request)."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Sequence
from typing import Any, Self
from urllib.parse import urlsplit


class Connection:
    """One kept-alive connection, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, url: str) -> Self:
        """To the host and port of an address. Raises OSError."""
        parts = urlsplit(url)
        return cls(*await asyncio.open_connection(parts.hostname, parts.port))

    async def request(self, request: bytes) -> tuple[int, bytes]:
        """Status and body; none without a Content-Length or chunks (204)."""
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head.split(None, 2)[1])
        if b"transfer-encoding: chunked" in head:
            return status, await self._chunks()
        length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
        return status, await self._reader.readexactly(int(length or 0))

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            body += (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readexactly(2)
        return body

    async def close(self) -> None:
        """Close it."""
        self._writer.close()
        await self._writer.wait_closed()


def post(path: str, body: Any) -> bytes:
    """A POST with JSON."""
    return with_json("POST", path, body)


def with_json(method: str, path: str, body: Any) -> bytes:
    """A request with a body of JSON."""
    content = json.dumps(body, ensure_ascii=False).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def get(path: str) -> bytes:
    """A GET."""
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()


async def requests_a_second(
    url: str, requests: Sequence[bytes], connections: int, seconds: float
) -> float:
    """With so many connections, each of which asks again as soon as it is answered. Raises
    RuntimeError for an answer other than 200."""
    ends = time.perf_counter() + seconds

    async def ask_on(number: int) -> int:
        connection = await Connection.open(url)
        answered = 0
        while time.perf_counter() < ends:
            status, body = await connection.request(requests[(number + answered) % len(requests)])
            if status != 200:
                raise RuntimeError(f"{url} answered {status}: {body[:200]!r}")
            answered += 1
        await connection.close()
        return answered

    started = time.perf_counter()
    answered = await asyncio.gather(*(ask_on(number) for number in range(connections)))
    return sum(answered) / (time.perf_counter() - started)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of them do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
