"""What a store that does not answer costs."""

from __future__ import annotations

import asyncio

import pytest

from explanation_service.stores.errors import StoreRejected, StoreUnavailable
from explanation_service.stores.time_limit import TimeLimit


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


async def hang() -> None:
    await asyncio.Event().wait()


async def five() -> int:
    return 5


async def test_one_wait_and_then_a_pause():
    clock = Clock()
    time_limit = TimeLimit("redis", seconds=0.01, pause=10, clock=clock)
    with pytest.raises(StoreUnavailable, match="no answer"):
        await time_limit.ask(hang)
    asked = []

    async def question() -> int:
        asked.append(1)
        return 5

    with pytest.raises(StoreUnavailable, match="a moment ago"):
        await time_limit.ask(question)
    assert not asked
    clock.now += 10
    assert await time_limit.ask(question) == 5


async def test_errors_come_through_and_cause_no_pause():
    async def refuse() -> None:
        raise StoreRejected("redis", "no")

    time_limit = TimeLimit("redis")
    with pytest.raises(StoreRejected):
        await time_limit.ask(refuse)
    assert await time_limit.ask(five) == 5


async def test_a_caller_that_is_cancelled_is_no_slow_store():
    time_limit = TimeLimit("redis", seconds=1000)
    task = asyncio.create_task(time_limit.ask(hang))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await time_limit.ask(five) == 5
