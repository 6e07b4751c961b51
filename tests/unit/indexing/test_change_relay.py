from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from explanation_service.indexing import change_relay as module
from explanation_service.indexing.change_relay import ChangeRelay
from explanation_service.indexing.tasks import end
from explanation_service.stores.change_source import Changes
from explanation_service.stores.errors import HistoryLost, LeaseLost, StoreUnavailable
from explanation_service.telemetry.metrics import REGISTRY


class World:
    """The source, the lease, the stream and the order of what the relay does with them."""

    name = "toy"

    def __init__(self, toys: SimpleNamespace) -> None:
        self.repository = toys.Repository(toys.Steps())
        self.kept: dict[str, str] = {}
        self.coming: list[Any] = []
        self.done: list[Any] = []
        self.lost_before = ""
        self.fail_append = False
        self.not_ours = False

    async def open(self) -> Any:
        return self

    async def now(self) -> str:
        self.done.append("now")
        return "p-now"

    async def begin(self, position: str) -> None:
        self.done.append(("begin", position))
        if position == self.lost_before:
            raise HistoryLost("pruned")

    async def next(self) -> Changes:
        await asyncio.sleep(0)
        if not self.coming:
            return Changes((), "p-idle")
        one = self.coming.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    async def close(self) -> None:
        self.done.append("close")

    async def notes(self) -> dict[str, str]:
        return dict(self.kept)

    async def note(self, **fields: str) -> None:
        if self.not_ours:
            raise LeaseLost("x")
        if fields["position"] != "p-idle":
            self.done.append(("note", fields["position"]))
        self.kept |= fields

    async def append_many(self, events: list[Any]) -> list[str]:
        if self.fail_append:
            raise StoreUnavailable("redis", "x")
        self.done.append([(event.entity_id, event.op, event.version) for event in events])
        return []

    async def reconcile(self) -> None:
        self.done.append("reconcile")

    def relay(self) -> ChangeRelay:
        world: Any = self
        return ChangeRelay(self.open, self.repository, world, world, self.reconcile)


@pytest.fixture
async def world(toys: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(module, "PAUSE", 0.001)
    return World(toys)


async def run_until(world: World, check: Any) -> None:
    task = asyncio.create_task(world.relay().run())
    try:
        async with asyncio.timeout(20):
            while not check() and not task.done():
                await asyncio.sleep(0.001)
        if task.done():
            task.result()
    finally:
        await end(task)


async def test_the_first_start_compares_everything_and_goes_on_from_before(world: Any) -> None:
    await run_until(world, lambda: world.kept.get("position") == "p-idle")
    assert world.done[:4] == ["now", "reconcile", ("note", "p-now"), ("begin", "p-now")]
    assert world.done.count("reconcile") == 1


async def test_events_come_before_the_position(world: Any) -> None:
    world.kept = {"source": "toy", "position": "p1"}
    world.repository.write("a", "один")
    world.repository.write("b", "два")
    world.repository.write("b", None)
    relayed = REGISTRY.get_sample_value("embed_relayed_total", {"source": "toy"}) or 0
    world.coming = [Changes(("a", "b", "gone", "две запятые"), "p2")]
    await run_until(world, lambda: ("note", "p2") in world.done)
    assert world.done[:3] == [
        ("begin", "p1"),
        [("a", "upsert", 1), ("b", "delete", 2), ("gone", "delete", 1)],
        ("note", "p2"),
    ]
    assert REGISTRY.get_sample_value("embed_relayed_total", {"source": "toy"}) == relayed + 3


async def test_changes_that_were_not_sent_are_read_again(world: Any) -> None:
    world.kept = {"source": "toy", "position": "p1"}
    world.fail_append = True
    world.coming = [Changes(("a",), "p2")]
    await run_until(world, lambda: world.done.count(("begin", "p1")) == 2)
    assert ("note", "p2") not in world.done


@pytest.mark.parametrize("when", ["begin", "next"])
async def test_lost_history_means_comparing_everything(world: Any, when: str) -> None:
    world.kept = {"source": "toy", "position": "p1"}
    if when == "begin":
        world.lost_before = "p1"
    else:
        world.coming = [HistoryLost("dropped")]
    await run_until(world, lambda: ("begin", "p-now") in world.done)
    assert world.done == [
        ("begin", "p1"),
        "close",
        "now",
        "reconcile",
        ("note", "p-now"),
        ("begin", "p-now"),
        *world.done[6:],
    ]


async def test_a_position_of_another_source_is_none(world: Any) -> None:
    world.kept = {"source": "other", "position": "p1"}
    await run_until(world, lambda: ("begin", "p-now") in world.done)
    assert ("begin", "p1") not in world.done and "reconcile" in world.done


async def test_a_store_that_goes_away_is_waited_for(world: Any) -> None:
    world.kept = {"source": "toy", "position": "p1"}
    world.coming = [StoreUnavailable("mongodb", "x"), Changes(("a",), "p2")]
    await run_until(world, lambda: ("note", "p2") in world.done)
    assert world.done.count(("begin", "p1")) == 2 and "reconcile" not in world.done


async def test_who_lost_the_lease_stops(world: Any) -> None:
    world.kept = {"source": "toy", "position": "p1"}
    world.not_ours = True
    world.coming = [Changes(("a",), "p2")]
    with pytest.raises(LeaseLost):
        await run_until(world, lambda: False)
    assert world.done[-1] == "close"
