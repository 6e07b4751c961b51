"""Finds what an explanation rests on: the template that was named, and the passages near it."""

from __future__ import annotations

from typing import Protocol

from explanation_service.content.template import Template
from explanation_service.explanations.records import ExplanationRequest, Findings
from explanation_service.explanations.sentences import first_sentences
from explanation_service.retrieval.search import SearchResult
from explanation_service.stores.errors import StoreUnavailable
from explanation_service.stores.records import Passage, SearchFilters
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# The best one is explained, the others give a model context and a reader further reading.
PASSAGES = 4
# Characters of a template that was named, about as long as the passages of the index.
PASSAGE_LENGTH = 1200


class Search(Protocol):
    """The part of SearchService that is needed here."""

    async def search(self, query: str, limit: int, filters: SearchFilters) -> SearchResult: ...


class Templates(Protocol):
    """The part of RuleBook that is needed here."""

    async def get(self, template_id: str) -> Template: ...


class FindingsService:
    """Raises StoreUnavailable when nothing can be found because a store is away."""

    def __init__(self, search: Search, templates: Templates) -> None:
        self._search = search
        self._templates = templates

    async def find(self, request: ExplanationRequest) -> Findings:
        """The passages for a request; raises TemplateNotFound for a template_id of nothing."""
        named, named_lost = await self._named(request.template_id)
        try:
            result = await self._find(request)
        except StoreUnavailable as error:
            if named is None:
                raise
            log.warning("explained without a search", why=str(error))
            return Findings((named,), None, True)
        hits = tuple(result.hits)
        if named is not None:
            # The indexed passage of the named template is the part of it that fits the question.
            own = [hit for hit in hits if hit.template_id == named.template_id]
            rest = [hit for hit in hits if hit.template_id != named.template_id]
            hits = (own[0] if own else named, *rest)
        return Findings(hits[:PASSAGES], result.mode, result.degraded or named_lost)

    async def _named(self, template_id: str | None) -> tuple[Passage | None, bool]:
        """The template as a passage, and whether it was asked for but could not be read."""
        if template_id is None:
            return None, False
        try:
            template = await self._templates.get(template_id)
        except StoreUnavailable as error:
            # The search very likely finds it by the question; better than no explanation.
            log.warning("explained without the template named", why=str(error))
            return None, True
        return _as_passage(template), False

    async def _find(self, request: ExplanationRequest) -> SearchResult:
        filters = SearchFilters(topic=request.topic, exam=request.exam)
        result = await self._search.search(request.question, PASSAGES, filters)
        if result.hits or filters == SearchFilters():
            return result
        # The platform's names of topics need not be the editors' names.
        return await self._search.search(request.question, PASSAGES, SearchFilters())


def _as_passage(template: Template) -> Passage:
    return Passage(
        template_id=template.id,
        chunk_index=0,
        version=template.version,
        title=template.title,
        text=first_sentences(template.body, PASSAGE_LENGTH),
        topic=template.topic,
        exam=template.exam,
        tags=template.tags,
        score=1.0,
    )
