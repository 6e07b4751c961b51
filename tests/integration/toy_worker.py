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
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

from explanation_service.indexing.worker import Worker
from explanation_service.settings import Settings, load_settings
from explanation_service.standalone.ports import free_ports
from explanation_service.standalone.program import python_environment, python_module
from explanation_service.stores import change_polling
from tests.integration.toy_encoder import ToyEncoder

INFO = ToyEncoder().info
# Nobody knows how busy the machine is; only a failure waits so long.
PATIENCE = 90.0


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
            python_module(__name__, str(lease)), env=environment, stdout=output, stderr=output
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
