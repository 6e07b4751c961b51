"""HTTP/1.1 by hand, since a library would not let an answer be wrong."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass
from http import HTTPStatus

_MOST_HEAD = 2**16
_MOST_BODY = 2**22


@dataclass(frozen=True)
class Request:
    """Names of headers are in small letters."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request of a connection; None at its end, or for what is no request."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        if len(head) > _MOST_HEAD:
            return None
        first, *rest = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        pairs = (line.partition(":") for line in rest if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        length = int(headers.get("content-length", 0))
        if length > _MOST_BODY:
            return None
        return Request(method, target.partition("?")[0], headers, await reader.readexactly(length))
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, ConnectionError):
        return None


class Answer:
    """Writes one answer: `whole`, or `begin`, several `write` and `end`."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def whole(self, status: int, content_type: str, body: bytes) -> None:
        """With a length."""
        head = self._head(status, content_type, f"Content-Length: {len(body)}")
        await self._send(head + body)

    async def begin(self, status: int, content_type: str) -> None:
        """In chunks, as long as it takes."""
        await self._send(self._head(status, content_type, "Transfer-Encoding: chunked"))

    async def write(self, data: bytes) -> None:
        """One chunk, one write to the socket."""
        await self._send(b"%x\r\n%s\r\n" % (len(data), data))

    async def end(self) -> None:
        """After the last chunk."""
        await self._send(b"0\r\n\r\n")

    def reset(self) -> None:
        """RST instead of an orderly end."""
        connection = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def _head(self, status: int, content_type: str, length: str) -> bytes:
        return (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nServer: ycalb\r\n"
            f"Content-Type: {content_type}\r\n{length}\r\n\r\n"
        ).encode()

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()
