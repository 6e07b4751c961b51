from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest

from explanation_service.retrieval.query_vectors import QueryVector
from explanation_service.retrieval.search import FUSION_DEPTH, Mode, SearchService
from explanation_service.stores.errors import StoreRejected, StoreUnavailable
from explanation_service.stores.records import Passage, SearchFilters

VECTOR = QueryVector("r1", (1.0, 0.0), "lru")


class Vectors:
    def __init__(self, vector: QueryVector | None) -> None:
        self.vector = vector
        self.waits: list[float] = []

    async def get(self, text: str, deadline: float) -> QueryVector | None:
        self.waits.append(deadline - time.monotonic())
        return self.vector


class Index:
    def __init__(self, dense_error: Exception | None = None) -> None:
        self.calls: list[tuple[str, int, SearchFilters]] = []
        self.dense_error = dense_error

    async def search(
        self, dense: Any, sparse: Any, filters: SearchFilters, limit: int, weights: Any = None
    ) -> list[Passage]:
        lane = "dense" if dense is not None else "lexical"
        self.calls.append((lane, limit, filters))
        if dense is not None and self.dense_error is not None:
            raise self.dense_error
        if dense is None and not sparse.indices:
            return []
        return [Passage(lane, 0, 1, "т", "т", None, None, (), 1.0)]


def service(
    vector: QueryVector | None = VECTOR, index: Index | None = None, budget_ms: int = 200
) -> tuple[SearchService, Index, Vectors]:
    index, vectors = index or Index(), Vectors(vector)
    return SearchService(index, vectors, budget_ms), index, vectors  # type: ignore[arg-type]


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
    assert sorted(call[0] for call in index.calls) == ["dense", "lexical"]
    assert all(call[1:] == (FUSION_DEPTH, filters) for call in index.calls)
    assert len(result.hits) == 1


async def test_the_vector_may_take_its_share_of_the_budget() -> None:
    subject, _, vectors = service(budget_ms=200)
    await subject.search("не", 5)
    assert 0.1 < vectors.waits[0] <= 0.15


async def test_the_lexical_mode_asks_for_no_vector() -> None:
    subject, _, vectors = service()
    await subject.search("не", 5, mode="lexical")
    assert vectors.waits == []


async def test_a_vector_that_does_not_fit_the_index_degrades() -> None:
    subject, _, _ = service(index=Index(StoreRejected("qdrant", "expected dim 384")))
    result = await subject.search("не", 5)
    assert (result.mode, result.degraded, len(result.hits)) == ("lexical", True, 1)


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
        " 'sklearn', 'onnxruntime', 'razdel'}\n"
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
