"""A write and its event do not come apart, whatever the API dies of in between.

The API speaks to Redis through a proxy of this test that keeps XADD or its answer to itself, so the
moment of the kill -9 is no matter of luck: the API waits for an answer that never comes.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from explanation_service.settings import Settings
from explanation_service.stores.mongodb import TemplateRepository, connect_mongodb
from explanation_service.stores.redis import close, connect_redis

RULE = {"title": "Тире", "body": "Тире ставится между подлежащим и сказуемым."}
# Seconds; the sweep comes after four, and the machine may have other work.
PATIENCE = 90.0


class Proxy:
    """Between the API and Redis. With the first XADD a connection goes dead: neither it nor what
    comes after it gets through, or, where Redis `hears` it, nothing that Redis says."""

    def __init__(self, redis_url: str, *, hears: bool) -> None:
        self._real = urlsplit(redis_url)
        self._hears = hears
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        return f"redis://127.0.0.1:{port}{self._real.path}"

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Tasks of our own: those of the server report their own cancellation as an error.
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, redis = await asyncio.open_connection(self._real.hostname, self._real.port)
        dead = asyncio.Event()

        async def answer() -> None:
            while data := await answers.read(65_536):
                if not dead.is_set():
                    writer.write(data)

        back = asyncio.create_task(answer())
        try:
            while data := await reader.read(65_536):
                if b"XADD" in data:
                    dead.set()
                if self._hears or not dead.is_set():
                    redis.write(data)
        except ConnectionError:
            pass
        finally:
            back.cancel()
            writer.close()
            redis.close()


async def eventually(look: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := await look()):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    return found


async def write_and_die(
    settings: Settings, folder: Path, run_api: Any, *, hears: bool
) -> dict[str, Any]:
    """PUT a template to an API that is killed while it waits for Redis; the document it left."""
    store = connect_mongodb(settings)
    templates = store.database["templates"]
    async with Proxy(settings.redis_url, hears=hears) as redis_url:
        cut_off = settings.model_copy(update={"redis_url": redis_url})
        with run_api(cut_off, folder) as api:
            async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as client:
                put = asyncio.create_task(client.put(f"{api.url}/v1/templates/a", json=RULE))
                document = await eventually(lambda: templates.find_one({"_id": "a"}))
                if hears:
                    await eventually(lambda: entries(settings))
                api.process.send_signal(signal.SIGKILL)
                api.process.wait()
                await asyncio.gather(put, return_exceptions=True)
    await store.close()
    return dict(document)


async def entries(settings: Settings) -> list[dict[str, str]]:
    redis = connect_redis(settings)
    rows = await redis.xrange(settings.redis_stream_name)
    await close(redis)
    return [fields for _, fields in rows]


async def outbox_is_empty(settings: Settings) -> bool:
    store = connect_mongodb(settings)
    document = await store.database["templates"].find_one({"_id": "a"})
    await store.close()
    return document is not None and "outbox" not in document


async def test_killed_between_the_write_and_the_event(
    settings: Settings, tmp_path: Path, run_api: Any
) -> None:
    document = await write_and_die(settings, tmp_path / "first", run_api, hears=False)
    assert document["version"] == 1 and await entries(settings) == []
    with run_api(settings, tmp_path / "second"):
        (event,) = await eventually(lambda: entries(settings))
        await eventually(lambda: outbox_is_empty(settings))
    assert event["event_id"] == document["outbox"]["event_id"]
    assert (event["entity_id"], event["op"], event["version"]) == ("a", "upsert", "1")
    assert len(await entries(settings)) == 1


async def test_killed_between_the_event_and_the_clearing_of_the_outbox(
    settings: Settings, tmp_path: Path, run_api: Any
) -> None:
    document = await write_and_die(settings, tmp_path / "first", run_api, hears=True)
    with run_api(settings, tmp_path / "second"):
        await eventually(lambda: outbox_is_empty(settings))
    # Once too often is harmless, for an event is a pointer; never would not be.
    events = await entries(settings)
    assert {event["event_id"] for event in events} == {document["outbox"]["event_id"]}


async def test_killed_after_a_deletion(settings: Settings, tmp_path: Path, run_api: Any) -> None:
    store = connect_mongodb(settings)
    repository = TemplateRepository(store)
    with run_api(settings, tmp_path / "before") as api, api.client() as client:
        assert client.put("/v1/templates/a", json=RULE).status_code == 201
    async with Proxy(settings.redis_url, hears=False) as redis_url:
        cut_off = settings.model_copy(update={"redis_url": redis_url})
        with run_api(cut_off, tmp_path / "first") as api:
            async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as client:
                gone = asyncio.create_task(client.delete(f"{api.url}/v1/templates/a"))

                async def deleted() -> bool:
                    stored = await repository.get("a")
                    return stored is not None and stored.deleted

                await eventually(deleted)
                api.process.send_signal(signal.SIGKILL)
                api.process.wait()
                await asyncio.gather(gone, return_exceptions=True)
    await store.close()
    with run_api(settings, tmp_path / "second"):
        await eventually(lambda: outbox_is_empty(settings))
    assert [(each["op"], each["version"]) for each in await entries(settings)] == [
        ("upsert", "1"),
        ("delete", "2"),
    ]
