"""Waiting for a slot, and what this process allows itself while Redis is away."""

from __future__ import annotations

import asyncio
import time

import pytest

from explanation_service.explanations.yandexgpt.failures import CallFailed
from explanation_service.explanations.yandexgpt.slots import LINGER_SECONDS, LOCAL_SLOTS, Slots
from explanation_service.stores.errors import StoreUnavailable
from explanation_service.stores.time_limit import TimeLimit

PATIENCE = 60.0


class Shared:
    """GenerationSlots in memory, which can be away."""

    def __init__(self, limit: int = 2, lease_seconds: float = 10.0) -> None:
        self.limit = limit
        self.lease_seconds = lease_seconds
        self.tokens: set[str] = set()
        self.most = 0
        self.away = False
        self.hangs = False
        self.released: list[float] = []
        self.asked = 0
        self.gave_back = 0

    async def _serve(self):
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.away:
            raise StoreUnavailable("redis", "gone")

    async def acquire(self, token, running):
        await self._serve()
        self.tokens |= set(running)
        if token not in self.tokens and len(self.tokens) >= self.limit:
            return False
        self.tokens.add(token)
        self.most = max(self.most, len(self.tokens))
        return True

    async def renew(self, tokens):
        await self._serve()
        self.tokens |= set(tokens)

    async def release(self, token, after_seconds=0.0):
        self.gave_back += 1
        await self._serve()
        if token in self.tokens:
            self.tokens.discard(token)
            self.released.append(after_seconds)


def soon(seconds: float = PATIENCE) -> float:
    return time.monotonic() + seconds


async def until(condition) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.002)


async def hold(slots: Slots, stop: asyncio.Event) -> None:
    async with slots.slot(soon()):
        await stop.wait()


async def test_as_many_as_there_are_and_the_others_wait():
    shared = Shared(limit=2)
    slots = Slots(shared)
    running = most = 0

    async def work():
        nonlocal running, most
        async with slots.slot(soon()):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.001)
            running -= 1

    await asyncio.gather(*(work() for _ in range(30)))
    assert most == shared.most == 2
    await slots.close()
    assert shared.tokens == set() and slots.held == 0


async def test_they_come_in_as_they_came():
    slots = Slots(Shared(limit=1))
    order = []

    async def work(number):
        async with slots.slot(soon()):
            order.append(number)

    await asyncio.gather(*(work(number) for number in range(10)))
    assert order == list(range(10))
    await slots.close()


async def test_no_slot_in_time():
    shared = Shared(limit=0)
    slots = Slots(shared)
    with pytest.raises(CallFailed) as caught:
        async with slots.slot(soon(0.05)):
            raise AssertionError
    assert (caught.value.reason, caught.value.counts) == ("no_slot", False)
    await slots.close()


async def test_who_never_had_a_turn_gives_nothing_back():
    shared = Shared(limit=0)
    slots = Slots(shared)

    async def wait():
        with pytest.raises(CallFailed, match="no_slot"):
            async with slots.slot(soon(0.1)):
                raise AssertionError

    await asyncio.gather(*(wait() for _ in range(50)))
    await slots.close()
    # One of them asked; on a busy machine another one had its turn in the last moment.
    assert shared.gave_back < 10


@pytest.mark.parametrize(
    ("error", "after"),
    [
        (None, 0.0),
        (CallFailed("rate_limited"), 0.0),
        (CallFailed("timeout"), LINGER_SECONDS),
        (CallFailed("broken_off"), LINGER_SECONDS),
        (asyncio.CancelledError(), LINGER_SECONDS),
    ],
)
async def test_a_call_that_was_broken_off_counts_a_little_longer(error, after):
    shared = Shared()
    slots = Slots(shared)
    try:
        async with slots.slot(soon()):
            if error:
                raise error
    except BaseException as caught:
        assert caught is error
    await slots.close()
    assert shared.released == [after]


async def test_a_waiter_that_was_cancelled_leaves_nothing_behind():
    shared = Shared(limit=1)
    slots = Slots(shared)
    stop = asyncio.Event()
    holder = asyncio.create_task(hold(slots, stop))
    await until(lambda: slots.held == 1)
    waiter = asyncio.create_task(hold(slots, stop))
    await until(lambda: shared.asked > 3)
    waiter.cancel()
    await asyncio.wait({waiter})
    assert slots.held == 1 and len(shared.tokens) == 1
    stop.set()
    await holder
    await slots.close()
    assert shared.tokens == set()


async def test_leases_are_renewed_while_anything_is_held():
    shared = Shared(lease_seconds=0.02)
    slots = Slots(shared)
    stop = asyncio.Event()
    holder = asyncio.create_task(hold(slots, stop))
    await until(lambda: slots.held == 1)
    # As if they had run out.
    shared.tokens.clear()
    await until(lambda: len(shared.tokens) == 1)
    stop.set()
    await holder
    await until(lambda: not shared.tokens)
    asked = shared.asked
    await asyncio.sleep(0.1)
    assert shared.asked == asked
    await slots.close()


async def test_without_redis_each_process_allows_itself_little():
    shared = Shared(limit=8)
    shared.away = True
    slots = Slots(shared)
    stop = asyncio.Event()
    holders = [asyncio.create_task(hold(slots, stop)) for _ in range(5)]
    await until(lambda: shared.asked > 20)
    assert slots.held == LOCAL_SLOTS
    # Redis is back: what ran without it is counted.
    shared.away = False
    await until(lambda: slots.held == 5)
    assert len(shared.tokens) == 5
    stop.set()
    await asyncio.gather(*holders)
    await slots.close()


async def test_what_is_held_through_redis_counts_when_it_goes_away():
    shared = Shared(limit=8)
    slots = Slots(shared)
    stop = asyncio.Event()
    holders = [asyncio.create_task(hold(slots, stop)) for _ in range(3)]
    await until(lambda: slots.held == 3)
    shared.away = True
    with pytest.raises(CallFailed):
        async with slots.slot(soon(0.1)):
            raise AssertionError
    stop.set()
    await asyncio.gather(*holders)
    await slots.close()


async def test_a_redis_that_hangs_costs_one_wait():
    shared = Shared()
    shared.hangs = True
    slots = Slots(shared, TimeLimit("redis", seconds=0.05, pause=1000))
    for _ in range(20):
        async with slots.slot(soon()):
            assert slots.held == 1
    assert shared.asked == 1
    await slots.close()
