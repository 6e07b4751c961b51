"""The retrieval bench prints a table and the gate for each set, and judges all together."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from bench.retrieval import by_set, report
from bench.retrieval_questions import Question
from bench.retrieval_scores import Answer

WEIGHTS = (0.5, 0.5)


def answers(source: str, right: Mapping[str, int], questions: int = 10) -> list[Answer]:
    """Each mode finds the right rule first for the first so many questions."""
    return [
        Answer(mode, Question(number, "почему?", "a", (), "example", source), found, 1.0)
        for mode, count in right.items()
        for number in range(1, questions + 1)
        for found in [("a",) if number <= count else ("b", "a")]
    ]


GOOD = answers("good", {"lexical": 7, "dense": 8, "hybrid": 10})
POOR = answers("poor", {"lexical": 9, "dense": 5, "hybrid": 8})


def test_one_set_stands_alone() -> None:
    assert by_set(GOOD) == {"good": GOOD}


def test_each_set_has_a_table_and_a_gate(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(GOOD + POOR, WEIGHTS, False) == []
    printed = capsys.readouterr().out
    assert [line for line in printed.splitlines() if line.startswith(("==", "gate"))] == [
        "== good",
        "gate: passed",
        "== poor",
        "gate: hybrid hit@1 is 0.80, below 0.85; hybrid hit@1 is 0.80, lexical alone 0.90",
        "== together",
        "gate: passed",
    ]
    assert "miss poor:9 example | почему? | expected a (place 2) | got b" in printed


def test_a_good_set_does_not_hide_a_poor_one_of_greater_weight() -> None:
    worse = answers("worse", {"lexical": 3, "dense": 3, "hybrid": 12}, questions=20)
    assert report(GOOD + worse, WEIGHTS, False) == ["hybrid hit@1 is 0.73, below 0.85"]


def test_json_has_the_same_in_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    report(GOOD + POOR, WEIGHTS, True)
    found = json.loads(capsys.readouterr().out)
    assert list(found["sets"]) == ["good", "poor", "together"]
    together = {one["mode"]: one for one in found["sets"]["together"]["scores"][:3]}
    assert (together["hybrid"]["questions"], together["hybrid"]["hit_at_1"]) == (20, 0.9)
    assert found["sets"]["poor"]["faults"] != []
    assert len(found["misses"]) == 2
