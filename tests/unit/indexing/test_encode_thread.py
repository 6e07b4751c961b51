from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from explanation_service.indexing.encode_thread import EncodeThread


class Slow:
    """Waits for the test before it ends a batch of passages, as a long batch would."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.in_batch = threading.Event()
        self.go_on = threading.Event()
        self.layers = 1

    def embed(
        self, ids: Sequence[Sequence[int]], between_layers: Callable[[], None] | None = None
    ) -> Any:
        name = str(ids[0][0])
        if between_layers is not None:
            for _ in range(self.layers):
                self.in_batch.set()
                self.go_on.wait(5)
                between_layers()
        self.order.append(name)
        if name == "13":
            raise RuntimeError("poison")
        return np.zeros((len(ids), 2), dtype=np.float32)


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def thread(slow: Any) -> Iterator[EncodeThread]:
    made = EncodeThread(slow)
    made.start()
    yield made
    slow.go_on.set()
    made.close()


async def test_a_query_is_served_within_the_batch_in_work(thread: EncodeThread, slow: Slow) -> None:
    passages = [asyncio.create_task(thread.embed_passages([[n]])) for n in (1, 2)]
    await asyncio.to_thread(slow.in_batch.wait, 5)
    query = asyncio.create_task(thread.embed_queries([[9]]))
    await asyncio.sleep(0.01)
    slow.go_on.set()
    await asyncio.gather(*passages, query)
    assert slow.order == ["9", "1", "2"]


async def test_a_failing_batch_fails_alone(thread: EncodeThread, slow: Slow) -> None:
    slow.go_on.set()
    with pytest.raises(RuntimeError, match="poison"):
        await thread.embed_passages([[13]])
    assert (await thread.embed_passages([[1]])).shape == (1, 2)


async def test_work_whose_caller_has_gone_is_dropped(thread: EncodeThread, slow: Slow) -> None:
    first = asyncio.create_task(thread.embed_passages([[1]]))
    await asyncio.to_thread(slow.in_batch.wait, 5)
    gone = asyncio.create_task(thread.embed_passages([[2]]))
    await asyncio.sleep(0.01)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert thread.busy_seconds() > 0
    slow.go_on.set()
    await first
    await thread.embed_queries([[3]])
    assert slow.order == ["1", "3"]


async def test_a_closed_thread_takes_nothing(toys: SimpleNamespace) -> None:
    thread = EncodeThread(toys.Encoder())
    thread.start()
    thread.close()
    with pytest.raises(RuntimeError):
        await thread.embed_passages([[1]])
