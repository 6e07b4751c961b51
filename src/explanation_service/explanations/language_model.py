"""The seam to a language model, and the one that there is while none can be asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from explanation_service.explanations.records import Usage
from explanation_service.settings import Settings
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is told: its task, and the question with the passages."""

    system: str
    user: str


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model answered; `truncated` when it ran out of tokens."""

    text: str
    model: str
    version: str
    usage: Usage
    truncated: bool = False


class LanguageModelUnavailable(Exception):
    """There is no answer to be had in time; `reason` is a word for logs and metrics."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the language model gave no answer: {reason}")
        self.reason = reason


class LanguageModel(Protocol):
    """Phrases an explanation."""

    @property
    def expected(self) -> bool:
        """Whether an explanation without this model counts as degraded."""

    async def complete(self, prompt: Prompt, deadline: float) -> Completion:
        """The model's answer, before `deadline` (of `time.monotonic()`).

        Raises LanguageModelUnavailable for whatever goes wrong, a refusal included.
        """


class DisabledLanguageModel:
    """Never answers; `expected` when the operator asked for a model that is not there."""

    def __init__(self, *, expected: bool = False) -> None:
        self._expected = expected

    @property
    def expected(self) -> bool:
        return self._expected

    async def complete(self, prompt: Prompt, deadline: float) -> Completion:
        raise LanguageModelUnavailable("disabled")


def create_language_model(settings: Settings) -> LanguageModel:
    """The language model of these settings."""
    if settings.yandexgpt_configured:
        log.info("language model: not available in this build")
    return DisabledLanguageModel(expected=settings.yandexgpt_configured)
