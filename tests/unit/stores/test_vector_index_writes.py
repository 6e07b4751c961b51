from __future__ import annotations

from dataclasses import replace

from qdrant_client import models

from explanation_service.stores.records import PassagePoint, SparseVector
from explanation_service.stores.vector_index import VectorIndex


class Client:
    """Notes the chunk numbers of each upsert."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.limits: list[float] = []

    async def batch_update_points(
        self, collection: str, operations: list[models.UpsertOperation], wait: bool
    ) -> None:
        assert collection == "templates" and wait
        self.limits += [_limit(one) for one in operations]
        points = [point for one in operations for point in one.upsert.points]
        self.batches.append([point.payload["chunk_index"] for point in points])


def _limit(operation: models.UpsertOperation) -> float:
    """The highest version that the operation replaces."""
    (condition,) = operation.upsert.update_filter.must_not
    assert condition.key == "version"
    return condition.range.gt


def point(template_id: str, chunk: int) -> PassagePoint:
    lexical = SparseVector((1,), (1.0,))
    return PassagePoint(
        template_id, chunk, 200, 1, "h", "Т", "текст", None, None, (), [1.0], lexical
    )


async def test_first_chunks_are_written_last() -> None:
    client = Client()
    points = [point(name, chunk) for name in "ab" for chunk in range(200)]
    await VectorIndex(client, None, "templates").upsert(points)  # type: ignore[arg-type]
    assert len(client.batches) > 1 and max(map(len, client.batches)) <= 128
    written = [chunk for batch in client.batches for chunk in batch]
    assert sorted(written) == sorted([*range(200)] * 2)
    assert written[-2:] == [0, 0] and 0 not in written[:-2]


async def test_each_version_has_its_own_guard() -> None:
    client = Client()
    points = [replace(point(f"t{n}", 0), version=n % 3 + 1) for n in range(9)]
    await VectorIndex(client, None, "templates").upsert(points, {"t0": 7})  # type: ignore[arg-type]
    assert sorted(client.limits) == [1, 2, 3, 7]


async def test_nothing_to_write_asks_nothing() -> None:
    client = Client()
    index = VectorIndex(client, None, "templates")  # type: ignore[arg-type]
    await index.upsert([])
    await index.delete([])
    await index.relabel([])
    assert await index.indexed_state([]) == {} and client.batches == []
