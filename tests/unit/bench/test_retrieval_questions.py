"""The questions of the retrieval bench are valid and fit the sample rule book."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from bench.retrieval_questions import KINDS, QUESTION_SETS, Question, read_questions
from explanation_service.content.importer import read_jsonl
from explanation_service.content.sample import sample_rule_book_path


@pytest.fixture(scope="module", params=QUESTION_SETS, ids=lambda path: path.stem)
def questions(request: pytest.FixtureRequest) -> list[Question]:
    return read_questions(request.param)


@pytest.fixture(scope="module")
def rule_ids() -> set[str]:
    return {template_id for template_id, _ in read_jsonl(sample_rule_book_path())}


def test_there_are_enough_of_every_kind(questions: list[Question]) -> None:
    kinds = Counter(question.kind for question in questions)
    assert len(questions) >= 60
    assert kinds.keys() == set(KINDS)
    assert min(kinds.values()) >= 10


def test_every_id_is_in_the_rule_book(questions: list[Question], rule_ids: set[str]) -> None:
    named = {one for question in questions for one in (question.template_id, *question.accept)}
    assert named <= rule_ids


def test_the_questions_are_spread_over_the_rules(questions: list[Question]) -> None:
    asked = Counter(question.template_id for question in questions)
    assert len(asked) >= 70
    assert max(asked.values()) <= 3


def test_the_second_set_asks_for_every_rule(rule_ids: set[str]) -> None:
    assert {question.template_id for question in read_questions(QUESTION_SETS[1])} == rule_ids


def test_no_question_comes_twice_in_all_sets() -> None:
    questions = [question for path in QUESTION_SETS for question in read_questions(path)]
    folded = Counter(" ".join(question.text.casefold().split()) for question in questions)
    assert [text for text, count in folded.items() if count > 1] == []


def test_an_accepted_id_is_another_one(questions: list[Question]) -> None:
    for question in questions:
        assert question.template_id not in question.accept
        assert len(set(question.accept)) == len(question.accept)


def test_the_rank_is_that_of_the_first_right_template() -> None:
    question = Question(1, "почему?", "a", ("b",), "example")
    assert question.rank_in(["c", "b", "a"]) == 2
    assert question.rank_in(["c"]) is None


@pytest.mark.parametrize(
    "change", [{"kind": "riddle"}, {"question": " "}, {"answer": "a"}], ids=str
)
def test_a_wrong_line_is_named(tmp_path: Path, change: dict[str, str]) -> None:
    good = {"question": "почему?", "template_id": "a", "accept": [], "kind": "example"}
    path = tmp_path / "questions.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in (good, good | change)), encoding="utf-8")
    with pytest.raises(ValueError, match=r"questions\.jsonl, line 2"):
        read_questions(path)
