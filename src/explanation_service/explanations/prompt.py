"""The prompt: the task, the answers and the numbered passages, as the model gets them."""

from __future__ import annotations

from collections.abc import Sequence

from explanation_service.explanations.language_model import Prompt
from explanation_service.explanations.records import ExplanationRequest
from explanation_service.stores.records import Passage

# Characters of one passage: with four passages about 1500 tokens, which leaves the model's time
# for writing. Passages are shorter as a rule; this holds whatever the chunker is set to.
_PASSAGE_LENGTH = 1500


def build_prompt(system: str, request: ExplanationRequest, passages: Sequence[Passage]) -> Prompt:
    """The prompt for one explanation; parts that are unknown are left out."""
    rules = [
        f"[{number}] {passage.title}\n{passage.text[:_PASSAGE_LENGTH]}"
        for number, passage in enumerate(passages, start=1)
    ]
    parts = [
        ("Задание", request.question),
        ("Ответ ученика", request.student_answer),
        ("Правильный ответ", request.correct_answer),
        ("Правила", "\n\n".join(rules) or "подходящих правил не нашлось"),
    ]
    return Prompt(system, "\n\n".join(f"{name}:\n{text}" for name, text in parts if text))
