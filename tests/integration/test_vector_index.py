"""The vector index on a real Qdrant (or the embedded front that speaks its REST API)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from qdrant_client import models

from explanation_service.settings import load_settings
from explanation_service.stores.errors import (
    CollectionMissing,
    ModelMismatch,
    StoreRejected,
    StoreUnavailable,
)
from explanation_service.stores.records import (
    Candidate,
    EmbeddingModelInfo,
    IndexedState,
    LabelChange,
    PassagePoint,
    SearchFilters,
    SparseVector,
)
from explanation_service.stores.vector_index import VectorIndex, connect_vector_index
from explanation_service.stores.vector_layout import filter_json, point_id, sparse_json, to_passage
from explanation_service.stores.vector_search import LaneHits

MODEL = EmbeddingModelInfo("test-model", "r1", 4, 128)
EVERYTHING = SearchFilters()


@pytest_asyncio.fixture
async def bare(qdrant_url: str) -> AsyncIterator[VectorIndex]:
    """An index whose collection is not made yet."""
    alias = f"t{uuid4().hex[:10]}"
    index = connect_vector_index(load_settings(qdrant_url=qdrant_url, qdrant_collection=alias))
    yield index
    for collection in (await index._client.get_collections()).collections:
        if collection.name.startswith(index.alias):
            await index._client.delete_collection(collection.name)
    await index.close()


@pytest_asyncio.fixture
async def index(bare: VectorIndex) -> VectorIndex:
    await bare.ensure_collection(MODEL)
    return bare


def point(
    template_id: str,
    chunk: int = 0,
    *,
    of: int = 1,
    version: int = 1,
    dense: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0),
    words: tuple[int, ...] = (7,),
    topic: str | None = None,
    exam: str | None = None,
    tags: tuple[str, ...] = (),
) -> PassagePoint:
    norm = math.sqrt(sum(component * component for component in dense))
    return PassagePoint(
        template_id=template_id,
        chunk_index=chunk,
        chunks_total=of,
        version=version,
        content_hash=f"h{version}",
        title=f"Правило {template_id}",
        text=f"текст {chunk}",
        topic=topic,
        exam=exam,
        tags=tags,
        dense=[component / norm for component in dense],
        lexical=SparseVector(words, (1.0,) * len(words)),
    )


def words(*indices: int) -> SparseVector:
    return SparseVector(indices, (1.0,) * len(indices))


async def found(
    index: VectorIndex,
    dense: list[float] | None,
    sparse: SparseVector | None,
    filters: SearchFilters = EVERYTHING,
) -> list[str]:
    """What one lane finds."""
    hits = await index.search(dense, sparse, filters, 10)
    return [hit.template_id for hit in hits.dense + hits.lexical]


async def test_the_collection_is_made_once_and_is_the_models_own(bare: VectorIndex) -> None:
    assert await bare.collection_name() is None
    await asyncio.gather(*(bare.ensure_collection(MODEL) for _ in range(3)))
    assert await bare.collection_name() == f"{bare.alias}_r1"
    await bare.upsert([point("a")])
    await bare.ensure_collection(MODEL)
    assert await bare.count() == 1
    other = EmbeddingModelInfo("other-model", "r2", 8, 128)
    with pytest.raises(ModelMismatch, match="rebuild-embeddings"):
        await bare.ensure_collection(other)
    info = await bare._client.get_collection(bare.alias)
    assert set(info.payload_schema) == {
        "template_id", "version", "chunk_index", "topic", "exam", "tags"
    }  # fmt: skip


async def test_before_the_first_worker_reads_find_nothing_and_writes_say_so(
    bare: VectorIndex,
) -> None:
    await bare.ping()
    assert await bare.count() == 0
    assert await bare.search([1.0, 0, 0, 0], words(7), EVERYTHING, 5) == LaneHits()
    with pytest.raises(CollectionMissing):
        await bare.upsert([point("a")])
    with pytest.raises(CollectionMissing):
        await bare.indexed_state(["a"])


async def test_writes_are_idempotent_and_show_in_the_state(index: VectorIndex) -> None:
    chunks = [point("a", chunk, of=3) for chunk in range(3)]
    await index.upsert([*chunks, point("b", version=5)])
    await index.upsert(chunks)
    assert await index.count() == 4
    assert await index.indexed_state(["a", "b", "nope"]) == {
        "a": IndexedState(1, "h1", 3),
        "b": IndexedState(5, "h5", 1),
    }
    assert await index.indexed_state([]) == {}


async def test_a_template_that_shrank_leaves_no_chunks(index: VectorIndex) -> None:
    await index.upsert([point("a", chunk, of=5) for chunk in range(5)] + [point("b", 3, of=4)])
    await index.upsert([point("a", chunk, of=2, version=2) for chunk in range(2)])
    await index.trim("a", 2)
    assert await index.count() == 3
    assert (await index.indexed_state(["a"]))["a"] == IndexedState(2, "h2", 2)


def labels(template_id: str, version: int, found_hash: str = "h1", **changes: Any) -> LabelChange:
    values = {"up_to": version, "content_hash": "h1", "topic": "т", "exam": None, "tags": ()}
    return LabelChange(template_id, found_hash, version=version, **{**values, **changes})


async def test_a_version_is_noted_without_touching_the_rest(index: VectorIndex) -> None:
    await index.upsert([point("a", chunk, of=2, topic="т") for chunk in range(2)] + [point("b")])
    await index.relabel([labels("a", 9)])
    assert await index.indexed_state(["a", "b"]) == {
        "a": IndexedState(9, "h1", 2),
        "b": IndexedState(1, "h1", 1),
    }
    found_now = await index.search([1.0, 0, 0, 0], None, SearchFilters(topic="т"), 5)
    hits = await index.passages(found_now.dense)
    assert [(hit.version, hit.title) for hit in hits] == [(9, "Правило a")]


async def test_labels_are_replaced_and_taken_off(index: VectorIndex) -> None:
    await index.upsert([point("a", chunk, of=2, topic="т", tags=("x",)) for chunk in range(2)])
    change = labels("a", 2, content_hash="h2", topic=None, exam="ЕГЭ", tags=("y", "z"))
    await index.relabel([change, labels("unknown", 2)])
    assert await index.indexed_state(["a"]) == {"a": IndexedState(2, "h2", 2)}
    (hit,) = await index.passages((await index.search([1.0, 0, 0, 0], None, EVERYTHING, 5)).dense)
    assert (hit.topic, hit.exam, hit.tags) == (None, "ЕГЭ", ("y", "z"))
    assert await found(index, [1.0, 0, 0, 0], None, SearchFilters(topic="т")) == []
    assert await found(index, [1.0, 0, 0, 0], None, SearchFilters(tags=("z",))) == ["a"]
    await index.relabel([])


async def test_no_version_replaces_a_higher_one(index: VectorIndex) -> None:
    newest = [point("a", chunk, of=3, version=5) for chunk in range(3)]
    await index.upsert(newest)
    state = {"a": IndexedState(5, "h5", 3)}
    await index.upsert([point("a", chunk, of=2, version=4) for chunk in range(2)])
    assert await index.indexed_state(["a"]) == state
    await index.trim("a", 1, up_to=4)
    await index.delete(["a", "b"], {"a": 4})
    await index.relabel([labels("a", 4, "h5")])
    assert await index.indexed_state(["a"]) == state
    # Another text has come meanwhile than the one that the labels were meant for.
    await index.relabel([labels("a", 6, "h4")])
    assert await index.indexed_state(["a"]) == state


async def test_a_version_that_was_set_back_can_be_written(index: VectorIndex) -> None:
    await index.upsert([point("a", version=5), point("b", version=5)])
    await index.upsert([point("a", version=1), point("b", version=1)], {"a": 5})
    assert await index.indexed_state(["a", "b"]) == {
        "a": IndexedState(1, "h1", 1),
        "b": IndexedState(5, "h5", 1),
    }
    await index.delete(["a", "b"], {"a": 5, "b": 4})
    assert set(await index.indexed_state(["a", "b"])) == {"b"}


async def test_the_state_tells_of_halves_and_strays(index: VectorIndex) -> None:
    await index.upsert([point("half", chunk, of=3, version=1) for chunk in range(3)])
    await index.upsert([point("half", 2, of=3, version=2)])
    await index.upsert([point("stray", chunk, of=chunk + 1) for chunk in (0, 4)])
    await index.upsert([point("lone", 3, of=4)])
    await index.upsert([point("gap", chunk, of=3) for chunk in (0, 2)])
    assert await index.indexed_state(["half", "stray", "lone", "gap"]) == {
        "half": IndexedState(2, "h1", 3, complete=False, exact=False),
        "stray": IndexedState(1, "h1", 1, complete=True, exact=False),
        "lone": IndexedState(1, "", 0, complete=False, exact=False),
        "gap": IndexedState(1, "h1", 3, complete=False, exact=False),
    }


async def test_points_that_are_none_of_ours_are_told_and_go(index: VectorIndex) -> None:
    """Copies under other ids, and points that say too little, as somebody makes them by hand."""
    chunks = [point("a", chunk, of=2, version=3) for chunk in range(2)]
    await index.upsert([*chunks, point("b", version=3)])
    whole = IndexedState(3, "h3", 2)
    vector = {"dense": [1.0, 0.0, 0.0, 0.0]}
    said = {"template_id": "a", "chunk_index": 1, "chunks_total": 2}
    strays = [
        models.PointStruct(
            id=7, vector=vector, payload={**said, "version": 2, "content_hash": "h3"}
        ),
        models.PointStruct(id=8, vector=vector, payload={"template_id": "a"}),
    ]
    await index._client.upsert(index.alias, strays, wait=True)
    assert await index.indexed_state(["a"]) == {"a": replace(whole, exact=False)}
    await index.trim("a", 2, up_to=3)
    assert await index.indexed_state(["a"]) == {"a": whole}

    await index._client.delete_payload(index.alias, ["version"], [point_id("a", 1)], wait=True)
    state = (await index.indexed_state(["a"]))["a"]
    assert state == replace(whole, complete=False, exact=False)
    await index.upsert(chunks)
    assert await index.indexed_state(["a"]) == {"a": whole}

    await index._client.upsert(index.alias, strays, wait=True)
    await index.delete(["a"], {"a": 3})
    assert await index.count() == 1


async def test_the_state_of_more_chunks_than_one_request_takes(index: VectorIndex) -> None:
    await index.upsert([point("long", chunk, of=1200) for chunk in range(1200)])
    assert await index.indexed_state(["long"]) == {"long": IndexedState(1, "h1", 1200)}


async def test_deleted_templates_are_gone(index: VectorIndex) -> None:
    await index.upsert([point(name, chunk, of=2) for name in "abc" for chunk in range(2)])
    await index.delete(["a", "c", "nope"])
    await index.delete([])
    assert await index.count() == 2
    assert await found(index, [1.0, 0, 0, 0], None) == ["b"]
    assert await found(index, None, words(7)) == ["b"]


async def test_more_points_than_one_request_takes(index: VectorIndex) -> None:
    await index.upsert([point(f"t{n}", dense=(1.0, n / 300, 0, 0)) for n in range(300)])
    assert await index.count() == 300


async def test_each_lane_ranks_by_its_own_measure(index: VectorIndex) -> None:
    await index.upsert(
        [
            point("meaning", dense=(1, 0, 0, 0), words=(1,)),
            point("middle", dense=(1, 1, 0, 0), words=(7, 1)),
            point("wording", dense=(0, 0, 1, 0), words=(7, 8)),
            *(point(f"noise{n}", dense=(1, 3, 0, 0), words=(1,)) for n in range(5)),
        ]
    )
    query = [1.0, 0.0, 0.0, 0.0]
    assert (await found(index, query, None))[:2] == ["meaning", "middle"]
    assert await found(index, None, words(7, 8)) == ["wording", "middle"]
    both = await index.search(query, words(7, 8), EVERYTHING, 10)
    assert [hit.template_id for hit in both.dense] == await found(index, query, None)
    assert [hit.template_id for hit in both.lexical] == await found(index, None, words(7, 8))
    assert await found(index, None, None) == []
    assert await found(index, None, words()) == [], "no known word"
    assert await found(index, query, words()) == await found(index, query, None)
    (best,) = (await index.search(query, None, EVERYTHING, 1)).dense
    assert best.score == pytest.approx(1.0, abs=1e-4)


async def test_rare_words_count_more(index: VectorIndex) -> None:
    await index.upsert(
        [point("rare", words=(1,))] + [point(f"common{n}", words=(2,)) for n in range(20)]
    )
    assert (await found(index, None, words(1, 2)))[0] == "rare"


async def test_filters(index: VectorIndex) -> None:
    await index.upsert(
        [
            point("a", topic="Пунктуация", exam="ЕГЭ", tags=("тире", "корни")),
            point("b", topic="Пунктуация", exam="ОГЭ", tags=("тире",)),
            point("c"),
        ]
    )
    for filters, expected in (
        (EVERYTHING, {"a", "b", "c"}),
        (SearchFilters(topic="Пунктуация"), {"a", "b"}),
        (SearchFilters(topic="Пунктуация", exam="ЕГЭ"), {"a"}),
        (SearchFilters(tags=("корни", "нет")), {"a"}),
        (SearchFilters(tags=("тире",), exam="ОГЭ"), {"b"}),
        (SearchFilters(exam="нет"), set()),
    ):
        hits = await index.search([1.0, 0, 0, 0], words(7), filters, 10)
        for lane in (hits.dense, hits.lexical):
            assert {hit.template_id for hit in lane} == expected, (filters, lane)
    with_tag = await index.search(None, words(7), SearchFilters(tags=("корни",)), 5)
    (passage,) = await index.passages(with_tag.lexical)
    assert (passage.topic, passage.exam, passage.tags) == ("Пунктуация", "ЕГЭ", ("тире", "корни"))


async def test_one_hit_per_template_even_where_a_long_one_crowds_the_list(
    index: VectorIndex,
) -> None:
    long = [point("long", n, of=40, dense=(1, n / 1000, 0, 0)) for n in range(40)]
    await index.upsert([*long, *(point(f"s{n}", dense=(1, 1, n / 10, 0)) for n in range(4))])
    hits = (await index.search([1.0, 0, 0, 0], None, EVERYTHING, 3)).dense
    assert [hit.template_id for hit in hits] == ["long", "s0", "s1"]
    texts = await index.passages(hits)
    assert [text.template_id for text in texts] == ["long", "s0", "s1"]
    assert [text.score for text in texts] == [hit.score for hit in hits]
    assert texts[0].chunk_index == 0, "its best passage"


async def test_the_same_as_through_qdrants_own_client(index: VectorIndex) -> None:
    await index.upsert(
        [
            point(
                f"t{n}",
                dense=(1, n % 7 / 3, n % 11 / 5, n % 13 / 7),
                words=(1 + n % 5, 20 + n % 9, 40 + n),
                topic="т" if n % 2 else None,
                tags=(f"tag{n % 4}",),
            )
            for n in range(60)
        ]
    )
    client, dense, sparse = index._client, [0.3, 0.5, 0.1, 0.8], words(2, 3, 25, 44)
    for filters in (
        EVERYTHING,
        SearchFilters(topic="т"),
        SearchFilters(tags=("tag1", "tag2")),
        SearchFilters(topic="т", tags=("tag1",)),
    ):
        ours = await index.search(dense, sparse, filters, 10)
        condition = filter_json(filters)
        for hits, using, query in (
            (ours.dense, "dense", dense),
            (ours.lexical, "lexical", models.SparseVector(**sparse_json(sparse))),
        ):
            answer = await client.query_points(
                index.alias,
                query=query,
                using=using,
                query_filter=None if condition is None else models.Filter(**condition),
                limit=40,
            )
            theirs = [to_passage(hit.payload or {}, hit.score) for hit in answer.points]
            passages = await index.passages(hits)
            # Which of several with one and the same score comes first is Qdrant's own affair.
            assert [hit.score for hit in passages] == [hit.score for hit in theirs[: len(hits)]]
            assert len(passages) == min(10, len(theirs)) and set(passages) <= set(theirs)
    assert await index.count() == (await client.count(index.alias)).count == 60
    aliases = (await client.get_aliases()).aliases
    assert await index.collection_name() in {one.collection_name for one in aliases}


async def test_what_has_gone_since_it_was_found_is_left_out(index: VectorIndex) -> None:
    await index.upsert([point(name) for name in "abc"])
    hits = (await index.search([1.0, 0, 0, 0], None, EVERYTHING, 5)).dense
    await index.delete([hits[1].template_id])
    left = [hits[0].template_id, hits[2].template_id]
    assert [one.template_id for one in await index.passages(hits)] == left
    assert await index.passages([]) == []
    with pytest.raises(CollectionMissing, match="nowhere"):
        await index.passages(hits, collection="nowhere")


async def test_points_of_somebody_else_are_no_hits(index: VectorIndex) -> None:
    await index.upsert([point("a")])
    vectors: Any = {"dense": [1.0, 0, 0, 0]}
    theirs = [
        models.PointStruct(id=7, vector=vectors, payload={}),
        models.PointStruct(id=8, vector=vectors, payload={"template_id": "b", "text": "чужой"}),
        models.PointStruct(id=9, vector=vectors, payload={"template_id": ["c"]}),
    ]
    await index._client.upsert(index.alias, theirs, wait=True)
    hits = (await index.search([1.0, 0, 0, 0], None, EVERYTHING, 5)).dense
    assert {hit.template_id for hit in hits} == {"a", "b"}
    assert [one.template_id for one in await index.passages(hits)] == ["a"]


async def test_a_collection_is_asked_by_its_own_name(index: VectorIndex) -> None:
    await index.upsert([point("a")])
    query, name = [1.0, 0, 0, 0], f"{index.alias}_r1"
    by_name = await index.search(query, None, EVERYTHING, 5, collection=name)
    assert by_name == await index.search(query, None, EVERYTHING, 5)
    with pytest.raises(CollectionMissing, match="nowhere"):
        await index.search(query, None, EVERYTHING, 5, collection="nowhere")


async def test_a_refused_request_is_rejected(index: VectorIndex) -> None:
    with pytest.raises(StoreRejected):
        await index.search([1.0, 0.0], None, EVERYTHING, 5)
    with pytest.raises(StoreRejected):
        await index.upsert([point("a", dense=(1.0, 0.0))])


async def test_a_lost_alias_comes_back(index: VectorIndex) -> None:
    await index.upsert([point("a")])
    await index._client.update_collection_aliases(
        [models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=index.alias))]
    )
    await index.ensure_collection(MODEL)
    assert await index.count() == 1


async def test_a_qdrant_that_is_away() -> None:
    index = connect_vector_index(load_settings(qdrant_url="http://127.0.0.1:1"))
    for call in (
        index.ping(),
        index.count(),
        index.collection_name(),
        index.upsert([point("a")]),
        index.search([1.0], None, EVERYTHING, 1),
        index.passages([Candidate("a", 1, 1.0)]),
        index.ensure_collection(MODEL),
    ):
        with pytest.raises(StoreUnavailable) as caught:
            await call
        assert caught.value.name == "qdrant" and not isinstance(caught.value, CollectionMissing)
    await index.close()
