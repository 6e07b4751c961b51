from __future__ import annotations

from typing import Any

import pytest

from explanation_service.indexing import quiet as module
from explanation_service.indexing.quiet import Quiet
from explanation_service.stores.records import StreamStatus


class Stream:
    """Busy for so many looks."""

    def __init__(self, busy: int) -> None:
        self.busy = busy
        self.looks = 0

    async def status(self) -> StreamStatus:
        self.looks += 1
        self.busy -= 1
        waiting = int(self.busy >= 0)
        return StreamStatus(0, waiting, 0, 0.0, 1, 0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_LOOK", 0.001)
    monkeypatch.setattr(module, "LOOK_EVERY", 0.001)


async def test_it_waits_for_what_the_workers_are_about_to_write() -> None:
    stream: Any = Stream(busy=5)
    quiet = Quiet(stream)
    quiet.begin()
    await quiet.wait()
    assert stream.looks == 6


async def test_a_stream_that_is_never_quiet_takes_so_long_in_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "WAITS_IN_ALL", 0.03)
    stream: Any = Stream(busy=10**9)
    quiet = Quiet(stream)
    quiet.begin()
    await quiet.wait()
    looks = stream.looks
    assert looks > 1
    await quiet.wait()
    assert stream.looks == looks, "the time of this comparison is used up"
    quiet.begin()
    await quiet.wait()
    assert stream.looks > looks
