"""The loop with its real stages over stand-ins of the stores."""

from __future__ import annotations

import asyncio
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from explanation_service.indexing import consumer as consumer_module
from explanation_service.indexing.consumer import Consumer
from explanation_service.indexing.encode_thread import EncodeThread
from explanation_service.indexing.reader import Intaken
from explanation_service.stores.errors import IndexMoved, ModelMismatch


class Reader:
    def __init__(self, stream: Any, again: bool = False) -> None:
        self.stream = stream
        self.again = again
        self.most_pending = 0

    async def read(self) -> Intaken:
        await asyncio.sleep(0.001)
        taken = Intaken(self.stream.hand_out(4), self.again)
        self.most_pending = max(self.most_pending, len(self.stream.pending))
        return taken


class Setup:
    def __init__(self, toys: SimpleNamespace, again: bool = False) -> None:
        steps = toys.Steps()
        self.encoder = toys.Encoder()
        self.repository, self.index = toys.Repository(steps), toys.Index(steps)
        self.stream = toys.Stream(steps)
        self.reader = Reader(self.stream, again)
        self.stop = asyncio.Event()
        self.thread = EncodeThread(self.encoder)
        life = toys.Life(self.repository, self.index, self.stream)
        life.encoder, life.preparer._encoder = self.encoder, self.encoder
        life.embedder._thread = self.thread
        self.in_hand, self.embedder = life.in_hand, life.embedder
        self.consumer = Consumer(
            self.reader,  # type: ignore[arg-type]
            life.intake,
            life.preparer,
            life.embedder,
            life.finisher,
            life.in_hand,
            life.patience,
            life.failures,
            life.hand_back,
            self.stop,
        )

    def write(self, count: int) -> None:
        for number in range(count):
            name = f"t{number}"
            self.stream.publish(name, version=self.repository.write(name, f"правило {number}"))

    async def run_until(self, done: Any) -> float:
        """Runs until `done()`; the answer is how many seconds the stop took."""
        self.thread.start()
        task = asyncio.create_task(self.consumer.run())
        deadline = time.monotonic() + 10
        while not done() and not task.done() and time.monotonic() < deadline:
            await asyncio.sleep(0.002)
        stopped = time.monotonic()
        self.stop.set()
        try:
            await task
        finally:
            self.thread.close()
        return time.monotonic() - stopped


async def test_everything_in_the_stream_is_indexed_and_acknowledged(toys: SimpleNamespace) -> None:
    setup = Setup(toys)
    setup.write(50)
    await setup.run_until(lambda: len(setup.stream.acked) == 50)
    assert len(setup.index.texts()) == 50
    assert setup.stream.pending == {} and len(setup.in_hand) == 0


async def test_no_more_is_read_than_is_worked_on(toys: SimpleNamespace) -> None:
    setup = Setup(toys)
    setup.write(60)
    await setup.run_until(lambda: len(setup.stream.acked) == 60)
    # Two rounds of 4 in or before the encoder, and the groups behind it.
    assert setup.reader.most_pending <= 4 * (2 + 4 + 2)


class Valve:
    """Lets calls of a store through once it is opened: a store that answers slowly."""

    def __init__(self, store: Any, name: str) -> None:
        self.open = asyncio.Event()
        self.waiting = 0
        call = getattr(store, name)

        async def slow(*args: Any) -> Any:
            self.waiting += 1
            await self.open.wait()
            self.waiting -= 1
            return await call(*args)

        setattr(store, name, slow)


async def test_a_slow_index_stops_the_reading_and_nothing_is_lost(toys: SimpleNamespace) -> None:
    setup = Setup(toys)
    valve = Valve(setup.index, "upsert")
    setup.write(200)

    def stands_still() -> bool:
        return bool(valve.waiting and setup.consumer._slots.locked())

    async def look_and_open() -> None:
        while not (stands_still() and setup.consumer._embedded.full()):
            await asyncio.sleep(0.001)
        # All that is in hand waits; whoever reads on would fill the memory.
        assert set(setup.in_hand.entry_ids()) == set(setup.stream.pending)
        assert len(setup.stream.pending) <= 4 * (2 + 4 + 2)
        valve.open.set()

    looking = asyncio.create_task(look_and_open())
    await setup.run_until(lambda: looking.done() and len(setup.stream.acked) == 200)
    await looking
    assert len(setup.index.texts()) == 200


async def test_a_slow_rule_book_stops_the_reading(toys: SimpleNamespace) -> None:
    setup = Setup(toys)
    valve = Valve(setup.repository, "get_many")
    setup.write(40)

    async def look_and_open() -> None:
        while not valve.waiting:
            await asyncio.sleep(0.001)
        assert len(setup.stream.pending) == 4
        valve.open.set()

    looking = asyncio.create_task(look_and_open())
    await setup.run_until(lambda: looking.done() and len(setup.stream.acked) == 40)
    await looking


async def test_what_was_delivered_before_is_worked_on_alone(toys: SimpleNamespace) -> None:
    setup = Setup(toys, again=True)
    setup.write(12)
    await setup.run_until(lambda: len(setup.stream.acked) == 12)
    assert setup.reader.most_pending <= 4


async def test_a_stop_leaves_the_rest_pending_and_is_quick(toys: SimpleNamespace) -> None:
    setup = Setup(toys)
    original = setup.encoder.embed

    def slowly(ids: Any, between_layers: Any = None) -> Any:
        time.sleep(0.02)
        return original(ids, between_layers)

    setup.encoder.embed = slowly
    setup.write(400)
    seconds = await setup.run_until(lambda: len(setup.stream.acked) >= 8)
    assert seconds < 2
    left = {one.fields["entity_id"] for one in setup.stream.pending.values()}
    assert set(setup.stream.handed_back) == set(setup.stream.pending)
    assert not left & set(setup.index.texts())
    assert len(setup.stream.acked) == len(setup.index.texts())


async def test_a_text_that_holds_the_model_is_handed_back_as_a_suspect(
    toys: SimpleNamespace, monkeypatch: Any
) -> None:
    monkeypatch.setattr(consumer_module, "STOP_GRACE", 0.05)
    setup = Setup(toys)
    never = threading.Event()
    original = setup.encoder.embed

    def holds(ids: Any, between_layers: Any = None) -> Any:
        never.wait(30)
        return original(ids, between_layers)

    setup.encoder.embed = holds
    setup.write(12)
    await setup.run_until(lambda: len(setup.stream.pending) >= 8)
    counts = {one.times_delivered for one in setup.stream.pending.values() if one.stale}
    assert counts == {0, 1}
    assert set(setup.stream.handed_back) == set(setup.stream.pending)
    never.set()


async def test_a_template_that_cannot_be_prepared_stops_nothing(
    toys: SimpleNamespace, monkeypatch: Any
) -> None:
    setup = Setup(toys)
    original = setup.encoder.token_spans

    def spans(text: str) -> Any:
        if "правило 3" in text:
            raise ValueError("no such text")
        return original(text)

    preparer = setup.consumer._preparer
    monkeypatch.setattr(preparer._chunker, "_token_spans", spans)
    setup.write(8)
    await setup.run_until(lambda: len(setup.stream.acked) == 7)
    assert set(setup.index.texts()) == {f"t{n}" for n in range(8)} - {"t3"}
    assert len(setup.stream.pending) == 1


async def test_a_stage_that_breaks_ends_the_worker(toys: SimpleNamespace, monkeypatch: Any) -> None:
    setup = Setup(toys)

    async def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(setup.consumer._finisher, "finish", broken)
    setup.write(1)
    try:
        await setup.run_until(lambda: False)
    except ZeroDivisionError:
        return
    raise AssertionError("the failure was swallowed")


@pytest.mark.parametrize("moved", [ModelMismatch("another model's"), IndexMoved("elsewhere")])
async def test_an_index_that_is_another_one_fails_no_template(
    toys: SimpleNamespace, moved: Exception
) -> None:
    setup = Setup(toys)
    setup.write(3)

    async def indexed_state(template_ids: Any) -> Any:
        raise moved

    setup.index.indexed_state = indexed_state  # type: ignore[method-assign]
    with pytest.raises(type(moved)):
        await setup.run_until(lambda: False)
    assert setup.stream.failures == {}
    assert len(setup.stream.pending) == 3
