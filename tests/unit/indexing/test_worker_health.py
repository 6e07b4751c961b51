from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from explanation_service.indexing import health
from explanation_service.indexing.health import HealthServer


async def ask(port: int, request: bytes) -> tuple[int, Any]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


async def well() -> str | None:
    return None


async def away() -> str | None:
    return "redis is unavailable: refused"


async def get(server: HealthServer, path: str, method: str = "GET") -> tuple[int, bytes]:
    port = await server.start()
    try:
        return await ask(port, f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    finally:
        await server.close()


def server(stuck: str | None = None, **checks: Any) -> HealthServer:
    return HealthServer("127.0.0.1", 0, lambda: stuck, checks or {"model": well})


async def test_alive_and_stuck() -> None:
    assert (await get(server(), "/health"))[0] == 200
    status, body = await get(server("one batch takes for ever"), "/health")
    assert status == 503 and "for ever" in body.decode()


async def test_ready_names_each_dependency() -> None:
    status, body = await get(server(model=well, redis=away), "/health/ready")
    found = json.loads(body)["dependencies"]
    assert status == 503
    assert found["model"] == {"ready": True}
    assert found["redis"] == {"ready": False, "why": "redis is unavailable: refused"}
    assert (await get(server(model=well), "/health/ready"))[0] == 200


async def test_a_dependency_that_keeps_silent_is_named_with_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT", 0.05)

    async def silent() -> str | None:
        await asyncio.Event().wait()
        return None

    checks = {"mongodb": silent, "group": silent, "redis": well}
    subject = HealthServer("127.0.0.1", 0, lambda: None, checks, {"mongodb": "127.0.0.1:1"})
    status, body = await get(subject, "/health/ready")
    found = json.loads(body)["dependencies"]
    assert status == 503 and found["redis"] == {"ready": True}
    assert found["mongodb"]["why"] == "mongodb at 127.0.0.1:1: no answer within 0.05 s"
    assert found["group"]["why"] == "group: no answer within 0.05 s"


async def test_metrics_are_prometheus_text() -> None:
    status, body = await get(server(), "/metrics")
    assert status == 200 and b"embed_worker_ready" in body


@pytest.mark.parametrize(("path", "method", "status"), [("/x", "GET", 404), ("/", "POST", 405)])
async def test_what_is_not_there(path: str, method: str, status: int) -> None:
    assert (await get(server(), path, method))[0] == status


async def test_rubbish_does_not_stop_the_server() -> None:
    subject = server()
    port = await subject.start()
    try:
        _reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x00" * 100_000)
        writer.close()
        assert (await ask(port, b"GET /health HTTP/1.1\r\n\r\n"))[0] == 200
    finally:
        await subject.close()
