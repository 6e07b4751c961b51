from __future__ import annotations

from typing import Any

from explanation_service.indexing.patience import Patience
from explanation_service.indexing.rebuild.gate import Score, judge, measure, table
from explanation_service.indexing.rebuild.questions import Question
from explanation_service.stores.records import Candidate
from explanation_service.stores.vector_search import LaneHits


def both(dense: float, hybrid: float) -> dict[str, Score]:
    return {"dense": Score(0.5, dense), "hybrid": Score(0.5, hybrid)}


def passed(*args: Any) -> list[bool]:
    return [verdict.passed for verdict in judge(*args)]


def test_at_least_as_good_as_before_less_the_tolerance() -> None:
    assert passed(both(0.9, 0.95), both(0.9, 0.95), 0.0, None) == [True, True]
    assert passed(both(0.9, 0.95), both(0.88, 0.93), 0.02, None) == [True, True]
    assert passed(both(0.9, 0.95), both(0.87, 0.99), 0.02, None) == [False, True]
    assert passed(both(0.9, 0.95), both(0.99, 0.92), 0.02, None) == [True, False]


def test_a_given_share_goes_before_the_comparison() -> None:
    assert passed(None, both(0.7, 0.8), 0.02, 0.7) == [True, True]
    assert passed(None, both(0.69, 0.8), 0.02, 0.7) == [False, True]
    assert passed(both(0.9, 0.9), both(0.7, 0.8), 0.02, 0.7) == [True, True]


def test_the_table_says_what_is_missing() -> None:
    lines = table(judge(both(0.9, 0.95), both(0.5, 0.95), 0.02, None), 300).splitlines()
    assert lines[0].startswith("300 questions")
    assert "too few" in lines[1] and "0.880" in lines[1]
    assert lines[2].endswith("ok")
    assert "-" in table(judge(None, both(1, 1), 0.02, 0.5), 1).splitlines()[1]


class Index:
    """Finds by the lane what the test says."""

    def __init__(self, dense: list[str], lexical: list[str]) -> None:
        self.dense, self.lexical = dense, lexical

    async def search(self, _dense: Any, sparse: Any, _filters: Any, limit: int) -> LaneHits:
        lexical = self.lexical if sparse.indices else []
        return LaneHits(_candidates(self.dense[:limit]), _candidates(lexical[:limit]))


def _candidates(ids: list[str]) -> list[Candidate]:
    return [Candidate(one, at, 1.0 - at / 10) for at, one in enumerate(ids)]


async def test_lanes_are_measured_apart() -> None:
    questions = [Question("первый", frozenset({"a"})), Question("второй", frozenset({"d", "x"}))]
    vectors = {question.text: [1.0] for question in questions}
    index: Any = Index(["b", "c", "d", "a"], ["a", "e", "f", "g", "d"])
    scores = await measure(index, questions, vectors, (0.8, 1.0), Patience())
    assert scores["dense"] == Score(0.0, 0.5), "d is third, a comes too late"
    assert scores["hybrid"].hit_at_3 == 1.0


async def test_a_question_without_a_word_has_the_dense_lane_alone() -> None:
    index: Any = Index(["a"], [])
    scores = await measure(
        index, [Question("???", frozenset({"a"}))], {"???": [1.0]}, (0.8, 1.0), Patience()
    )
    assert scores["hybrid"] == Score(1.0, 1.0)
