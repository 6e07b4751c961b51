"""Health and metrics of the worker over HTTP, without a framework: three routes, GET only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from explanation_service.telemetry.logging import get_logger
from explanation_service.telemetry.metrics import render

log = get_logger(__name__)

Checks = Mapping[str, Callable[[], Awaitable[str | None]]]
"""By dependency: None when it serves, else one sentence."""

# Seconds.
REQUEST_TIMEOUT = 5.0
CHECK_TIMEOUT = 2.5
_JSON = "application/json"
_REASONS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


class HealthServer:
    """`alive` says why the process should be restarted, or None; `checks` are the dependencies,
    and `places` says where those are that are elsewhere."""

    def __init__(
        self,
        host: str,
        port: int,
        alive: Callable[[], str | None],
        checks: Checks,
        places: Mapping[str, str | None] = MappingProxyType({}),
    ) -> None:
        self._host = host
        self._port = port
        self._alive = alive
        self._checks = checks
        self._places = places
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen; the answer is the port (another one when 0 was asked for). Raises OSError."""
        self._server = await asyncio.start_server(self._serve, self._host, self._port)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT):
                head = await reader.readuntil(b"\r\n\r\n")
                method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
                status, content_type, body = await self._answer(method, target.split("?")[0])
                lines = [
                    f"HTTP/1.1 {status} {_REASONS[status]}",
                    f"Content-Type: {content_type}",
                    f"Content-Length: {len(body)}",
                    "Connection: close",
                ]
                writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
                if method != "HEAD":
                    writer.write(body)
                await writer.drain()
        except (TimeoutError, OSError, ValueError, EOFError, asyncio.LimitOverrunError):
            log.debug("health request came to nothing")
        finally:
            writer.close()

    async def _answer(self, method: str, path: str) -> tuple[int, str, bytes]:
        if method not in ("GET", "HEAD"):
            return 405, _JSON, b'{"error":"only GET"}'
        if path == "/metrics":
            body, content_type = render()
            return 200, content_type, body
        if path == "/health":
            stuck = self._alive()
            if stuck is not None:
                return 503, _JSON, _encode({"status": "stuck", "why": stuck})
            return 200, _JSON, _encode({"status": "alive"})
        if path == "/health/ready":
            return await self._ready()
        return 404, _JSON, b'{"error":"there are /health, /health/ready and /metrics"}'

    async def _ready(self) -> tuple[int, str, bytes]:
        found = await asyncio.gather(*(self._checked(name) for name in self._checks))
        states = {
            name: {"ready": why is None, **({} if why is None else {"why": why})}
            for name, why in zip(self._checks, found, strict=True)
        }
        ready = all(why is None for why in found)
        body = _encode({"status": "ready" if ready else "not ready", "dependencies": states})
        return (200 if ready else 503), _JSON, body

    async def _checked(self, name: str) -> str | None:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT):
                return await self._checks[name]()
        except TimeoutError:
            # On a busy machine this comes before the driver's own words, and says as much.
            place = self._places.get(name)
            asked = f"{name} at {place}" if place else name
            return f"{asked}: no answer within {CHECK_TIMEOUT} s"


def _encode(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()
