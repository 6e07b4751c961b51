"""Workers as processes of their own: started, killed, started again."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from explanation_service.indexing.leases import LEASE
from explanation_service.settings import Settings
from explanation_service.standalone import probes
from explanation_service.standalone.logs import last_words
from explanation_service.standalone.ports import free_ports
from explanation_service.standalone.process import Process, exit_of, how_it_ended
from explanation_service.standalone.program import Program, python_environment, python_module

_STOP_SECONDS = 12.0
_POLL_SECONDS = 0.05
_PAUSE_AFTER_OWN_END = 0.5


@dataclass(frozen=True)
class WorkerKind:
    """What runs as a worker, and the environment that is its own; `what` is for the reader."""

    what: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


def toy_kind(seconds_per_text: float, lease: float = LEASE, batch_tokens: int = 512) -> WorkerKind:
    """`bench.toy_worker`."""
    return WorkerKind(
        what=f"toy model that sleeps {seconds_per_text * 1000:.0f} ms a text, lease {lease:g} s",
        command=python_module(
            "bench.toy_worker",
            *("--seconds-per-text", str(seconds_per_text)),
            *("--lease", str(lease)),
        ),
        environment={"EMBEDDING_MAX_BATCH_TOKENS": str(batch_tokens)},
    )


def real_kind(model: Path) -> WorkerKind:
    """The worker as it is shipped, on one core."""
    return WorkerKind(
        what=f"the shipped worker with the model in {model}, 1 thread",
        command=python_module("explanation_service.indexing"),
        environment={"EMBEDDING_MODEL_PATH": str(model.absolute()), "OMP_NUM_THREADS": "1"},
    )


class WorkerProcess:
    """One place that a worker runs in, over all of its lives.

    A `steady` one keeps its consumer's name, as a worker whose name is set does; the others get a
    new one with each life, as a restarted container does.
    """

    def __init__(
        self, number: int, kind: WorkerKind, settings: Settings, folder: Path, steady: bool
    ) -> None:
        self.number = number
        self.port = free_ports(1)[0]
        self.consumer = ""
        self.log = folder / f"worker-{number}.log"
        self._kind = kind
        self._settings = settings
        self._folder = folder
        self._steady = steady
        self._lives = 0
        self._process: Process | None = None
        self._killed = False
        self.spared = False
        """Not to be killed just now."""
        self.own_ends: list[str] = []

    def start(self) -> None:
        """In the main thread, see Process."""
        self._lives += 1
        life = "" if self._steady else f"-{self._lives}"
        self.consumer = f"worker-{self.number}{life}"
        self._killed = False
        self._process = Process(self._program())

    @property
    def process(self) -> Process:
        """The life of now."""
        if self._process is None:
            raise RuntimeError("the worker was never started")
        return self._process

    async def until_ready(self, seconds: float = 120.0) -> None:
        """Raises RuntimeError with its last words when it does not become ready."""
        async with asyncio.timeout(seconds):
            while not await asyncio.to_thread(self.process.program.ready):
                if self.process.exit_code is not None:
                    raise RuntimeError(f"a worker did not start: {last_words(self.log, 0)}")
                await asyncio.sleep(_POLL_SECONDS)

    def kill(self) -> None:
        """kill -9."""
        self._killed = True
        self.process.kill_group()

    def freeze(self) -> None:
        """SIGSTOP: it does not know afterwards that time has passed."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self.process.exit_code is None:
            os.kill(self.process.pid, number)

    async def keep(self) -> None:
        """Start it again whenever it ends, until cancelled; ends that nobody here has brought
        about are noted in `own_ends`."""
        while True:
            code = await exit_of(self.process)
            if not self._killed:
                self.own_ends.append(f"{self.consumer} {how_it_ended(code)}")
                await asyncio.sleep(_PAUSE_AFTER_OWN_END)
            self.start()

    def _program(self) -> Program:
        settings = self._settings
        return Program(
            name="worker",
            command=self._kind.command,
            log=self.log,
            working_directory=self._folder,
            ready=probes.http_ok(self.port, "/health/ready"),
            stop_seconds=_STOP_SECONDS,
            environment={
                **python_environment(),
                "REDIS_URL": settings.redis_url,
                "REDIS_STREAM_NAME": settings.redis_stream_name,
                "REDIS_STREAM_GROUP": settings.redis_stream_group,
                "REDIS_CONSUMER_NAME": self.consumer,
                "MONGODB_URI": settings.mongodb_uri,
                "MONGODB_DB": settings.mongodb_db,
                "QDRANT_URL": settings.qdrant_url,
                "QDRANT_COLLECTION": settings.qdrant_collection,
                "QDRANT_API_KEY": "",
                "WORKER_HOST": "127.0.0.1",
                "WORKER_PORT": str(self.port),
                "WORKER_ROLE": "all",
                # It would mend what a worker broke before anybody sees it.
                "RECONCILE_INTERVAL_SECONDS": "0",
                "LOG_LEVEL": "INFO",
                **self._kind.environment,
            },
        )


async def stop_all(workers: list[WorkerProcess]) -> None:
    """SIGTERM to all, and their ends."""
    for worker in workers:
        worker.process.terminate()
    await asyncio.gather(*(asyncio.to_thread(worker.process.stop) for worker in workers))
