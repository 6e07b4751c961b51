"""What the language model gets to read."""

from __future__ import annotations

from explanation_service.explanations.prompt import build_prompt
from explanation_service.explanations.records import ExplanationRequest
from explanation_service.stores.records import Passage


def test_parts_that_are_known_are_there_and_no_others():
    passage = Passage("t", 0, 1, "Название", "Текст " * 1000, None, None, (), 0.5)
    prompt = build_prompt(
        "Объясняй.", ExplanationRequest("Вопрос?", correct_answer="да"), [passage]
    )
    assert prompt.system == "Объясняй."
    assert prompt.user.startswith("Задание:\nВопрос?")
    assert "Правильный ответ:\nда" in prompt.user
    assert "[1] Название" in prompt.user
    assert "Ответ ученика" not in prompt.user
    assert len(prompt.user) < 2000


def test_no_passages_are_said_to_be_none():
    assert "подходящих правил не нашлось" in build_prompt("", ExplanationRequest("?"), []).user
