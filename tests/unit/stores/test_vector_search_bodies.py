"""What is asked of Qdrant is what its own models take; what comes back is read with care."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qdrant_client.http import models

from explanation_service.stores.errors import CollectionMissing, StoreUnavailable
from explanation_service.stores.records import Candidate, SearchFilters, SparseVector
from explanation_service.stores.vector_search import LaneHits, VectorSearch

LABELS = st.none() | st.text(min_size=1, max_size=20)
FILTERS = st.builds(
    SearchFilters,
    topic=LABELS,
    exam=LABELS,
    tags=st.lists(st.text(min_size=1, max_size=20), max_size=3).map(tuple),
)
SPARSE = st.dictionaries(
    st.integers(0, 2**32 - 1), st.floats(0.001, 100, allow_nan=False), min_size=1, max_size=8
).map(lambda terms: SparseVector(tuple(terms), tuple(terms.values())))
DENSE = st.lists(st.floats(-1, 1, allow_nan=False), min_size=1, max_size=8)
PAYLOAD = {"template_id": "a", "chunk_index": 0, "version": 1, "title": "Т", "text": "текст"}


class Rest:
    """Keeps what is asked, and answers what it is told to."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, Any]] = []

    async def get(self, path: str, asked: str) -> Any:
        return await self.post(path, None, asked)

    async def post(self, path: str, body: Any, asked: str) -> Any:
        self.asked.append((path, body))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def search_on(rest: Rest) -> VectorSearch:
    return VectorSearch(rest, "templates")  # type: ignore[arg-type]


def points(*template_ids: str) -> dict[str, Any]:
    return {
        "points": [
            {"id": name, "version": 0, "score": 0.5, "payload": {"template_id": name}}
            for name in template_ids
        ]
    }


@given(DENSE | st.none(), SPARSE | st.none(), FILTERS, st.integers(1, 50))
async def test_a_search_is_a_request_of_qdrants(
    dense: list[float] | None, sparse: SparseVector | None, filters: SearchFilters, limit: int
) -> None:
    lanes = [name for name, given in (("dense", dense), ("lexical", sparse)) if given is not None]
    rest = Rest([points("a") for _ in lanes])
    found = await search_on(rest).search(dense, sparse, filters, limit)
    assert [name for name in ("dense", "lexical") if getattr(found, name)] == lanes
    if not lanes:
        assert rest.asked == []
        return
    ((path, body),) = rest.asked
    assert path == "/collections/templates/points/query/batch?timeout=2"
    parsed = models.QueryRequestBatch.model_validate(body)
    assert [one.using for one in parsed.searches] == lanes
    # Nothing of ours got lost: an unknown field would be dropped without a word.
    assert parsed.model_dump(exclude_none=True, mode="json") == body
    for one in parsed.searches:
        assert one.filter is None or isinstance(one.filter, models.Filter)
        expected = models.SparseVector if one.using == "lexical" else list
        assert isinstance(one.query, expected)


async def test_a_count_is_a_request_of_qdrants() -> None:
    rest = Rest({"count": 7})
    assert await search_on(rest).count() == 7
    ((_, body),) = rest.asked
    assert models.CountRequest.model_validate(body).model_dump(exclude_none=True) == body


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        [{"points": []}, {"points": []}],
        [{}],
        [{"points": None}],
        [{"points": [7]}],
        [{"points": [{"id": 1, "payload": PAYLOAD}]}],
        [{"points": [{"score": 1.0, "payload": PAYLOAD}]}],
        [{"points": [{"id": 1, "score": "much", "payload": PAYLOAD}]}],
    ],
)
async def test_answers_of_another_shape(answer: Any) -> None:
    with pytest.raises(StoreUnavailable, match="none of Qdrant's"):
        await search_on(Rest(answer)).search([1.0], None, SearchFilters(), 5)


@pytest.mark.parametrize("answer", [None, [], {"aliases": None}, {"aliases": [{}]}, {"aliases": 7}])
async def test_aliases_of_another_shape(answer: Any) -> None:
    with pytest.raises(StoreUnavailable, match="none of Qdrant's"):
        await search_on(Rest(answer)).collection_name()


@pytest.mark.parametrize("answer", [None, [], {}, {"count": None}])
async def test_counts_of_another_shape(answer: Any) -> None:
    with pytest.raises(StoreUnavailable, match="none of Qdrant's"):
        await search_on(Rest(answer)).count()


@pytest.mark.parametrize(
    "point", [{}, {"payload": None}, {"payload": {}}, {"payload": {"template_id": ["b"]}}]
)
async def test_a_point_without_a_template_is_left_out(point: dict[str, Any]) -> None:
    answer = [{"points": [{"id": 1, "score": 1.0, **point}, *points("a")["points"]]}]
    found = await search_on(Rest(answer)).search([1.0], None, SearchFilters(), 5)
    assert [hit.template_id for hit in found.dense] == ["a"]


async def test_texts_are_a_request_of_qdrants() -> None:
    rest = Rest([{"id": "p", "payload": PAYLOAD}, {"id": 7, "payload": {**PAYLOAD, "version": 3}}])
    asked = [Candidate("b", 7, 0.5), Candidate("gone", 8, 0.4), Candidate("a", "p", 0.3)]
    found = await search_on(rest).passages(asked, collection="templates_r1")
    assert [(one.version, one.score) for one in found] == [(3, 0.5), (1, 0.3)]
    ((path, body),) = rest.asked
    assert path == "/collections/templates_r1/points?timeout=2"
    parsed = models.PointRequest.model_validate(body)
    assert parsed.model_dump(exclude_none=True, mode="json") == body and parsed.ids == [7, 8, "p"]
    assert await search_on(rest).passages([]) == [] and len(rest.asked) == 1


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {"template_id": "b"},
        {**PAYLOAD, "template_id": "b", "version": None},
        {**PAYLOAD, "template_id": "b", "chunk_index": "first"},
    ],
)
async def test_a_point_that_is_not_ours_is_left_out(payload: Any) -> None:
    rest = Rest([{"id": 1, "payload": payload}, {"id": 2, "payload": PAYLOAD}])
    found = await search_on(rest).passages([Candidate("b", 1, 1.0), Candidate("a", 2, 0.5)])
    assert [passage.template_id for passage in found] == ["a"]


@pytest.mark.parametrize("answer", [None, 7, [{}], [7], [None]])
async def test_texts_of_another_shape(answer: Any) -> None:
    with pytest.raises(StoreUnavailable, match="none of Qdrant's"):
        await search_on(Rest(answer)).passages([Candidate("a", 1, 1.0)])


async def test_only_the_lane_that_is_crowded_is_asked_again() -> None:
    rest = Rest([points(*"aaaaaaaa"), points("b", "c")], [points(*"aaaaaaaa", "d")])
    found = await search_on(rest).search(
        [1.0], SparseVector((1,), (1.0,)), SearchFilters(topic="т"), 2
    )
    assert [hit.template_id for hit in found.dense] == ["a", "d"]
    assert [hit.template_id for hit in found.lexical] == ["b", "c"]
    first, second = (body["searches"] for _, body in rest.asked)
    assert [one["using"] for one in first] == ["dense", "lexical"]
    assert [(one["using"], one["limit"]) for one in second] == [("dense", 32)]
    assert second[0]["filter"] == first[0]["filter"]


async def test_a_collection_that_has_gone() -> None:
    gone = CollectionMissing("templates_r1")
    everything = SearchFilters()
    assert await search_on(Rest(gone)).search([1.0], None, everything, 5) == LaneHits()
    with pytest.raises(CollectionMissing):
        await search_on(Rest(gone)).search([1.0], None, everything, 5, collection="templates_r1")
    asked = [Candidate("a", 1, 1.0)]
    assert await search_on(Rest(gone)).passages(asked) == []
    with pytest.raises(CollectionMissing):
        await search_on(Rest(gone)).passages(asked, collection="templates_r1")
