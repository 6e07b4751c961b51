"""Explains: find, phrase, and fall back on the rules' own words."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator

from explanation_service.explanations.composer import compose
from explanation_service.explanations.findings import FindingsService
from explanation_service.explanations.language_model import (
    Completion,
    LanguageModel,
    LanguageModelUnavailable,
)
from explanation_service.explanations.prompt import build_prompt
from explanation_service.explanations.records import (
    Delta,
    Explanation,
    ExplanationRequest,
    Findings,
    StreamPart,
)
from explanation_service.explanations.sentences import split_pieces
from explanation_service.telemetry.logging import get_logger
from explanation_service.telemetry.metrics import explain_explanations_total

log = get_logger(__name__)


class ExplanationService:
    """One per process. Raises TemplateNotFound, and StoreUnavailable when nothing can be found."""

    def __init__(
        self,
        findings: FindingsService,
        model: LanguageModel,
        *,
        system_prompt: str,
        model_timeout_seconds: float,
    ) -> None:
        self._findings = findings
        self._model = model
        self._system_prompt = system_prompt
        self._model_timeout = model_timeout_seconds

    async def explain(self, request: ExplanationRequest) -> Explanation:
        """The whole explanation at once."""
        *_, explanation = [part async for part in self.stream(request)]
        assert isinstance(explanation, Explanation)
        return explanation

    async def stream(self, request: ExplanationRequest) -> AsyncGenerator[StreamPart]:
        """Findings, then deltas whose texts add up to the explanation's, then the explanation."""
        try:
            started = time.perf_counter()
            findings = await self._findings.find(request)
            found = time.perf_counter()
            yield findings
            completion = await self._complete(request, findings)
            text = completion.text if completion else compose(request, findings.passages)
            phrased = time.perf_counter()
        except Exception:
            explain_explanations_total.labels("error").inc()
            raise
        for piece in split_pieces(text):
            yield Delta(piece)
        explanation = Explanation(
            text=text,
            source="llm" if completion else "rules",
            degraded=findings.degraded or (completion is None and self._model.expected),
            findings=findings,
            model=completion.model if completion else None,
            model_version=completion.version if completion else None,
            usage=completion.usage if completion else None,
            timings_ms={
                "search": _ms(found - started),
                "phrase": _ms(phrased - found),
                "total": _ms(phrased - started),
            },
        )
        explain_explanations_total.labels(explanation.source).inc()
        yield explanation

    async def _complete(self, request: ExplanationRequest, findings: Findings) -> Completion | None:
        prompt = build_prompt(self._system_prompt, request, findings.passages)
        try:
            return await self._model.complete(prompt, time.monotonic() + self._model_timeout)
        except LanguageModelUnavailable as error:
            if self._model.expected:
                log.info("explained from the rules alone", why=error.reason)
            return None


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
