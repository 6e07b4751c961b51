"""Searches over HTTP at a fixed rate, answered or not: pupils do not wait for one another."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Self

import httpx


@dataclass(frozen=True, slots=True)
class Answer:
    """`at`: when it was asked, monotonic seconds; `status`: 0 where no answer came within 10 s."""

    at: float
    seconds: float
    status: int
    mode: str
    degraded: bool


class SearchLoad:
    """Each question is one that nobody asked before: its vector must be asked of a worker."""

    def __init__(self, url: str, questions: Sequence[str], rate: float) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=10, trust_env=False)
        self._questions = questions
        self._pause = 1 / rate
        self.answers: list[Answer] = []

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, url: str, questions: Sequence[str], rate: float) -> AsyncIterator[Self]:
        """For the time of the block, and until the last question is answered."""
        load = cls(url, questions, rate)
        task = asyncio.create_task(load._run())
        try:
            yield load
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def since(self, moment: float) -> list[Answer]:
        """What was asked after a moment, in the order of the questions."""
        return sorted((one for one in self.answers if one.at >= moment), key=lambda one: one.at)

    async def until(self, happened: Callable[[], bool], seconds: float) -> None:
        """Raises TimeoutError when it has not happened after `seconds`."""
        async with asyncio.timeout(seconds):
            while not happened():
                await asyncio.sleep(0.02)

    async def _run(self) -> None:
        started = time.monotonic()
        async with self._client, asyncio.TaskGroup() as asking:
            number = 0
            try:
                while True:
                    asking.create_task(self._ask(number))
                    number += 1
                    await asyncio.sleep(started + number * self._pause - time.monotonic())
            except asyncio.CancelledError:
                # The end of the load; the group waits for the answers that are still to come.
                pass

    async def _ask(self, number: int) -> None:
        text = f"{self._questions[number % len(self._questions)]} {number}"
        asked = time.monotonic()
        try:
            answer = await self._client.post("/v1/rag/search", json={"query": text, "limit": 5})
            status, found = answer.status_code, answer.json()
        except (httpx.HTTPError, ValueError):
            status, found = 0, {}
        seconds = time.monotonic() - asked
        mode, degraded = str(found.get("mode", "")), bool(found.get("degraded", False))
        self.answers.append(Answer(asked, seconds, status, mode, degraded))
