"""All programs together: started side by side, kept, and ended in the right order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import TypeVar

from explanation_service.standalone.faults import GaveUp
from explanation_service.standalone.keeper import Keeper
from explanation_service.standalone.program import Program
from explanation_service.standalone.terminal import Terminal
from explanation_service.standalone.watchdog import Watchdog

Result = TypeVar("Result")

_POLL_SECONDS = 0.02


class Supervisor:
    """An asynchronous context manager; on leaving it no process of ours is left.

    `stores` outlive `services` at the end, so that the services can hand back what they hold.
    """

    def __init__(
        self, stores: Sequence[Program], services: Sequence[Program], terminal: Terminal
    ) -> None:
        self.watchdog = Watchdog()
        self._stages = [
            [Keeper(program, terminal, self.watchdog) for program in programs]
            for programs in (services, stores)
        ]
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def keepers(self) -> list[Keeper]:
        return [keeper for stage in self._stages for keeper in stage]

    async def __aenter__(self) -> Supervisor:
        self._tasks = [asyncio.create_task(keeper.run()) for keeper in self.keepers]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            for stage in self._stages:
                await _end(stage)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for keeper in self.keepers:
                keeper.kill()
            self.watchdog.close()

    async def ready(self, *names: str) -> None:
        """Returns when all programs of these names (those that we run) answer."""
        for keeper in self.keepers:
            if keeper.program.name in names:
                await keeper.ready.wait()

    async def guard(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """The result of `work`; raises GaveUp as soon as a program cannot be kept running."""
        task = asyncio.ensure_future(work())
        try:
            await asyncio.wait([task, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
            for kept in self._tasks:
                if kept.done():
                    kept.result()
                    raise GaveUp("A program was no longer kept.")
            return await task
        finally:
            task.cancel()


async def _end(stage: Sequence[Keeper]) -> None:
    """Ask all of a stage to end, wait as long as their programs say, then kill."""
    for keeper in stage:
        keeper.stop()
    begun = time.monotonic()
    running = list(stage)
    while running:
        waited = time.monotonic() - begun
        running = [
            keeper
            for keeper in running
            if keeper.process is not None
            and keeper.process.exit_code is None
            and waited < keeper.program.stop_seconds
        ]
        for keeper in running:
            if keeper.process is not None:
                keeper.process.nudge()
        await asyncio.sleep(_POLL_SECONDS if running else 0)
    for keeper in stage:
        keeper.kill()
