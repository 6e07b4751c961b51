"""A worker with a model that costs nothing: in this process, or (as a program) in one to be killed.

As a program it takes the settings from the environment, and the lease in seconds as its argument.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from explanation_service.indexing.worker import Worker
from explanation_service.settings import Settings, load_settings
from explanation_service.standalone.ports import free_ports
from explanation_service.standalone.program import python_environment
from explanation_service.stores import change_polling
from explanation_service.stores.records import EmbeddingModelInfo

INFO = EmbeddingModelInfo("toy", "r1", 8, 64)
# Nobody knows how busy the machine is; only a failure waits so long.
PATIENCE = 90.0


class ToyEncoder:
    """A token is a word, its vector a hash of its words."""

    info = INFO

    def passage_ids(self, texts: Sequence[str]) -> list[list[int]]:
        return [[1, *(2 + sum(map(ord, word)) % 500 for word in text.split())] for text in texts]

    query_ids = passage_ids

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        spans, at = [], 0
        for word in text.split():
            start = text.index(word, at)
            at = start + len(word)
            spans.append((start, at))
        return spans

    def embed(
        self, ids: Sequence[Sequence[int]], between_layers: Callable[[], None] | None = None
    ) -> Any:
        vectors = np.zeros((len(ids), 8), dtype=np.float32)
        for at, row in enumerate(ids):
            for token in row:
                vectors[at, token % 8] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


async def eventually(check: Callable[[], Awaitable[bool]], seconds: float = PATIENCE) -> None:
    """Until the check holds; fails after `seconds`."""
    until = time.monotonic() + seconds
    while not await check():
        assert time.monotonic() < until, "it did not come to pass in time"
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def toy_worker(
    settings: Settings, name: str = "w", lease: float = 15.0
) -> AsyncIterator[Worker]:
    """A worker that is ready; it must stop when it is told to."""
    changed = settings.model_copy(
        update={
            "redis_consumer_name": name,
            "worker_host": "127.0.0.1",
            "worker_port": free_ports(1)[0],
        }
    )
    stop = asyncio.Event()
    worker = Worker(changed, stop, ToyEncoder(), lease, lease / 4, lease / 4)
    task = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(PATIENCE):
            while not worker.readiness.ready:
                if task.done():
                    task.result()
                await asyncio.sleep(0.02)
        yield worker
    finally:
        stop.set()
        await asyncio.wait({task}, timeout=PATIENCE)
        assert task.done(), "the worker did not stop"
        task.result()


@contextlib.contextmanager
def toy_process(
    settings: Settings, log: Path, name: str, lease: float = 15.0
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process of its own, killed at the end where it still runs."""
    names = (
        "redis_url",
        "redis_stream_name",
        "redis_stream_group",
        "mongodb_uri",
        "mongodb_db",
        "qdrant_url",
        "qdrant_collection",
    )
    environment = {
        **os.environ,
        **python_environment(),
        **{one.upper(): str(getattr(settings, one)) for one in names},
        "REDIS_CONSUMER_NAME": name,
        "WORKER_HOST": "127.0.0.1",
        "WORKER_PORT": str(free_ports(1)[0]),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, __file__, str(lease)], env=environment, stdout=output, stderr=output
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(30)


async def _main(lease: float) -> None:
    change_polling.INTERVAL = 0.1
    await Worker(load_settings(), asyncio.Event(), ToyEncoder(), lease, lease / 4, lease / 4).run()


if __name__ == "__main__":
    asyncio.run(_main(float(sys.argv[1])))
