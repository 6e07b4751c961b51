"""The query API: dense, sparse, fusion, thresholds, selectors."""

from __future__ import annotations

import pytest
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

COLLECTION = "rules_1"
COMMA = [1.0, 0.0, 0.0, 0.0]


def sparse(*indices: int) -> models.SparseVector:
    return models.SparseVector(indices=list(indices), values=[1.0] * len(indices))


async def ids(client: AsyncQdrantClient, **arguments: object) -> list[int]:
    answer = await client.query_points(COLLECTION, **arguments)  # type: ignore[arg-type]
    return [int(point.id) for point in answer.points]


async def test_dense_query_ranks_by_cosine(rules: AsyncQdrantClient) -> None:
    answer = await rules.query_points(COLLECTION, query=COMMA, using="dense", limit=2)
    assert [point.id for point in answer.points] == [1, 2]
    assert answer.points[0].score == pytest.approx(1.0)
    assert answer.points[0].payload is not None and answer.points[0].payload["topic"] == "commas"


async def test_sparse_query_weighs_rare_terms_more(rules: AsyncQdrantClient) -> None:
    answer = await rules.query_points(COLLECTION, query=sparse(8, 10), using="lexical", limit=5)
    # 10 stands in one document, 8 in two: the inverse document frequency puts 5 first.
    assert answer.points[0].id == 5
    assert {point.id for point in answer.points[1:]} == {2, 3}


async def test_rrf_follows_k_and_weights(rules: AsyncQdrantClient) -> None:
    async def fused(k: int, weights: list[float]) -> dict[int, float]:
        answer = await rules.query_points(
            COLLECTION,
            prefetch=[
                models.Prefetch(query=COMMA, using="dense", limit=2),
                models.Prefetch(query=sparse(10), using="lexical", limit=2),
            ],
            query=models.RrfQuery(rrf=models.Rrf(k=k, weights=weights)),
            limit=3,
        )
        return {int(point.id): point.score for point in answer.points}

    dense_first = await fused(61, [1.0, 0.5])
    lexical_first = await fused(61, [0.5, 1.0])
    assert next(iter(dense_first)) == 1
    assert next(iter(lexical_first)) == 5
    # With equal weights the first of a list scores 1 / k: the paper's 60 is k=61 here.
    assert (await fused(61, [1.0, 1.0]))[5] == pytest.approx(1 / 61)


async def test_fusion_by_name_and_single_prefetch(rules: AsyncQdrantClient) -> None:
    stages = [
        models.Prefetch(query=COMMA, using="dense", limit=3),
        models.Prefetch(query=sparse(7), using="lexical", limit=3),
    ]
    found = await ids(
        rules, prefetch=stages, query=models.FusionQuery(fusion=models.Fusion.RRF), limit=2
    )
    # Both are in both lists, and tie in the lexical one: which comes first is open.
    assert sorted(found) == [1, 2]
    rescored = await ids(rules, prefetch=stages[1], query=COMMA, using="dense", limit=5)
    assert rescored == [1, 2]


async def test_weights_that_do_not_fit_are_refused(rules: AsyncQdrantClient) -> None:
    with pytest.raises(UnexpectedResponse) as refusal:
        await rules.query_points(
            COLLECTION,
            prefetch=[models.Prefetch(query=COMMA, using="dense", limit=2)],
            query=models.RrfQuery(rrf=models.Rrf(k=2, weights=[1.0, 1.0])),
        )
    assert refusal.value.status_code == 400


async def test_score_threshold_offset_and_filter(rules: AsyncQdrantClient) -> None:
    assert await ids(rules, query=COMMA, using="dense", score_threshold=0.5) == [1, 2]
    assert await ids(rules, query=COMMA, using="dense", limit=1, offset=1) == [2]
    dashes = models.Filter(
        must=[models.FieldCondition(key="topic", match=models.MatchValue(value="dashes"))]
    )
    assert set(await ids(rules, query=COMMA, using="dense", query_filter=dashes)) == {3, 4}


async def test_payload_and_vector_selectors(rules: AsyncQdrantClient) -> None:
    answer = await rules.query_points(
        COLLECTION, query=COMMA, using="dense", limit=1, with_payload=["topic"], with_vectors=True
    )
    point = answer.points[0]
    assert point.payload == {"topic": "commas"}
    assert isinstance(point.vector, dict)
    assert point.vector["dense"] == pytest.approx(COMMA)
    assert point.vector["lexical"] == sparse(7)

    bare = await rules.query_points(
        COLLECTION, query=COMMA, using="dense", limit=1, with_payload=False
    )
    assert bare.points[0].payload is None and bare.points[0].vector is None

    without = await rules.query_points(
        COLLECTION,
        query=COMMA,
        using="dense",
        limit=1,
        with_payload=models.PayloadSelectorExclude(exclude=["nested", "text", "tags"]),
        with_vectors=["lexical"],
    )
    # A null in a payload survives the way out.
    assert without.points[0].payload == {"topic": "commas", "version": 1, "note": None}
    assert list(without.points[0].vector or {}) == ["lexical"]


async def test_query_by_id_leaves_the_point_out(rules: AsyncQdrantClient) -> None:
    assert (await ids(rules, query=1, using="dense", limit=1)) == [2]
    with pytest.raises(UnexpectedResponse) as refusal:
        await rules.query_points(COLLECTION, query=77, using="dense")
    assert refusal.value.status_code == 404


async def test_batch_answers_in_order(rules: AsyncQdrantClient) -> None:
    answers = await rules.query_batch_points(
        COLLECTION,
        [
            models.QueryRequest(query=[0.0, 0.0, 0.0, 1.0], using="dense", limit=1),
            models.QueryRequest(query=sparse(9), using="lexical", limit=5),
        ],
    )
    assert [point.id for point in answers[0].points] == [5]
    assert {point.id for point in answers[1].points} == {3, 4}


async def test_order_by_in_scroll_and_query(rules: AsyncQdrantClient) -> None:
    newest = models.OrderBy(key="version", direction=models.Direction.DESC)
    records, following = await rules.scroll(COLLECTION, order_by=newest, limit=2)
    assert [record.id for record in records] == [5, 4] and following is None
    assert await ids(rules, query=models.OrderByQuery(order_by="version"), limit=2) == [1, 2]


async def test_scroll_pages_through_everything(rules: AsyncQdrantClient) -> None:
    seen: list[int] = []
    offset = None
    while True:
        records, offset = await rules.scroll(COLLECTION, limit=2, offset=offset)
        seen += [int(record.id) for record in records]
        if offset is None:
            break
    assert seen == [1, 2, 3, 4, 5]


async def test_maximal_marginal_relevance_spreads(rules: AsyncQdrantClient) -> None:
    diverse = models.NearestQuery(nearest=COMMA, mmr=models.Mmr(diversity=0.99, candidates_limit=5))
    found = await ids(rules, query=diverse, using="dense", limit=2)
    assert found[0] == 1 and found[1] != 2


@pytest.mark.parametrize(
    ("query", "using"), [([1.0, 0.0], "dense"), (COMMA, "nowhere"), (COMMA, None)]
)
async def test_wrong_vectors_are_bad_input(
    rules: AsyncQdrantClient, query: list[float], using: str | None
) -> None:
    with pytest.raises(UnexpectedResponse) as refusal:
        await rules.query_points(COLLECTION, query=query, using=using)
    assert refusal.value.status_code == 400


async def test_what_the_engine_lacks_is_said(rules: AsyncQdrantClient) -> None:
    with pytest.raises(UnexpectedResponse, match="not served by the embedded engine"):
        await rules.query_points(
            COLLECTION,
            query=models.RecommendQuery(recommend=models.RecommendInput(positive=[1])),
            using="dense",
        )
