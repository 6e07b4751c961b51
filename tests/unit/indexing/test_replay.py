from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from explanation_service.indexing.replay import replay_differences, restore_group
from explanation_service.reconciliation.content_hash import content_hash
from explanation_service.reconciliation.reconciler import Reconciler
from explanation_service.stores.errors import StoreUnavailable
from explanation_service.stores.records import IndexedState


class Stores:
    """A rule book of four, of which the index holds some, and the order of what is done."""

    def __init__(self, toys: SimpleNamespace) -> None:
        self._repository = toys.Repository(toys.Steps())
        for name, body, status in (
            ("new", "а", "published"),
            ("same", "б", "published"),
            ("draft", "в", "draft"),
            ("gone", "г", "published"),
        ):
            self._repository.write(name, body, status)
        same = self._repository.stored["same"].template
        self._held = {
            name: IndexedState(1, content_hash(same, "r1"), 1) for name in ("same", "gone")
        }
        self._repository.write("gone", None)
        self.done: list[Any] = []
        self.fail_group = False
        self.group = "g"

    async def iterate_all(self, batch: int) -> AsyncIterator[Any]:
        for stored in self._repository.stored.values():
            yield stored

    async def existing_ids(self, ids: list[str]) -> set[str]:
        return set(ids) & set(self._repository.stored)

    async def holds_model(self, revision: str) -> bool:
        return True

    async def indexed_state(self, ids: list[str]) -> dict[str, IndexedState]:
        return self._held

    async def template_ids(self) -> AsyncIterator[tuple[set[str], int]]:
        yield set(self._held), len(self._held)

    async def append_many(self, events: list[Any]) -> list[str]:
        self.done += [(event.entity_id, event.op, event.version) for event in events]
        return ["1-0"] * len(events)

    async def ensure_group(self) -> bool:
        if self.fail_group:
            raise StoreUnavailable("redis", "x")
        self.done.append("group")
        return True


def reconciler(stores: Any) -> Reconciler:
    return Reconciler(stores, stores, stores, "r1", settle=None)


async def test_only_what_differs_comes_into_the_stream(toys: SimpleNamespace) -> None:
    stores: Any = Stores(toys)
    await replay_differences(reconciler(stores))
    assert stores.done == [("new", "upsert", 1), ("gone", "delete", 2)]


async def test_the_group_is_made_after_its_events(toys: SimpleNamespace) -> None:
    stores: Any = Stores(toys)
    await restore_group(stores, reconciler(stores))
    assert stores.done[-1] == "group" and len(stores.done) == 3


async def test_a_redis_that_goes_away_leaves_the_group_missing(toys: SimpleNamespace) -> None:
    stores: Any = Stores(toys)
    stores.fail_group = True
    with pytest.raises(StoreUnavailable):
        await restore_group(stores, reconciler(stores))
    assert "group" not in stores.done
