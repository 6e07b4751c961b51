"""Health of a whole worker over HTTP: by name what it needs, and whether its loops move."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from explanation_service.indexing import pulse
from explanation_service.indexing.query_lane import QueryLane
from explanation_service.indexing.reader import Reader
from explanation_service.indexing.worker import Worker
from explanation_service.settings import Settings
from explanation_service.standalone.ports import free_ports
from tests.integration.toy_encoder import ToyEncoder

PATIENCE = 60.0


@contextlib.asynccontextmanager
async def running(settings: Settings, role: str = "all") -> AsyncIterator[httpx.AsyncClient]:
    (port,) = free_ports(1)
    changed = {"worker_host": "127.0.0.1", "worker_port": port, "worker_role": role}
    stop = asyncio.Event()
    task = asyncio.create_task(
        Worker(settings.model_copy(update=changed), stop, ToyEncoder()).run()
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as client:
            yield client
    finally:
        stop.set()
        await asyncio.wait({task}, timeout=15)
        if not task.done():
            # A loop that a test made hang does not hear the stop.
            task.cancel()
            await asyncio.wait({task})


async def dependencies(client: httpx.AsyncClient) -> dict[str, Any]:
    """Empty without an answer: on a busy machine the worker ends a late request unanswered."""
    with contextlib.suppress(httpx.TransportError):
        found: dict[str, Any] = (await client.get("/health/ready")).json()["dependencies"]
        return found
    return {}


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    started = time.monotonic()
    while not await check():
        assert time.monotonic() - started < PATIENCE, "it did not come to pass in time"
        await asyncio.sleep(0.05)


def answers(client: httpx.AsyncClient, path: str, status: int) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return (await client.get(path)).status_code == status
        return False

    return check


@pytest.mark.parametrize("role", ["all", "index", "query"])
async def test_every_dependency_by_name(settings: Settings, role: str) -> None:
    async with running(settings, role) as client:
        found: dict[str, Any] = {}

        async def ready() -> bool:
            with contextlib.suppress(httpx.TransportError):
                found.update((await client.get("/health/ready")).json())
            return found.get("status") == "ready"

        await eventually(ready)
        names = {"model", "index", "redis", "mongodb", "qdrant"}
        assert found["status"] == "ready"
        assert set(found["dependencies"]) == (names if role == "query" else names | {"group"})
        assert (await client.get("/health")).json() == {"status": "alive"}
        metrics = (await client.get("/metrics")).text
        assert "embed_worker_ready 1.0" in metrics and "embed_stream_lag" in metrics


async def test_a_store_that_is_away_is_named_and_the_worker_stays_alive(
    settings: Settings,
) -> None:
    away = settings.model_copy(update={"mongodb_uri": "mongodb://127.0.0.1:1"})
    async with running(away) as client:
        await eventually(answers(client, "/health/ready", 503))

        async def only_mongodb_is_away() -> bool:
            found = await dependencies(client)
            if not found:
                return False
            mongodb = found.pop("mongodb")
            # In the driver's words, or in those of the check that ended first.
            assert not mongodb["ready"]
            assert "mongodb" in mongodb["why"] and "127.0.0.1:1" in mongodb["why"]
            return all(found[name]["ready"] for name in ("model", "redis", "qdrant"))

        await eventually(only_mongodb_is_away)
        await eventually(answers(client, "/health", 200))


@pytest.mark.parametrize(("owner", "method", "loop"), [
    (Reader, "read", "index"), (QueryLane, "run", "query"),
])  # fmt: skip
async def test_a_loop_that_hangs_is_not_alive_though_the_port_answers(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, owner: type, method: str, loop: str
) -> None:
    async def hang(_self: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(owner, method, hang)
    async with running(settings) as client:
        await eventually(answers(client, "/health", 200))
        monkeypatch.setattr(pulse, "SILENT_AFTER", 2.5)

        async def named() -> bool:
            answer = await client.get("/health")
            # On a busy machine the other loop may be late for a moment, too.
            return answer.status_code == 503 and f"the {loop} loop" in answer.json()["why"]

        await eventually(named)
