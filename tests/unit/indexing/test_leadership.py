from __future__ import annotations

import asyncio
from typing import Any

import pytest

from explanation_service.indexing.leadership import lead
from explanation_service.indexing.tasks import end
from explanation_service.stores.errors import LeaseLost, StoreUnavailable
from explanation_service.telemetry.metrics import REGISTRY


class Lease:
    """A lease that a test gives and takes."""

    def __init__(self) -> None:
        self.ttl = 0.04
        self.free = True
        self.away = False
        self.renewals = 0
        self.releases = 0

    async def acquire(self) -> bool:
        self._reach()
        return self.free

    async def renew(self) -> bool:
        self._reach()
        self.renewals += 1
        return self.free

    async def release(self) -> None:
        self.releases += 1
        self._reach()

    def _reach(self) -> None:
        if self.away:
            raise StoreUnavailable("redis", "x")


class Duty:
    """Runs until it is ended, or fails as it is told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.running = 0
        self.fails: Exception | None = None

    async def run(self) -> None:
        self.begun += 1
        self.running += 1
        try:
            if self.fails is not None:
                raise self.fails
            await asyncio.Event().wait()
        finally:
            self.running -= 1


async def until(check: Any) -> None:
    async with asyncio.timeout(20):
        while not check():
            await asyncio.sleep(0.002)


@pytest.fixture
async def led() -> Any:
    lease, duty = Lease(), Duty()
    task = asyncio.create_task(lead(lease, lambda: [duty.run()]))  # type: ignore[arg-type]
    yield lease, duty, task
    await end(task)


async def test_the_holder_works_and_renews(led: Any) -> None:
    lease, duty, task = led
    await until(lambda: lease.renewals > 3)
    assert (duty.running, duty.begun) == (1, 1)
    assert REGISTRY.get_sample_value("embed_relay_leader") == 1
    await end(task)
    assert (duty.running, lease.releases) == (0, 1)
    assert REGISTRY.get_sample_value("embed_relay_leader") == 0


async def test_nobody_works_without_the_lease() -> None:
    lease, duty = Lease(), Duty()
    lease.free = False
    task = asyncio.create_task(lead(lease, lambda: [duty.run()]))  # type: ignore[arg-type]
    await asyncio.sleep(0.1)
    assert duty.begun == 0
    lease.free = True
    await until(lambda: duty.running)
    await end(task)


async def test_a_lost_lease_ends_the_work_until_it_is_free_again(led: Any) -> None:
    lease, duty, _ = led
    await until(lambda: duty.running)
    lease.free = False
    await until(lambda: not duty.running)
    lease.free = True
    await until(lambda: duty.begun == 2)


async def test_a_redis_that_stays_away_ends_the_work(led: Any) -> None:
    lease, duty, _ = led
    await until(lambda: duty.running)
    lease.away = True
    await until(lambda: not duty.running)
    lease.away = False
    await until(lambda: duty.running)


@pytest.mark.parametrize("error", [LeaseLost("x"), StoreUnavailable("redis", "x"), KeyError("x")])
async def test_a_duty_that_fails_does_not_end_the_worker(led: Any, error: Exception) -> None:
    lease, duty, task = led
    await until(lambda: duty.running)
    lease.free = False
    await until(lambda: not duty.running)
    duty.fails, lease.free = error, True
    await until(lambda: duty.begun >= 3)
    duty.fails = None
    await until(lambda: duty.running)
    assert not task.done() and lease.releases >= 3
