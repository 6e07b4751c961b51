"""What an explanation is asked with and what it consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from explanation_service.stores.records import Passage

Source: TypeAlias = Literal["llm", "cache", "stale-cache", "rules"]


@dataclass(frozen=True, slots=True)
class ExplanationRequest:
    """The question of a task, and what is known about its answer; texts are not blank."""

    question: str
    student_answer: str | None = None
    correct_answer: str | None = None
    template_id: str | None = None
    topic: str | None = None
    exam: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens charged by the language model."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Findings:
    """The passages that an explanation rests on, best first, and how they were found.

    `mode` is the search's (hybrid, dense, lexical), None when there was none to be had and the
    template that the caller named had to do. `degraded` when a lane of the search, the search or
    the template that was named was not to be had.
    """

    passages: tuple[Passage, ...]
    mode: Literal["hybrid", "dense", "lexical"] | None
    degraded: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """An explanation in Russian; `degraded` when something that was expected had to be left out,
    `truncated` when the language model's text breaks off.

    `usage`: tokens charged for this very request. `timings_ms` has the keys search, phrase
    and total.
    """

    text: str
    source: Source
    degraded: bool
    findings: Findings
    model: str | None
    model_version: str | None
    usage: Usage | None
    timings_ms: dict[str, float]
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of the text of an explanation that is streamed."""

    text: str


StreamPart: TypeAlias = Findings | Delta | Explanation
