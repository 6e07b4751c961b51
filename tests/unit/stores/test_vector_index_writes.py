from __future__ import annotations

from typing import Any

from explanation_service.stores.records import PassagePoint, SparseVector
from explanation_service.stores.vector_index import VectorIndex


class Client:
    """Notes the chunk numbers of each upsert."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    async def upsert(self, collection: str, points: list[Any], wait: bool) -> None:
        assert collection == "templates" and wait
        self.batches.append([point.payload["chunk_index"] for point in points])


def point(template_id: str, chunk: int) -> PassagePoint:
    lexical = SparseVector((1,), (1.0,))
    return PassagePoint(
        template_id, chunk, 200, 1, "h", "Т", "текст", None, None, (), [1.0], lexical
    )


async def test_the_chunk_that_tells_the_state_is_written_last() -> None:
    client = Client()
    points = [point(name, chunk) for name in "ab" for chunk in range(200)]
    await VectorIndex(client, None, "templates").upsert(points)  # type: ignore[arg-type]
    assert len(client.batches) > 1 and max(map(len, client.batches)) <= 128
    written = [chunk for batch in client.batches for chunk in batch]
    assert sorted(written) == sorted([*range(200)] * 2)
    assert written[-2:] == [0, 0] and 0 not in written[:-2]


async def test_nothing_to_write_asks_nothing() -> None:
    client = Client()
    index = VectorIndex(client, None, "templates")  # type: ignore[arg-type]
    await index.upsert([])
    await index.delete([])
    assert await index.indexed_state([]) == {} and client.batches == []
