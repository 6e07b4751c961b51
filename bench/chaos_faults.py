"""What is done to the servers and workers of a chaos run, and when."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bench.chaos_recovery import Recoveries
from bench.chaos_stores import Server, Servers
from bench.worker_processes import WorkerProcess

WORKER_KILLED = "worker killed (-9)"
# Of the stores, and the one stalled worker.
_OTHER_FAULTS = 6
_POLL_SECONDS = 0.1
_LONGEST_WAIT = 10.0


@dataclass(frozen=True)
class Timing:
    """All in seconds. `gap`: before each fault of a store, while workers are killed all along;
    `freeze`: longer than a lease, so that the worker wakes up with leases that others have."""

    kill_every: float = 3.0
    gap: float = 18.0
    outage: float = 20.0
    stall: float = 8.0
    freeze: float = 20.0

    @property
    def together(self) -> float:
        """From the first event to the last, a gap after the last fault included."""
        return (_OTHER_FAULTS + 1) * self.gap + 2 * self.outage + self.stall + self.freeze


class Faults:
    """`kill_workers` runs beside `break_stores`; each fault is noted with its recovery."""

    def __init__(
        self,
        servers: Servers,
        workers: Sequence[WorkerProcess],
        recoveries: Recoveries,
        timing: Timing,
        seed: int,
        say: Callable[[str], None],
        written: Callable[[], float],
    ) -> None:
        """`written`: the share of the events that has been written."""
        self._servers = servers
        self._workers = workers
        self._recoveries = recoveries
        self._timing = timing
        self._draw = random.Random(f"{seed} faults")
        self._say = say
        self._written = written
        self._begun = 0

    def allowed(self) -> float:
        """The share of the events that may be written by now: the rest is for the faults to come,
        which take longer than planned on a busy machine."""
        return (self._begun + 1) / (_OTHER_FAULTS + 1)

    async def kill_workers(self) -> None:
        """kill -9 of a random one, again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._timing.kill_every)
            worker = self._draw.choice([one for one in self._workers if not one.spared])
            consumer, at = worker.consumer, self._recoveries.clock()
            worker.kill()
            held = await self._recoveries.held_by(consumer)
            self._recoveries.worker_fault(WORKER_KILLED, held, at)

    async def break_stores(self) -> None:
        """One fault after the other, with the gap before each, and spread over the events where
        these come more slowly than planned."""
        servers, timing = self._servers, self._timing
        await self._fault("redis killed (-9)", servers.redis, _kill, 0)
        await self._fault("qdrant killed (-9)", servers.qdrant, _kill, timing.outage)
        await self._fault("mongodb killed (-9)", servers.mongodb, _kill, timing.outage)
        await self._fault("redis restarted (SIGTERM)", servers.redis, Server.terminate, 0)
        await self._stall(servers.qdrant, timing.stall)
        await self._freeze_worker()

    async def _fault(
        self, name: str, server: Server, end: Callable[[Server], Awaitable[None]], seconds: float
    ) -> None:
        at = await self._begin(name)
        await end(server)
        await asyncio.sleep(seconds)
        await server.start()
        await self._end(name, at)

    async def _stall(self, server: Server, seconds: float) -> None:
        name = f"{server.name} stalled (SIGSTOP)"
        at = await self._begin(name)
        server.stall()
        try:
            await asyncio.sleep(seconds)
        finally:
            server.resume()
        await self._end(name, at)

    async def _freeze_worker(self) -> None:
        name = "worker stalled (SIGSTOP)"
        await self._begin(name)
        worker = self._draw.choice(list(self._workers))
        worker.spared = True
        try:
            held = await self._freeze_at_work(worker)
            at = self._recoveries.clock()
            await asyncio.sleep(self._timing.freeze)
            lasted = self._recoveries.clock() - at
        finally:
            worker.thaw()
            worker.spared = False
        self._recoveries.worker_fault(name, held, at, lasted)
        self._say(f"{name}: it goes on after {lasted:.1f} s")

    async def _freeze_at_work(self, worker: WorkerProcess) -> set[str]:
        """Stop it while it has entries in hand, which are the answer; as it is, where it never
        has."""
        deadline = self._recoveries.clock() + _LONGEST_WAIT
        while True:
            worker.freeze()
            held = await self._recoveries.held_by(worker.consumer)
            if held or self._recoveries.clock() > deadline:
                return held
            worker.thaw()
            await asyncio.sleep(self._draw.uniform(0, 2 * _POLL_SECONDS))

    async def _begin(self, name: str) -> float:
        await asyncio.sleep(self._timing.gap)
        while self._written() < self._begun / (_OTHER_FAULTS + 1):
            await asyncio.sleep(_POLL_SECONDS)
        self._begun += 1
        self._say(name)
        return self._recoveries.clock()

    async def _end(self, name: str, at: float) -> None:
        lasted = self._recoveries.clock() - at
        await self._recoveries.store_fault(name, at, lasted)
        self._say(f"{name}: back after {lasted:.1f} s")


async def _kill(server: Server) -> None:
    server.kill()
