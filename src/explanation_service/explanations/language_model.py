"""The seam to a language model, and the one that there is while none can be asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from explanation_service.explanations.records import Usage


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is told: its task, and the question with the passages."""

    system: str
    user: str


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Moments of `time.monotonic()`: until when a call may wait for its turn, and when it ends."""

    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model answered; `truncated` when it ran out of tokens."""

    text: str
    model: str
    version: str
    usage: Usage
    truncated: bool = False


class LanguageModelUnavailable(Exception):
    """There is no answer to be had; `reason` is a word for logs and metrics.

    `lasting`: the same prompt would fail in the same way for a while, as a refusal does.
    """

    def __init__(self, reason: str, detail: str = "", *, lasting: bool = False) -> None:
        super().__init__(f"the language model gave no answer: {reason}")
        self.reason = reason
        self.detail = detail
        self.lasting = lasting


class LanguageModel(Protocol):
    """Phrases an explanation. Both calls raise LanguageModelUnavailable for whatever goes wrong, a
    refusal included, and end by the deadlines."""

    @property
    def expected(self) -> bool:
        """Whether an explanation without this model counts as degraded."""

    @property
    def name(self) -> str:
        """As the operator calls it."""

    @property
    def fingerprint(self) -> str:
        """Name and parameters: another one, and the same prompt gets another answer."""

    async def complete(self, prompt: Prompt, deadlines: Deadlines) -> Completion:
        """The whole answer."""

    async def stream(
        self, prompt: Prompt, deadlines: Deadlines, tell: Callable[[str], None]
    ) -> Completion:
        """The whole answer, after `tell` was called with one piece of it after the other."""

    async def close(self) -> None:
        """Close connections; called once, when nothing is asked any more."""


class DisabledLanguageModel:
    """Never answers; `expected` when the operator asked for a model that is not there."""

    name = fingerprint = "disabled"

    def __init__(self, *, expected: bool = False) -> None:
        self._expected = expected

    @property
    def expected(self) -> bool:
        return self._expected

    async def complete(self, prompt: Prompt, deadlines: Deadlines) -> Completion:
        raise LanguageModelUnavailable("disabled")

    async def stream(
        self, prompt: Prompt, deadlines: Deadlines, tell: Callable[[str], None]
    ) -> Completion:
        raise LanguageModelUnavailable("disabled")

    async def close(self) -> None:
        return
