from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from explanation_service.content.outbox_sweep import sweep_outbox
from explanation_service.stores.errors import StoreUnavailable


class Book:
    """Publishes as the script says, then goes on with zeros."""

    def __init__(self, *script: int | Exception) -> None:
        self._script = list(script)
        self.calls = 0

    async def publish_pending(self) -> int:
        self.calls += 1
        outcome = self._script.pop(0) if self._script else 0
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not condition():
            await asyncio.sleep(0.001)


async def test_the_sweep_outlives_every_failure_and_ends_when_cancelled() -> None:
    book = Book(StoreUnavailable("redis", "refused"), 3, RuntimeError("a bug"))
    task = asyncio.create_task(sweep_outbox(book, interval=0.001))  # type: ignore[arg-type]
    await until(lambda: book.calls > 5)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
