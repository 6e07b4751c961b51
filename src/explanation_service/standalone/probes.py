"""Whether a server answers. Plain sockets: the supervisor loads no driver."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from typing import Any

Probe = Callable[[], bool]

_TIMEOUT_SECONDS = 2.0


def tcp(port: int, host: str = "127.0.0.1") -> Probe:
    """The port accepts connections."""

    def probe() -> bool:
        try:
            with socket.create_connection((host, port), timeout=_TIMEOUT_SECONDS):
                return True
        except OSError:
            return False

    return probe


def redis(port: int) -> Probe:
    """PING is answered; while the append-only file loads the answer is an error."""

    def probe() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_SECONDS) as link:
                link.sendall(b"PING\r\n")
                return link.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    return probe


def http_ok(port: int, path: str, host: str = "127.0.0.1") -> Probe:
    """GET `path` is answered with 200."""
    return lambda: get_json(port, path, host=host)[0] == 200


def get_json(
    port: int, path: str, headers: dict[str, str] | None = None, host: str = "127.0.0.1"
) -> tuple[int, Any]:
    """Status and parsed body of GET `path`; (0, None) when nobody answers, None for no JSON."""
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        raw = answer.read()
    except (OSError, http.client.HTTPException):
        return 0, None
    finally:
        connection.close()
    try:
        return answer.status, json.loads(raw)
    except ValueError:
        return answer.status, None
