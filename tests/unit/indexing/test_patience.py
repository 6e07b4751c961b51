from __future__ import annotations

import asyncio

import pytest

from explanation_service.indexing import patience as module
from explanation_service.indexing.patience import Patience
from explanation_service.stores.errors import CollectionMissing, StoreRejected, StoreUnavailable


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.004)


class Fails:
    def __init__(self, times: int, error: Exception) -> None:
        self.left = times
        self.error = error

    async def __call__(self) -> str:
        if self.left:
            self.left -= 1
            raise self.error
        return "done"


async def test_an_operation_goes_on_when_its_store_is_back() -> None:
    patience = Patience()
    assert await patience.through(Fails(4, StoreUnavailable("redis", "x"))) == "done"
    assert patience.away == frozenset()


async def test_reading_pauses_while_somebody_waits() -> None:
    patience = Patience()
    operation = Fails(10**9, StoreUnavailable("qdrant", "x"))
    waiting = asyncio.create_task(patience.through(operation))
    while not patience.away:
        await asyncio.sleep(0.001)
    assert patience.away == {"qdrant"}
    reading = asyncio.create_task(patience.until_all_there())
    await asyncio.sleep(0.01)
    assert not reading.done()
    operation.left = 0
    assert await waiting == "done"
    await asyncio.wait_for(reading, 1)


async def test_a_collection_that_has_gone_is_made_anew() -> None:
    healed = []

    async def heal() -> None:
        healed.append(1)

    operation = Fails(1, CollectionMissing("templates"))
    assert await Patience(heal).through(operation) == "done"
    assert healed == [1]


async def test_other_errors_pass() -> None:
    with pytest.raises(StoreRejected):
        await Patience().through(Fails(1, StoreRejected("qdrant", "x")))


async def test_a_cancelled_wait_is_not_waited_for_any_more() -> None:
    patience = Patience()
    task = asyncio.create_task(patience.through(Fails(10**9, StoreUnavailable("redis", "x"))))
    while not patience.away:
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert patience.away == frozenset()
