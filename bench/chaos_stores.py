"""The three embedded servers of a chaos run, each of which can be killed, stopped and stalled."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

from explanation_service.standalone import embedded_stores, logs
from explanation_service.standalone.ports import free_ports
from explanation_service.standalone.process import Process
from explanation_service.standalone.program import Program, python_environment

_START_SECONDS = 90.0
_POLL_SECONDS = 0.02
_BUSY_PAUSE = 0.2


class Server:
    """One program on its port and its data, over all of its lives."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._process: Process | None = None

    @property
    def name(self) -> str:
        """redis, mongodb or qdrant."""
        return self._program.name

    async def start(self) -> None:
        """Returns when it answers. Raises RuntimeError with its last words."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            written = logs.size(self._program.log)
            self._process = process = Process(self._program)
            if await self._answers(process, deadline):
                return
            process.kill_group()
            words = logs.tail(self._program.log, written)
            # The life before may not have let go of port and files.
            if time.monotonic() > deadline or not any(
                mark in words for mark in self._program.busy_marks
            ):
                raise RuntimeError(f"{self.name} did not start: {words}")
            await asyncio.sleep(_BUSY_PAUSE)

    async def _answers(self, process: Process, deadline: float) -> bool:
        while process.exit_code is None and time.monotonic() < deadline:
            if await asyncio.to_thread(self._program.ready):
                return True
            await asyncio.sleep(_POLL_SECONDS)
        return False

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill_group()

    async def terminate(self) -> None:
        """SIGTERM, and wait for its end."""
        if self._process is not None:
            await asyncio.to_thread(self._process.stop)

    def stall(self) -> None:
        """SIGSTOP: its connections stay open and nothing answers, as behind a broken network."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """The end of a stall."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.exit_code is None:
            os.kill(self._process.pid, number)


class Servers:
    """An asynchronous context manager; on leaving it none of them is left."""

    def __init__(self, folder: Path) -> None:
        redis, mongodb, qdrant = free_ports(3)
        data = {name: folder / name for name in ("redis", "mongodb", "qdrant", "run")}
        for path in data.values():
            path.mkdir()
        environment = python_environment()
        executable = embedded_stores.find_redis(data["run"])
        self.redis = Server(
            embedded_stores.redis_program(executable, redis, data["redis"], folder / "redis.log")
        )
        self.mongodb = Server(
            embedded_stores.mongodb_program(
                mongodb, data["mongodb"], data["run"], folder / "mongodb.log", environment
            )
        )
        self.qdrant = Server(
            embedded_stores.qdrant_program(
                qdrant, data["qdrant"], folder / "qdrant.log", environment
            )
        )
        self.addresses = {
            "redis_url": f"redis://127.0.0.1:{redis}/0",
            "mongodb_uri": f"mongodb://127.0.0.1:{mongodb}",
            "qdrant_url": f"http://127.0.0.1:{qdrant}",
        }

    async def __aenter__(self) -> Servers:
        try:
            await asyncio.gather(*(server.start() for server in self._all()))
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_error: object) -> None:
        for server in self._all():
            server.kill()

    def _all(self) -> tuple[Server, Server, Server]:
        return self.redis, self.mongodb, self.qdrant
