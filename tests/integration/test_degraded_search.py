"""Searches go on while every worker is killed, and are hybrid again when one has come back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from bench.search_load import Answer, SearchLoad
from explanation_service.settings import Settings
from explanation_service.standalone import services
from explanation_service.standalone.ports import free_ports
from explanation_service.standalone.process import Process, running
from explanation_service.standalone.program import Program, python_environment
from explanation_service.stores.redis import close, connect_redis

RULES = {
    "ne-verbs": ("НЕ с глаголами", "Частица «не» с глаголами пишется раздельно: не знал, не был."),
    "tsya": ("Тся и ться", "В инфинитиве пишется мягкий знак: что делать? учиться, стараться."),
    "dash": ("Тире", "Между подлежащим и сказуемым ставится тире, когда связка опущена."),
}
QUESTIONS = ["как пишется не с глаголом", "мягкий знак в инфинитиве", "когда ставится тире"]
# A second; //bench:degraded_search asks 50.
RATE = 8.0
# Seconds that a worker may take to start on a machine that others share; measured 8.
START = 240.0
# Seconds from a worker that is ready to the first hybrid answer; measured 2. The bench holds the 5
# of a quiet machine.
BACK = 30.0


@dataclass
class Service:
    """An API, and workers that can be started and killed."""

    settings: Settings
    folder: Path
    model: Path
    stack: ExitStack

    def __post_init__(self) -> None:
        api_port, worker_port = free_ports(2)
        self._addresses = services.Addresses(
            self.settings.mongodb_uri,
            self.settings.redis_url,
            self.settings.qdrant_url,
            "127.0.0.1",
            api_port,
            worker_port,
        )
        self.url = self._addresses.api_url
        self.environment = {
            **services.service_environment(
                self._addresses, python_environment(), self.model, "WARNING", embedded_qdrant=True
            ),
            "MONGODB_DB": self.settings.mongodb_db,
            "QDRANT_COLLECTION": self.settings.qdrant_collection,
            "REDIS_STREAM_NAME": self.settings.redis_stream_name,
            "REDIS_STREAM_GROUP": self.settings.redis_stream_group,
            "API_KEYS": "",
            "ADMIN_API_KEYS": "",
            # On a busy machine a vector takes longer than the 150 ms of the default.
            "SEARCH_BUDGET_MS": "3000",
        }

    def start_api(self) -> None:
        program = services.api_program(
            self._addresses, self.environment, self.folder, self.folder / "api.log"
        )
        self.stack.enter_context(running(program))

    def worker_program(self) -> Program:
        return services.worker_program(
            self._addresses, self.environment, self.folder, self.folder / "worker.log"
        )

    def start_worker(self) -> Process:
        """In the main thread: the kernel ties the child's life to the thread that forked it."""
        worker = Process(self.worker_program())
        self.stack.callback(worker.stop)
        return worker

    async def ready(self, worker: Process) -> None:
        is_ready = await asyncio.to_thread(worker.wait_until_ready, START)
        assert is_ready, (self.folder / "worker.log").read_text()


@pytest.fixture
async def service(
    settings: Settings, tmp_path: Path, model_directory: Path
) -> AsyncIterator[Service]:
    # A Redis database of its own: the keys of the embedding channel are the same for all.
    changed = settings.model_copy(update={"redis_url": settings.redis_url.rsplit("/", 1)[0] + "/9"})
    redis = connect_redis(changed)
    await redis.flushdb()
    with ExitStack() as stack:
        yield Service(changed, tmp_path, model_directory.absolute(), stack)
    await redis.flushdb()
    await close(redis)


def fill(url: str) -> None:
    """The rules, until all of them are searchable."""
    deadline = time.monotonic() + START
    with httpx.Client(base_url=url, timeout=20, trust_env=False) as client:
        for template_id, (title, body) in RULES.items():
            rule = {"title": title, "body": body}
            assert client.put(f"/v1/templates/{template_id}", json=rule).status_code == 201
        while (client.get("/v1/rag/status").json()["points"] or 0) < len(RULES):
            assert time.monotonic() < deadline, "the rules are not indexed"
            time.sleep(0.1)


def modes(answers: list[Answer]) -> list[str]:
    return [one.mode for one in answers]


async def test_workers_die_and_no_search_fails(service: Service) -> None:
    service.start_api()
    worker = service.start_worker()
    await service.ready(worker)
    fill(service.url)
    async with SearchLoad.running(service.url, QUESTIONS, RATE) as load:
        await load.until(lambda: modes(load.answers).count("hybrid") >= 10, 60)

        worker.kill_group()
        killed = time.monotonic()
        # Until the worker's last heartbeat has run out, 5 s, searches wait for it in vain.
        degraded = ["lexical"] * 10
        await load.until(lambda: modes(load.since(killed))[-10:] == degraded, 60)
        alone = time.monotonic()
        await load.until(lambda: len(load.since(alone)) >= 10, 60)

        await service.ready(service.start_worker())
        returned = time.monotonic()
        await load.until(lambda: "hybrid" in modes(load.since(returned)), BACK)

    assert {one.status for one in load.answers} == {200}, "failed requests"
    assert all(one.degraded == (one.mode == "lexical") for one in load.answers)
    without = sorted(one.seconds for one in load.since(alone) if one.at < returned)
    first = next(one for one in load.since(returned) if one.mode == "hybrid")
    print(
        f"{len(load.answers)} searches, none failed; without workers median "
        f"{without[len(without) // 2] * 1000:.0f} ms; hybrid again "
        f"{first.at + first.seconds - returned:.1f} s after a worker's return"
    )
    assert without[len(without) // 2] < 1.0, "nobody waits for workers that are known to be dead"
