from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from explanation_service.retrieval.served_collection import Served, ServedCollection
from explanation_service.stores.errors import StoreUnavailable


class Index:
    """The alias in Qdrant."""

    alias = "templates"

    def __init__(self) -> None:
        self.collection: str | None = "templates_r1"
        self.away = False
        self.looks = 0

    async def collection_name(self) -> str | None:
        self.looks += 1
        if self.away:
            raise StoreUnavailable("qdrant", "refused")
        return self.collection


@pytest.fixture
def index() -> Index:
    return Index()


@pytest.fixture
async def served(index: Index) -> AsyncIterator[ServedCollection]:
    """Looks at the alias without a pause."""
    made = ServedCollection(index, refresh=0.0)  # type: ignore[arg-type]
    await made.start()
    yield made
    await made.close()


async def looked(index: Index, times: int = 2) -> None:
    """Until that many more looks have been taken: the last but one began and ended meanwhile."""
    until = index.looks + times
    async with asyncio.timeout(10):
        while index.looks < until:
            await asyncio.sleep(0)


async def test_the_first_who_asks_looks_and_the_others_know(index: Index) -> None:
    quiet = ServedCollection(index, refresh=3600)  # type: ignore[arg-type]
    assert await quiet.current() == await quiet.current() == Served("templates_r1", "r1")
    assert index.looks == 1
    index.collection = "templates_r2"
    quiet.forget()
    assert await quiet.current() == Served("templates_r2", "r2")


async def test_the_alias_is_followed(index: Index, served: ServedCollection) -> None:
    assert await served.current() == Served("templates_r1", "r1")
    index.collection = "templates_r2_2"
    await looked(index)
    assert await served.current() == Served("templates_r2_2", "r2")
    index.collection = None
    await looked(index)
    assert await served.current() is None


async def test_what_was_known_stays_while_qdrant_is_away(
    index: Index, served: ServedCollection
) -> None:
    assert await served.current() is not None
    index.away = True
    await looked(index)
    assert await served.current() == Served("templates_r1", "r1")
    served.forget()
    with pytest.raises(StoreUnavailable):
        await served.current()


async def test_before_the_first_worker_each_one_looks_for_itself(index: Index) -> None:
    quiet = ServedCollection(index, refresh=3600)  # type: ignore[arg-type]
    index.collection = None
    assert await quiet.current() is None
    index.collection = "templates_r1"
    assert await quiet.current() == Served("templates_r1", "r1")


async def test_a_collection_of_another_kind_tells_no_model(index: Index) -> None:
    index.collection = "by-hand"
    quiet = ServedCollection(index)  # type: ignore[arg-type]
    assert await quiet.current() == Served("by-hand", None)
