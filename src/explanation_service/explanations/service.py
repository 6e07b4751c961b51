"""Explains: find, phrase, and tell what came of it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from explanation_service.explanations.answer_chain import AnswerChain, Phrasing
from explanation_service.explanations.answer_memory import AnswerMemory, AnswerStore, NothingKept
from explanation_service.explanations.findings import FindingsService
from explanation_service.explanations.generations import Generations
from explanation_service.explanations.language_model import LanguageModel
from explanation_service.explanations.records import (
    Explanation,
    ExplanationRequest,
    Findings,
    StreamPart,
)
from explanation_service.telemetry.metrics import explain_explanations_total


class ExplanationService:
    """One per process; close it before Redis. Raises TemplateNotFound, and StoreUnavailable when
    nothing can be found.

    `model_timeout_seconds` is the time for a whole request, the search included. `kept` are the
    answers that all replicas share.
    """

    def __init__(
        self,
        findings: FindingsService,
        model: LanguageModel,
        *,
        system_prompt: str,
        model_timeout_seconds: float,
        background_seconds: float = 10.0,
        fresh_seconds: float = 86_400.0,
        kept: AnswerStore | None = None,
    ) -> None:
        self._findings = findings
        self._model = model
        self._budget = model_timeout_seconds
        memory = AnswerMemory(kept or NothingKept(), fresh_seconds)
        self._generations = Generations(model, memory, background_seconds)
        self._chain = AnswerChain(model, memory, self._generations, system_prompt)

    async def explain(self, request: ExplanationRequest, since: float | None = None) -> Explanation:
        """The whole explanation at once. `since`: when the request came in (`time.monotonic()`),
        where that was not just now."""
        async with aclosing(self._parts(request, since, streamed=False)) as parts:
            *_, explanation = [part async for part in parts]
        assert isinstance(explanation, Explanation)
        return explanation

    def stream(
        self, request: ExplanationRequest, since: float | None = None
    ) -> AsyncGenerator[StreamPart]:
        """Findings, then deltas whose texts add up to the explanation's, then the explanation.

        Close it to say that nobody listens any more.
        """
        return self._parts(request, since, streamed=True)

    async def close(self) -> None:
        """End what goes on in the background, and the model."""
        await self._generations.close()
        await self._model.close()

    async def _parts(
        self, request: ExplanationRequest, since: float | None, *, streamed: bool
    ) -> AsyncGenerator[StreamPart]:
        started = time.monotonic() if since is None else since
        deadline = started + self._budget
        try:
            findings = await self._findings.find(request, deadline)
            found = time.monotonic()
            yield findings
            phrasing = None
            phrase = self._chain.phrase(request, findings, deadline, streamed=streamed)
            async with aclosing(phrase) as parts:
                async for part in parts:
                    if isinstance(part, Phrasing):
                        phrasing = part
                    else:
                        yield part
            assert phrasing is not None
        except Exception:
            explain_explanations_total.labels("error").inc()
            raise
        explain_explanations_total.labels(phrasing.source).inc()
        yield _explanation(findings, phrasing, started, found)


def _explanation(
    findings: Findings, phrasing: Phrasing, started: float, found: float
) -> Explanation:
    ended = time.monotonic()
    return Explanation(
        text=phrasing.text,
        source=phrasing.source,
        degraded=findings.degraded or phrasing.degraded,
        findings=findings,
        model=phrasing.model,
        model_version=phrasing.model_version,
        usage=phrasing.usage,
        timings_ms={
            "search": _ms(found - started),
            "phrase": _ms(ended - found),
            "total": _ms(ended - started),
        },
        truncated=phrasing.truncated,
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
