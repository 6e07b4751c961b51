from __future__ import annotations

import pytest

from explanation_service.indexing.rebuild import pace
from explanation_service.indexing.rebuild.pace import Pace
from explanation_service.stores.errors import StoreUnavailable


class Time:
    """A clock that only sleeps and searches move."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []
        self.search_takes = 0.0
        self.searches = 0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        if seconds:
            self.slept.append(seconds)
        self.now += seconds

    async def search(self) -> None:
        self.searches += 1
        self.now += self.search_takes
        if self.search_takes < 0:
            raise StoreUnavailable("qdrant", "away")


async def test_without_a_limit_and_with_quick_searches_nothing_waits() -> None:
    time = Time()
    subject = Pace(None, time.search, time.clock, time.sleep)
    for _ in range(5):
        await subject.after(1000)
    assert time.slept == [] and time.searches == 5


async def test_the_rate_is_kept_over_many_pages() -> None:
    time = Time()
    subject = Pace(50, time.search, time.clock, time.sleep)
    started = time.now
    for _ in range(20):
        time.now += 0.5
        await subject.after(100)
    assert 20 * 100 / (time.now - started) == pytest.approx(50, rel=0.05)


async def test_slow_searches_make_it_stand_back_more_and_more_and_quick_ones_less() -> None:
    time = Time()
    subject = Pace(None, time.search, time.clock, time.sleep)
    time.search_takes = pace.SLOW_SEARCH * 2
    for _ in range(10):
        await subject.after(10)
    assert time.slept[:3] == [0.1, 0.2, 0.4] and time.slept[-1] == pace.LONGEST_PAUSE
    time.search_takes = 0.001
    time.slept.clear()
    for _ in range(10):
        await subject.after(10)
    assert time.slept == sorted(time.slept, reverse=True) and len(time.slept) < 10


async def test_a_search_that_fails_is_a_reason_too_and_no_failure() -> None:
    time = Time()
    time.search_takes = -0.001
    await Pace(None, time.search, time.clock, time.sleep).after(10)
    assert time.slept == [pace.FIRST_PAUSE]


async def test_pages_without_work_ask_nothing() -> None:
    time = Time()
    await Pace(1, time.search, time.clock, time.sleep).after(0)
    assert time.searches == 0 and time.slept == []
