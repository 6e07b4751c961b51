"""Waits for one of the slots that all replicas share, and keeps it while a call runs.

The quota of a folder counts generations at a time, whichever process asks for them. Redis holds
the slots; while it is away each process allows itself LOCAL_SLOTS and counts what it holds already,
so that three replicas stay within Yandex's 10 with 8 slots.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol
from uuid import uuid4

from explanation_service.explanations.yandexgpt.failures import CallFailed
from explanation_service.stores.errors import StoreError
from explanation_service.stores.time_limit import TimeLimit
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

LOCAL_SLOTS = 1
# Seconds between two tries, drawn anew each time: one waiter of each process tries.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.02, 0.06
# Seconds. A call that was broken off may go on in the service; its slot stays taken this long.
LINGER_SECONDS = 1.0


class SharedSlots(Protocol):
    """The part of GenerationSlots that is needed here."""

    lease_seconds: float

    async def acquire(self, token: str, running: list[str]) -> bool: ...

    async def renew(self, tokens: list[str]) -> None: ...

    async def release(self, token: str, after_seconds: float = 0.0) -> None: ...


class Slots:
    """One per process; close it when nothing is held any more."""

    def __init__(self, shared: SharedSlots, time_limit: TimeLimit | None = None) -> None:
        self._shared = shared
        self._time_limit = time_limit or TimeLimit("redis")
        # Tokens of what runs here; True once Redis knows of it.
        self._held: dict[str, bool] = {}
        self._freed = asyncio.Event()
        # Held by the one waiter that asks; asyncio's lock lets the others in as they came.
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._renewal: asyncio.Task[None] | None = None

    @property
    def held(self) -> int:
        """Slots in use by this process."""
        return len(self._held)

    @asynccontextmanager
    async def slot(self, until: float) -> AsyncIterator[None]:
        """A slot for the time of the block; raises CallFailed without one by `until` (of
        `time.monotonic()`)."""
        token = uuid4().hex
        await self._acquire(token, until)
        finished = False
        try:
            yield
            finished = True
        except CallFailed as failure:
            # After an answer, even one that says no, nothing of ours runs there.
            finished = failure.reason not in ("timeout", "broken_off")
            raise
        finally:
            self._give_back(token, 0.0 if finished else LINGER_SECONDS)

    async def close(self) -> None:
        """Wait until Redis knows of everything that was given back."""
        if self._renewal is not None:
            self._renewal.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _acquire(self, token: str, until: float) -> None:
        asked = False
        try:
            async with asyncio.timeout(until - time.monotonic()) as limit:
                async with self._turn:
                    asked = True
                    while not await self._try(token):
                        await self._pause()
        except BaseException as error:
            # Redis may have given a slot to a question whose answer nobody waited for. Who never
            # had a turn has nothing to give back: with hundreds of them that is work just when
            # all their answers are due.
            if asked:
                self._give_back(token, 0.0)
            if isinstance(error, TimeoutError) and limit.expired():
                raise CallFailed("no_slot", counts=False) from None
            raise
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._keep_renewed(), name="slots")

    async def _try(self, token: str) -> bool:
        unknown = [held for held, known in self._held.items() if not known]
        try:
            got = await self._time_limit.ask(lambda: self._shared.acquire(token, unknown))
        except StoreError as error:
            log.debug("slots of this process alone", why=str(error))
            if len(self._held) >= LOCAL_SLOTS:
                return False
            self._held[token] = False
            return True
        for held in unknown:
            # Unless it was given back meanwhile.
            if held in self._held:
                self._held[held] = True
        if got:
            self._held[token] = True
        return got

    async def _pause(self) -> None:
        """Until one is given back here, or a moment: others give theirs back in silence."""
        self._freed.clear()
        try:
            async with asyncio.timeout(random.uniform(SHORTEST_PAUSE, LONGEST_PAUSE)):
                await self._freed.wait()
        except TimeoutError:
            return

    def _give_back(self, token: str, after_seconds: float) -> None:
        self._held.pop(token, None)
        self._freed.set()
        self._spawn(self._release(token, after_seconds))

    async def _release(self, token: str, after_seconds: float) -> None:
        try:
            await self._time_limit.ask(lambda: self._shared.release(token, after_seconds))
        except StoreError as error:
            log.debug("a slot is left to its lease", why=str(error))

    async def _keep_renewed(self) -> None:
        """Renew while anything is held."""
        while self._held:
            await asyncio.sleep(self._shared.lease_seconds / 4)
            tokens = list(self._held)
            if not tokens:
                return
            try:
                await self._time_limit.ask(partial(self._shared.renew, tokens))
            except StoreError as error:
                log.debug("slots not renewed", why=str(error))
                continue
            for token in tokens:
                if token in self._held:
                    self._held[token] = True
                else:
                    # Given back while it was being renewed.
                    self._spawn(self._release(token, 0.0))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
