from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from explanation_service.retrieval import search
from explanation_service.retrieval.query_vectors import QueryVector
from explanation_service.retrieval.search import FUSION_DEPTH, Mode, SearchService
from explanation_service.retrieval.served_collection import Served
from explanation_service.stores.errors import CollectionMissing, StoreRejected, StoreUnavailable
from explanation_service.stores.records import Candidate, Passage, SearchFilters
from explanation_service.stores.vector_search import LaneHits
from explanation_service.telemetry import request_context
from recorded_spans import recorded_spans

VECTOR = QueryVector("r1", (1.0, 0.0), "lru")


SERVED = Served("templates_r1", "r1")


class Vectors:
    def __init__(self, vector: QueryVector | None) -> None:
        self.vector = vector
        self.waits: list[float] = []
        self.revisions: list[str] = []

    async def get(self, text: str, revision: str, deadline: float) -> QueryVector | None:
        self.waits.append(deadline - time.monotonic())
        self.revisions.append(revision)
        return self.vector


class Collection:
    def __init__(self, served: Served | None) -> None:
        self.served = served
        self.forgotten = 0

    async def current(self) -> Served | None:
        return self.served

    def forget(self) -> None:
        self.forgotten += 1


@dataclass
class Call:
    lanes: list[str]
    limit: int
    filters: SearchFilters
    collection: str | None


class Index:
    def __init__(
        self, dense_error: Exception | None = None, text_error: Exception | None = None
    ) -> None:
        self.calls: list[Call] = []
        self.read_from: list[str | None] = []
        self.dense_error = dense_error
        self.text_error = text_error

    async def search(
        self,
        dense: Any,
        sparse: Any,
        filters: SearchFilters,
        limit: int,
        collection: str | None = None,
    ) -> LaneHits:
        asked = {"dense": dense is not None, "lexical": sparse is not None and sparse.indices}
        lanes = [name for name, wanted in asked.items() if wanted]
        self.calls.append(Call(lanes, limit, filters, collection))
        if dense is not None and self.dense_error is not None:
            raise self.dense_error
        return LaneHits(**{lane: [Candidate(lane, lane, 1.0)] for lane in lanes})

    async def passages(
        self, candidates: Sequence[Candidate], collection: str | None = None
    ) -> list[Passage]:
        self.read_from.append(collection)
        if collection is not None and self.text_error is not None:
            raise self.text_error
        return [
            Passage(one.template_id, 0, 1, "т", "т", None, None, (), one.score)
            for one in candidates
        ]


def service(
    vector: QueryVector | None = VECTOR,
    index: Index | None = None,
    budget_ms: int = 200,
    served: Served | None = SERVED,
) -> tuple[SearchService, Index, Vectors]:
    index, vectors, collection = index or Index(), Vectors(vector), Collection(served)
    subject = SearchService(index, collection, vectors, budget_ms, (0.8, 1.0))  # type: ignore[arg-type]
    return subject, index, vectors


@pytest.mark.parametrize(
    ("vector", "asked", "query", "used", "degraded"),
    [
        (VECTOR, "hybrid", "не с глаголами", "hybrid", False),
        (None, "hybrid", "не с глаголами", "lexical", True),
        (VECTOR, "hybrid", "???", "dense", False),
        (None, "hybrid", "???", "lexical", True),
        (VECTOR, "dense", "не", "dense", False),
        (None, "dense", "не", "lexical", True),
        (VECTOR, "lexical", "не", "lexical", False),
    ],
)
async def test_what_is_searched(
    vector: QueryVector | None, asked: Mode, query: str, used: Mode, degraded: bool
) -> None:
    subject, _, _ = service(vector)
    result = await subject.search(query, 5, mode=asked)
    assert (result.mode, result.degraded) == (used, degraded)


async def test_both_lanes_go_deeper_than_the_answer_and_keep_the_filters() -> None:
    subject, index, _ = service()
    filters = SearchFilters(topic="a", tags=("x",))
    result = await subject.search("не", 1, filters)
    assert index.calls == [Call(["dense", "lexical"], FUSION_DEPTH, filters, "templates_r1")]
    assert len(result.hits) == 1
    assert index.read_from == ["templates_r1"]


async def test_a_look_at_the_alias_costs_a_search_its_budget_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hang() -> None:
        await asyncio.sleep(60)

    async def fail() -> None:
        raise StoreUnavailable("qdrant", "no answer in time")

    for trouble in (hang, fail):
        subject, _, vectors = service(budget_ms=40)
        monkeypatch.setattr(subject._served, "current", trouble)
        started = time.monotonic()
        result = await subject.search("не", 5)
        assert (result.mode, result.degraded, len(result.hits)) == ("lexical", True, 1)
        assert time.monotonic() - started < 5 and vectors.revisions == []


async def test_the_vector_is_that_of_the_model_behind_the_collection() -> None:
    subject, _, vectors = service()
    await subject.search("не", 5)
    assert vectors.revisions == ["r1"]


@pytest.mark.parametrize("served", [None, Served("by-hand", None)])
async def test_no_vector_without_a_collection_that_names_its_model(served: Served | None) -> None:
    subject, index, vectors = service(served=served)
    result = await subject.search("не", 5)
    assert (result.mode, result.degraded, vectors.revisions) == ("lexical", True, [])
    assert index.calls == [Call(["lexical"], 5, SearchFilters(), None)]


async def test_the_vector_may_take_its_share_of_the_budget() -> None:
    subject, _, vectors = service(budget_ms=200)
    await subject.search("не", 5)
    assert 0.1 < vectors.waits[0] <= 0.15


async def test_the_lexical_mode_asks_for_no_vector() -> None:
    subject, _, vectors = service()
    await subject.search("не", 5, mode="lexical")
    assert vectors.waits == []


@pytest.mark.parametrize(
    "error", [StoreRejected("qdrant", "expected dim 384"), CollectionMissing("templates_r1")]
)
async def test_a_collection_that_has_just_changed_degrades_and_is_looked_up_anew(
    error: Exception,
) -> None:
    subject, index, _ = service(index=Index(error))
    result = await subject.search("не", 5)
    assert (result.mode, result.degraded, len(result.hits)) == ("lexical", True, 1)
    assert [call.collection for call in index.calls] == ["templates_r1", None]
    assert subject._served.forgotten == 1  # type: ignore[attr-defined]


async def test_a_collection_that_goes_before_its_texts_are_read_degrades() -> None:
    subject, index, _ = service(index=Index(text_error=CollectionMissing("templates_r1")))
    result = await subject.search("не", 5)
    assert (result.mode, result.degraded, len(result.hits)) == ("lexical", True, 1)
    assert index.read_from == ["templates_r1", None]


async def test_both_requests_to_qdrant_have_one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(*_: Any, **__: Any) -> Any:
        await asyncio.sleep(60)

    monkeypatch.setattr(search, "SEARCH_TIMEOUT", 0.05)
    for part in ("search", "passages"):
        subject, index, _ = service()
        monkeypatch.setattr(index, part, slow)
        with pytest.raises(StoreUnavailable, match="no answer in time"):
            await subject.search("не", 5)


async def test_a_qdrant_that_is_away_is_said_so() -> None:
    subject, _, _ = service(index=Index(StoreUnavailable("qdrant", "refused")))
    with pytest.raises(StoreUnavailable):
        await subject.search("не", 5)


async def test_the_times_add_up() -> None:
    subject, _, _ = service()
    times = (await subject.search("не", 5)).timings_ms
    assert set(times) == {"lexical", "vector", "search", "total"}
    assert times["total"] >= times["search"]


def test_the_api_side_imports_no_ml_library() -> None:
    script = (
        "import sys\n"
        "import explanation_service.retrieval.search, explanation_service.retrieval.query_vectors\n"
        "bad = {'torch', 'transformers', 'sentence_transformers', 'tokenizers', 'scipy',"
        " 'sklearn', 'onnxruntime', 'razdel', 'numpy', 'grpc', 'qdrant_client'}\n"
        "print(sorted(bad & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.strip() == "[]"


async def test_a_search_leaves_a_span_without_the_question() -> None:
    subject, _, _ = service(None)
    with recorded_spans() as spans, request_context.bind("r", f"00-{'a' * 32}-{'b' * 16}-01"):
        await subject.search("не с глаголами", 5)
    (span,) = spans
    assert span.name == "search" and f"{span.parent.span_id:016x}" == "b" * 16
    assert dict(span.attributes) == {
        "search.asked": "hybrid",
        "search.limit": 5,
        "search.mode": "lexical",
        "search.degraded": True,
        "search.hits": 1,
    }
