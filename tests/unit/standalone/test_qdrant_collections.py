"""Collections, aliases, indexes, faults, the API key, and what a restart finds."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

COLLECTION = "rules_1"
PLAIN = models.VectorParams(size=2, distance=models.Distance.DOT)


def alias(name: str, collection: str) -> models.CreateAliasOperation:
    return models.CreateAliasOperation(
        create_alias=models.CreateAlias(collection_name=collection, alias_name=name)
    )


def unalias(name: str) -> models.DeleteAliasOperation:
    return models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=name))


async def test_description_echoes_the_definition(rules: AsyncQdrantClient) -> None:
    info = await rules.get_collection(COLLECTION)
    assert info.status is models.CollectionStatus.GREEN
    assert info.points_count == 5
    assert isinstance(info.config.params.vectors, dict)
    assert info.config.params.vectors["dense"].size == 4
    assert info.config.params.sparse_vectors is not None
    assert info.config.params.sparse_vectors["lexical"].modifier is models.Modifier.IDF
    assert {name: index.data_type.value for name, index in info.payload_schema.items()} == {
        "topic": "keyword",
        "version": "integer",
        "text": "text",
    }
    await rules.delete_payload_index(COLLECTION, "topic")
    assert "topic" not in (await rules.get_collection(COLLECTION)).payload_schema


async def test_missing_collection_in_the_words_of_qdrant(client: AsyncQdrantClient) -> None:
    with pytest.raises(UnexpectedResponse) as refusal:
        await client.get_collection("nope")
    assert refusal.value.status_code == 404
    assert b"Not found: Collection `nope` doesn't exist!" in refusal.value.content
    assert not await client.collection_exists("nope")
    assert await client.delete_collection("nope") is False


async def test_creating_twice_conflicts(client: AsyncQdrantClient) -> None:
    assert await client.create_collection("one", PLAIN)
    with pytest.raises(UnexpectedResponse) as refusal:
        await client.create_collection("one", PLAIN)
    assert refusal.value.status_code == 409
    assert b"already exists" in refusal.value.content


async def test_quantization_is_refused_not_ignored(client: AsyncQdrantClient) -> None:
    with pytest.raises(UnexpectedResponse, match="not served"):
        await client.create_collection(
            "one",
            PLAIN,
            quantization_config=models.ScalarQuantization(
                scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8)
            ),
        )
    assert not await client.collection_exists("one")


async def test_unnamed_vector(client: AsyncQdrantClient) -> None:
    await client.create_collection("one", PLAIN)
    await client.upsert("one", [models.PointStruct(id=1, vector=[1.0, 2.0])])
    found = await client.retrieve("one", [1], with_vectors=True)
    assert found[0].vector == [1.0, 2.0]
    assert (await client.query_points("one", query=[1.0, 1.0])).points[0].score == 3.0


async def test_alias_stands_for_its_collection(rules: AsyncQdrantClient) -> None:
    await rules.update_collection_aliases([alias("rules", COLLECTION)])
    assert await rules.collection_exists("rules")
    assert (await rules.count("rules")).count == 5
    await rules.delete("rules", [1])
    assert (await rules.get_collection("rules")).points_count == 4
    listed = (await rules.get_collection_aliases(COLLECTION)).aliases
    assert [(a.alias_name, a.collection_name) for a in listed] == [("rules", COLLECTION)]
    assert [c.name for c in (await rules.get_collections()).collections] == [COLLECTION]


async def test_aliases_switch_all_at_once_or_not_at_all(rules: AsyncQdrantClient) -> None:
    await rules.create_collection("rules_2", PLAIN)
    await rules.update_collection_aliases([alias("rules", COLLECTION)])
    with pytest.raises(UnexpectedResponse):
        await rules.update_collection_aliases([unalias("rules"), alias("rules", "nope")])
    assert (await rules.count("rules")).count == 5
    await rules.update_collection_aliases([unalias("rules"), alias("rules", "rules_2")])
    assert (await rules.count("rules")).count == 0
    rename = models.RenameAlias(old_alias_name="rules", new_alias_name="other")
    await rules.update_collection_aliases([models.RenameAliasOperation(rename_alias=rename)])
    assert [a.alias_name for a in (await rules.get_aliases()).aliases] == ["other"]


async def test_an_alias_may_not_hide_a_collection(rules: AsyncQdrantClient) -> None:
    with pytest.raises(UnexpectedResponse) as refusal:
        await rules.update_collection_aliases([alias(COLLECTION, COLLECTION)])
    assert refusal.value.status_code == 409


async def test_a_deleted_collection_takes_its_aliases_along(rules: AsyncQdrantClient) -> None:
    await rules.update_collection_aliases([alias("rules", COLLECTION)])
    assert await rules.delete_collection("rules") is False
    assert await rules.delete_collection(COLLECTION) is True
    assert (await rules.get_aliases()).aliases == []
    assert not await rules.collection_exists("rules")


async def test_restart_finds_everything(front: Any, rules: AsyncQdrantClient) -> None:
    await rules.update_collection_aliases([alias("rules", COLLECTION)])
    await front.stop()
    (front.data_dir / "shards" / "leftover").mkdir()
    again = await front.connect()
    assert (await again.count("rules")).count == 5
    info = await again.get_collection("rules")
    assert set(info.payload_schema) == {"topic", "version", "text"}
    assert (await again.query_points("rules", query=[1.0, 0, 0, 0], using="dense")).points[
        0
    ].id == 1
    assert not (front.data_dir / "shards" / "leftover").exists()


async def test_name_with_a_slash_stays_inside(front: Any) -> None:
    async with httpx.AsyncClient(
        transport=await front.start(), base_url="http://qdrant.test"
    ) as plain:
        answer = await plain.put("/collections/..%2Fx", json={"vectors": PLAIN.model_dump()})
        assert answer.status_code in (400, 404)
    assert [path.name for path in front.data_dir.iterdir()] == ["shards"]


async def test_bad_bodies_are_400_and_unknown_paths_404(front: Any) -> None:
    async with httpx.AsyncClient(
        transport=await front.start(), base_url="http://qdrant.test"
    ) as plain:
        for body in (b"{", b'{"vectors": 3}', b'{"unknown": 1}'):
            answer = await plain.put("/collections/x", content=body)
            assert answer.status_code == 400
            assert answer.json()["status"]["error"].startswith("Format error in JSON body")
        assert (await plain.put("/collections/x", json={})).status_code == 400
        unknown = await plain.get("/nowhere")
        assert unknown.status_code == 404 and "error" in unknown.json()["status"]
        assert (await plain.get("/")).json()["title"].startswith("qdrant")
        assert (await plain.get("/readyz")).status_code == 200


async def test_api_key(front: Any) -> None:
    knowing = await front.connect(api_key="geheim", client_key="geheim")
    assert (await knowing.get_collections()).collections == []
    await front.stop()
    wrong = await front.connect(api_key="geheim", client_key="falsch")
    with pytest.raises(UnexpectedResponse) as refusal:
        await wrong.get_collections()
    assert refusal.value.status_code == 401
    await front.stop()
    async with httpx.AsyncClient(
        transport=await front.start(api_key="geheim"), base_url="http://qdrant.test"
    ) as plain:
        assert (await plain.get("/collections")).status_code == 401
        assert (await plain.get("/healthz")).status_code == 200
        bearer = {"Authorization": "Bearer geheim"}
        assert (await plain.get("/collections", headers=bearer)).status_code == 200
