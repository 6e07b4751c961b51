"""What an answer is kept for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from explanation_service.explanations.answer_keys import answer_keys
from explanation_service.explanations.records import ExplanationRequest
from explanation_service.stores.records import Passage

ONE = Passage("a", 0, 1, "Правило", "Пишется слитно.", None, None, (), 0.9)
OTHER = Passage("b", 2, 1, "Ещё правило", "Пишется раздельно.", None, None, (), 0.5)
REQUEST = ExplanationRequest(question="Как писать?")


def answer(*passages: Passage) -> str:
    return answer_keys(REQUEST, passages, "Объясняй.", "lite 0.2 700").answer


def test_order_and_scores_of_the_passages_do_not_matter() -> None:
    assert answer(ONE, OTHER) == answer(OTHER, replace(ONE, score=0.1))


@pytest.mark.parametrize(
    "edit",
    [
        {"version": 2},
        {"text": "Пишется раздельно."},
        {"title": "Другое правило"},
    ],
)
def test_an_edited_rule_has_other_answers(edit: dict[str, object]) -> None:
    """Edits past the service may leave the version as it is."""
    assert answer(replace(ONE, **edit), OTHER) != answer(ONE, OTHER)  # type: ignore[arg-type]
