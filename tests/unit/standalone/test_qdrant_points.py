"""Writes: upserts and their guards, payload, deletes, batches."""

from __future__ import annotations

from uuid import uuid4

import pytest
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

COLLECTION = "rules_1"


def point(identifier: int | str, version: int) -> models.PointStruct:
    return models.PointStruct(
        id=identifier, vector={"dense": [0.5] * 4}, payload={"version": version}
    )


async def version_of(client: AsyncQdrantClient, identifier: int | str) -> int | None:
    found = await client.retrieve(COLLECTION, [identifier])
    return found[0].payload["version"] if found and found[0].payload else None


async def test_upsert_replaces_and_retrieve_leaves_unknown_out(rules: AsyncQdrantClient) -> None:
    result = await rules.upsert(COLLECTION, [point(1, 9)], wait=True)
    assert result.status is models.UpdateStatus.COMPLETED
    found = await rules.retrieve(COLLECTION, [1, 99], with_vectors=True)
    assert [record.id for record in found] == [1]
    assert found[0].payload == {"version": 9}
    assert list(found[0].vector or {}) == ["dense"]


async def test_uuid_ids_come_back_as_text(rules: AsyncQdrantClient) -> None:
    identifier = str(uuid4())
    await rules.upsert(COLLECTION, [point(identifier, 1)])
    assert (await rules.retrieve(COLLECTION, [identifier]))[0].id == identifier


async def test_without_wait_the_write_is_acknowledged(rules: AsyncQdrantClient) -> None:
    result = await rules.upsert(COLLECTION, [point(1, 9)], wait=False)
    assert result.status is models.UpdateStatus.ACKNOWLEDGED


async def test_update_filter_guards_existing_points_only(rules: AsyncQdrantClient) -> None:
    older = models.Filter(must=[models.FieldCondition(key="version", range=models.Range(lt=4))])
    await rules.upsert(COLLECTION, [point(1, 4), point(5, 4), point(6, 4)], update_filter=older)
    assert await version_of(rules, 1) == 4
    assert await version_of(rules, 5) == 5
    assert await version_of(rules, 6) == 4


async def test_insert_only_mode(rules: AsyncQdrantClient) -> None:
    await rules.upsert(
        COLLECTION, [point(1, 50), point(7, 50)], update_mode=models.UpdateMode.INSERT_ONLY
    )
    assert await version_of(rules, 1) == 1
    assert await version_of(rules, 7) == 50


async def test_columns_are_an_upsert_too(rules: AsyncQdrantClient) -> None:
    batch = models.Batch(
        ids=[11, 12],
        vectors={"dense": [[1.0, 0, 0, 0], [0, 1.0, 0, 0]]},
        payloads=[{"version": 1}, {"version": 2}],
    )
    await rules.upsert(COLLECTION, batch)
    assert [await version_of(rules, i) for i in (11, 12)] == [1, 2]


async def test_payload_is_merged_overwritten_and_removed(rules: AsyncQdrantClient) -> None:
    commas = models.Filter(
        must=[models.FieldCondition(key="topic", match=models.MatchValue(value="commas"))]
    )
    await rules.set_payload(COLLECTION, {"version": 70}, points=commas)
    assert [await version_of(rules, i) for i in (1, 2, 3)] == [70, 70, 3]
    await rules.delete_payload(COLLECTION, keys=["version"], points=[1])
    assert (await rules.retrieve(COLLECTION, [1]))[0].payload is not None
    assert "version" not in ((await rules.retrieve(COLLECTION, [1]))[0].payload or {})
    await rules.overwrite_payload(COLLECTION, {"version": 1}, points=[1])
    assert (await rules.retrieve(COLLECTION, [1]))[0].payload == {"version": 1}
    await rules.clear_payload(COLLECTION, points_selector=[1])
    assert not (await rules.retrieve(COLLECTION, [1]))[0].payload


async def test_delete_by_ids_and_by_filter(rules: AsyncQdrantClient) -> None:
    await rules.delete(COLLECTION, [1, 99])
    selector = models.FilterSelector(
        filter=models.Filter(must=[models.FieldCondition(key="version", range=models.Range(gte=4))])
    )
    await rules.delete(COLLECTION, selector)
    records, _ = await rules.scroll(COLLECTION, limit=10)
    assert [record.id for record in records] == [2, 3]


async def test_batch_of_operations(rules: AsyncQdrantClient) -> None:
    results = await rules.batch_update_points(
        COLLECTION,
        [
            models.UpsertOperation(upsert=models.PointsList(points=[point(21, 1)])),
            models.DeleteOperation(delete=models.PointIdsList(points=[1])),
        ],
    )
    assert len(results) == 2
    assert await version_of(rules, 21) == 1 and await version_of(rules, 1) is None


async def test_vectors_are_replaced_and_removed(rules: AsyncQdrantClient) -> None:
    await rules.update_vectors(
        COLLECTION, [models.PointVectors(id=1, vector={"dense": [0.0, 0.0, 0.0, 1.0]})]
    )
    await rules.delete_vectors(COLLECTION, vectors=["lexical"], points=[1])
    found = await rules.retrieve(COLLECTION, [1], with_vectors=True)
    assert found[0].vector == {"dense": pytest.approx([0.0, 0.0, 0.0, 1.0])}
    assert (found[0].payload or {})["topic"] == "commas"


@pytest.mark.parametrize("identifier", [-1, "no-uuid"])
async def test_ids_are_checked(rules: AsyncQdrantClient, identifier: int | str) -> None:
    with pytest.raises(UnexpectedResponse) as refusal:
        await rules.upsert(COLLECTION, [point(identifier, 1)])
    assert refusal.value.status_code == 400
    assert b"is not a valid point ID" in refusal.value.content


async def test_vector_of_another_size_changes_nothing(rules: AsyncQdrantClient) -> None:
    wrong = models.PointStruct(id=1, vector={"dense": [1.0]}, payload={})
    with pytest.raises(UnexpectedResponse) as refusal:
        await rules.upsert(COLLECTION, [point(30, 1), wrong])
    assert refusal.value.status_code == 400
    assert await version_of(rules, 1) == 1
