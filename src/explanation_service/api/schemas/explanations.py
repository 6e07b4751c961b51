"""Bodies of /v1/explanations."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, StrictBool

from explanation_service.api.schemas.fields import (
    Mode,
    OptionalLabel,
    OptionalText,
    Text,
    blank_is_none,
)
from explanation_service.content.template import TEMPLATE_ID_PATTERN, TemplateId
from explanation_service.explanations.records import (
    Explanation,
    ExplanationRequest,
    Findings,
    Source,
)

_PASSAGE: dict[str, JsonValue] = {
    "template_id": "spelling-checked-root-vowels",
    "title": "Проверяемые безударные гласные в корне",
    "text": "Буква в корне сохраняется такой, какой мы слышим её под ударением.",
    "score": 0.031,
}


class ExplanationBody(BaseModel):
    """The task, and what is known about its answer."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "question": "Почему в слове «водяной» пишется буква «о»?",
                "student_answer": "вадяной",
                "correct_answer": "водяной",
                "exam": "oge",
            }
        }
    )

    question: Text
    student_answer: OptionalText = None
    correct_answer: OptionalText = None
    template_id: Annotated[
        TemplateId | None,
        BeforeValidator(blank_is_none),
        Field(
            description="The rule that the task is about; blank counts as absent",
            json_schema_extra={
                "anyOf": [
                    {"type": "string", "pattern": TEMPLATE_ID_PATTERN},
                    {"type": "string", "pattern": r"^\s*$"},
                    {"type": "null"},
                ]
            },
        ),
    ] = None
    topic: OptionalLabel = None
    exam: OptionalLabel = None
    stream: Annotated[StrictBool, Field(description="As Accept: text/event-stream")] = False

    def to_request(self) -> ExplanationRequest:
        return ExplanationRequest(**self.model_dump(exclude={"stream"}))


class CitedPassage(BaseModel):
    """A passage that the explanation rests on."""

    model_config = ConfigDict(json_schema_extra={"example": _PASSAGE})

    template_id: str
    title: str
    text: str
    score: float


class SearchState(BaseModel):
    """How the passages were found; mode is null when the search was not to be had."""

    mode: Mode | None
    degraded: bool


class PassagesEvent(BaseModel):
    """The first event of a stream."""

    passages: list[CitedPassage]
    search: SearchState

    @classmethod
    def of(cls, findings: Findings) -> Self:
        return cls(
            passages=[
                CitedPassage(
                    template_id=passage.template_id,
                    title=passage.title,
                    text=passage.text,
                    score=passage.score,
                )
                for passage in findings.passages
            ],
            search=SearchState(mode=findings.mode, degraded=findings.degraded),
        )


class TokenUsage(BaseModel):
    """Tokens charged by the language model."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ExplanationResponse(PassagesEvent):
    """The explanation in Russian, plain text, blank lines between paragraphs."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "explanation": "В слове «водяной» корень «вод». Безударную гласную проверяют "
                "ударением: вода — во́ды, поэтому пишется «о».",
                "source": "llm",
                "degraded": False,
                "truncated": False,
                "passages": [_PASSAGE],
                "search": {"mode": "hybrid", "degraded": False},
                "model": "yandexgpt-lite",
                "model_version": "23.10.2024",
                "usage": {"prompt_tokens": 412, "completion_tokens": 58, "total_tokens": 470},
                "timings_ms": {"search": 6.4, "phrase": 840.2, "total": 846.6},
            }
        }
    )

    explanation: str
    source: Annotated[
        Source,
        Field(
            description="llm: a language model, now; cache: the model, before; stale-cache: the "
            "model, long before or asked otherwise, since it gives none now; rules: composed from "
            "the passages"
        ),
    ]
    degraded: Annotated[bool, Field(description="Something that was expected had to be left out")]
    truncated: Annotated[
        bool, Field(description="The language model's text breaks off at an ellipsis")
    ] = False
    model: str | None
    model_version: str | None
    usage: TokenUsage | None
    timings_ms: dict[str, float]

    @classmethod
    def of_explanation(cls, explanation: Explanation) -> Self:
        found = PassagesEvent.of(explanation.findings)
        usage = explanation.usage
        return cls(
            explanation=explanation.text,
            source=explanation.source,
            degraded=explanation.degraded,
            truncated=explanation.truncated,
            passages=found.passages,
            search=found.search,
            model=explanation.model,
            model_version=explanation.model_version,
            usage=None
            if usage is None
            else TokenUsage(
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
                total_tokens=usage.prompt_tokens + usage.completion_tokens,
            ),
            timings_ms=explanation.timings_ms,
        )
