"""A vector of one model is never compared in the collection of another, while the alias moves."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from qdrant_client import models

from explanation_service.retrieval.query_vectors import QueryVector
from explanation_service.retrieval.search import SearchService
from explanation_service.retrieval.served_collection import ServedCollection
from explanation_service.settings import load_settings
from explanation_service.stores.qdrant import connect_qdrant
from explanation_service.stores.qdrant_rest import connect_qdrant_rest
from explanation_service.stores.records import EmbeddingModelInfo, PassagePoint, SparseVector
from explanation_service.stores.vector_collection import create_collection
from explanation_service.stores.vector_index import VectorIndex
from explanation_service.stores.vector_search import VectorSearch

DIMENSION = 8
SWITCHES = 20


def axis(number: int) -> list[float]:
    return [float(place == number % DIMENSION) for place in range(DIMENSION)]


class Models:
    """Two models of one dimension that mean something else by each axis: what r1 puts on axis n, r2
    puts on the next one. A vector in the wrong collection finds the neighbour."""

    def __init__(self) -> None:
        self.shift = {"r1": 0, "r2": 1}

    def points(self, revision: str) -> list[PassagePoint]:
        return [
            PassagePoint(
                f"t{number}", 0, 1, 1, "h", "т", "т", None, None, (),
                axis(number + self.shift[revision]), SparseVector((1,), (1.0,)),
            )
            for number in range(DIMENSION)
        ]  # fmt: skip

    async def get(self, text: str, revision: str, deadline: float) -> QueryVector | None:
        return QueryVector(revision, tuple(axis(int(text) + self.shift[revision])), "worker")


async def switch(index: VectorIndex, collection: str) -> None:
    alias = index.alias
    await index._client.update_collection_aliases(
        [
            models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias)),
            models.CreateAliasOperation(
                create_alias=models.CreateAlias(alias_name=alias, collection_name=collection)
            ),
        ]
    )


async def test_vectors_and_collections_stay_together(qdrant_url: str) -> None:
    alias = f"t{uuid4().hex[:10]}"
    settings = load_settings(qdrant_url=qdrant_url, qdrant_collection=alias)
    client, rest = connect_qdrant(settings), connect_qdrant_rest(settings)
    index, both = VectorIndex(client, rest, alias), Models()
    names = {revision: f"{alias}_{revision}" for revision in both.shift}
    await index.ensure_collection(EmbeddingModelInfo("m", "r1", DIMENSION, 64))
    await create_collection(client, names["r2"], DIMENSION)
    for revision, name in names.items():
        await VectorIndex(client, rest, name).upsert(both.points(revision))

    served = ServedCollection(VectorSearch(rest, alias), refresh=0.02)
    await served.start()
    search = SearchService(index, served, both, 2000, (1.0, 1.0))  # type: ignore[arg-type]
    found: list[tuple[str, str]] = []
    moving = asyncio.Event()

    async def ask() -> None:
        number = 0
        while not moving.is_set():
            number = (number + 1) % DIMENSION
            result = await search.search(str(number), 1, mode="dense")
            assert not result.degraded
            found.append((f"t{number}", result.hits[0].template_id))

    askers = [asyncio.create_task(ask()) for _ in range(3)]
    try:
        for turn in range(SWITCHES):
            name = names["r2" if turn % 2 == 0 else "r1"]
            await switch(index, name)
            async with asyncio.timeout(60):
                while (now := await served.current()) is None or now.collection != name:
                    await asyncio.sleep(0.005)
        moving.set()
        await asyncio.gather(*askers)
        # The old one may be deleted under a process that has not looked at the alias yet.
        await served.close()
        await switch(index, names["r2"])
        await client.delete_collection(names["r1"])
        last = await search.search("3", 1, mode="dense")
        again = await search.search("3", 1, mode="dense")
    finally:
        moving.set()
        await asyncio.gather(*askers, return_exceptions=True)
        await served.close()
        for name in names.values():
            await client.delete_collection(name)
        await index.close()
    wrong = [pair for pair in found if pair[0] != pair[1]]
    assert len(found) > SWITCHES and wrong == []
    assert (last.mode, last.degraded) == ("lexical", True)
    assert (again.mode, again.hits[0].template_id) == ("dense", "t3")
