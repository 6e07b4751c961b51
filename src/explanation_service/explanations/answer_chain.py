"""Where the text comes from: a fresh kept answer, the model, a stale kept answer, the rules."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass

from explanation_service.explanations.answer_keys import answer_keys
from explanation_service.explanations.answer_memory import AnswerMemory, Remembered
from explanation_service.explanations.composer import compose, compose_rest
from explanation_service.explanations.generation import Generated
from explanation_service.explanations.generations import Generations
from explanation_service.explanations.language_model import LanguageModel, LanguageModelUnavailable
from explanation_service.explanations.prompt import build_prompt
from explanation_service.explanations.records import (
    Delta,
    ExplanationRequest,
    Findings,
    Source,
    Usage,
)
from explanation_service.explanations.sentences import split_pieces
from explanation_service.stores.explanation_answers import AnswerKeys, KeptAnswer
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# Seconds that the process takes to answer one request without the model: composing, JSON, HTTP. All
# who wait for a model that hangs would come to it at the same moment, and be late.
ANSWERING_SECONDS = 0.0015
# What a crowd may take from the model's time at most.
MOST_ANSWERING_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Phrasing:
    """The text of an explanation and where it comes from; `degraded` when the model was expected
    to give more, `truncated` when its text breaks off."""

    text: str
    source: Source
    degraded: bool = False
    model: str | None = None
    model_version: str | None = None
    usage: Usage | None = None
    truncated: bool = False


class AnswerChain:
    """One per process. Nothing that the model or Redis does makes it fail or miss a deadline."""

    def __init__(
        self,
        model: LanguageModel,
        memory: AnswerMemory,
        generations: Generations,
        system_prompt: str,
    ) -> None:
        self._model = model
        self._memory = memory
        self._generations = generations
        self._system_prompt = system_prompt
        self._waiting = 0

    async def phrase(
        self, request: ExplanationRequest, findings: Findings, deadline: float, *, streamed: bool
    ) -> AsyncGenerator[Delta | Phrasing]:
        """Deltas whose texts add up to the phrasing's, then the phrasing, at `deadline` (of
        `time.monotonic()`) at the latest.

        Closed before its end it cancels the model, unless others wait for the same answer.
        """
        if not self._model.expected:
            # Switched off, also for what the model said before.
            phrasing = Phrasing(compose(request, findings.passages), "rules")
            for part in _whole(phrasing):
                yield part
            return
        keys = answer_keys(request, findings.passages, self._system_prompt, self._model.fingerprint)
        prompt = build_prompt(self._system_prompt, request, findings.passages)
        remembered = await self._recall(keys, deadline)
        if remembered.fresh is not None:
            for part in _whole(_of_kept(remembered.fresh, "cache")):
                yield part
            return
        told = ""
        try:
            with self._waiting_until(deadline) as until:
                async with (
                    self._generations.joined(
                        keys, prompt, deadline, streamed=streamed
                    ) as generation,
                    aclosing(generation.follow(until)) as pieces,
                ):
                    async for piece in pieces:
                        told += piece
                        yield Delta(piece)
            phrasing = _of_generated(generation.result())
        except Exception as error:
            # A mistake in the model's client is no reason to fail; the generation reports it.
            log.info("explained without the language model", why=_why(error))
            phrasing = self._without_model(request, findings, told, remembered.stale)
        if phrasing.text != told:
            for piece in split_pieces(phrasing.text[len(told) :]):
                yield Delta(piece)
        yield phrasing

    @contextmanager
    def _waiting_until(self, deadline: float) -> Iterator[float]:
        """When to give up the model: the more wait already, the sooner, one after the other."""
        self._waiting += 1
        try:
            yield deadline - min(self._waiting * ANSWERING_SECONDS, MOST_ANSWERING_SECONDS)
        finally:
            self._waiting -= 1

    async def _recall(self, keys: AnswerKeys, deadline: float) -> Remembered:
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                return await self._memory.recall(keys)
        except TimeoutError:
            return Remembered()

    def _without_model(
        self, request: ExplanationRequest, findings: Findings, told: str, stale: KeptAnswer | None
    ) -> Phrasing:
        if told:
            # What a pupil has begun to read stays; the rules say the rest.
            rest = compose_rest(request, findings.passages)
            return Phrasing(told + rest, "llm", True, self._model.name, truncated=True)
        if stale is not None:
            return _of_kept(stale, "stale-cache")
        return Phrasing(compose(request, findings.passages), "rules", True)


def _whole(phrasing: Phrasing) -> list[Delta | Phrasing]:
    return [*(Delta(piece) for piece in split_pieces(phrasing.text)), phrasing]


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "budget"
    return error.reason if isinstance(error, LanguageModelUnavailable) else type(error).__name__


def _of_generated(generated: Generated) -> Phrasing:
    completion = generated.completion
    usage = completion.usage if generated.source == "llm" else None
    return Phrasing(
        completion.text,
        generated.source,
        False,
        completion.model,
        completion.version or None,
        usage,
        completion.truncated,
    )


def _of_kept(kept: KeptAnswer, source: Source) -> Phrasing:
    return Phrasing(
        kept.text,
        source,
        source == "stale-cache",
        kept.model,
        kept.model_version or None,
        None,
        kept.truncated,
    )
