"""The service's outcomes are counted."""

from __future__ import annotations

import pytest

from explanation_service.explanations.findings import FindingsService
from explanation_service.explanations.language_model import DisabledLanguageModel
from explanation_service.explanations.records import (
    Delta,
    Explanation,
    ExplanationRequest,
    Findings,
)
from explanation_service.explanations.service import ExplanationService
from explanation_service.retrieval.search import SearchResult
from explanation_service.stores.errors import StoreUnavailable
from explanation_service.telemetry.metrics import REGISTRY


class Search:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    async def search(self, query, limit, filters):
        if self.error:
            raise self.error
        return SearchResult([], "lexical", False, {})


def service(error: Exception | None = None) -> ExplanationService:
    return ExplanationService(
        FindingsService(Search(error), templates=None),
        DisabledLanguageModel(),
        system_prompt="",
        model_timeout_seconds=1,
    )


def counted(outcome: str) -> float:
    labels = {"outcome": outcome}
    return REGISTRY.get_sample_value("explain_explanations_total", labels) or 0


async def test_a_stream_begins_with_findings_and_ends_with_the_explanation():
    before = counted("rules")
    parts = [part async for part in service().stream(ExplanationRequest("?"))]
    assert isinstance(parts[0], Findings)
    assert all(isinstance(part, Delta) for part in parts[1:-1])
    assert isinstance(parts[-1], Explanation)
    assert "".join(part.text for part in parts[1:-1]) == parts[-1].text
    assert counted("rules") == before + 1


async def test_errors_are_counted():
    before = counted("error")
    with pytest.raises(StoreUnavailable):
        await service(StoreUnavailable("qdrant", "gone")).explain(ExplanationRequest("?"))
    assert counted("error") == before + 1
