"""Finds what an explanation rests on: the template that was named, and the passages near it."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Protocol, TypeVar

from explanation_service.content.template import Template
from explanation_service.explanations.records import ExplanationRequest, Findings
from explanation_service.explanations.sentences import first_sentences
from explanation_service.retrieval.search import SearchResult
from explanation_service.stores.errors import StoreUnavailable
from explanation_service.stores.records import Passage, SearchFilters
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

T = TypeVar("T")

# The best one is explained, the others give a model context and a reader further reading.
PASSAGES = 4
# Characters of a template that was named, about as long as the passages of the index.
PASSAGE_LENGTH = 1200
# Characters of a template's beginning, where it states its rule: what a passage from further down
# only gives examples of.
OPENING_LENGTH = 400
# Seconds to learn whether the rules that were found are still the same, which takes MongoDB about
# a millisecond; without an answer the index is believed.
_CHECK_SECONDS = 0.2


class Search(Protocol):
    """The part of SearchService that is needed here."""

    async def search(self, query: str, limit: int, filters: SearchFilters) -> SearchResult: ...


class Templates(Protocol):
    """The part of RuleBook that is needed here."""

    async def get(self, template_id: str) -> Template: ...

    async def current(self, template_ids: Sequence[str]) -> Mapping[str, Template | None]: ...


class FindingsService:
    """Raises StoreUnavailable when nothing can be found because a store is away or too slow."""

    def __init__(self, search: Search, templates: Templates) -> None:
        self._search = search
        self._templates = templates

    async def find(self, request: ExplanationRequest, deadline: float) -> Findings:
        """The passages for a request, by `deadline` (of `time.monotonic()`); raises
        TemplateNotFound for a template_id of nothing."""
        # Side by side, so that the one that hangs does not take the other's time.
        searching = asyncio.create_task(self._found(request, deadline))
        try:
            named, named_lost = await self._named(request.template_id, deadline)
            found = await searching
        finally:
            searching.cancel()
            await asyncio.gather(searching, return_exceptions=True)
        if isinstance(found, StoreUnavailable):
            if named is None:
                raise found
            log.warning("explained without a search", why=str(found))
            return Findings((named,), None, True)
        hits = await self._as_they_are_now(found.hits, deadline)
        if named is not None:
            # The indexed passage of the named template is the part of it that fits the question.
            own = [hit for hit in hits if hit.template_id == named.template_id]
            rest = [hit for hit in hits if hit.template_id != named.template_id]
            hits = [own[0] if own else named, *rest]
        return Findings(tuple(hits[:PASSAGES]), found.mode, found.degraded or named_lost)

    async def _named(self, template_id: str | None, deadline: float) -> tuple[Passage | None, bool]:
        """The template as a passage, and whether it was asked for but could not be read."""
        if template_id is None:
            return None, False
        try:
            template = await _by(deadline, "mongodb", self._templates.get(template_id))
        except StoreUnavailable as error:
            # The search very likely finds it by the question; better than no explanation.
            log.warning("explained without the template named", why=str(error))
            return None, True
        return _as_passage(template), False

    async def _found(
        self, request: ExplanationRequest, deadline: float
    ) -> SearchResult | StoreUnavailable:
        try:
            return await _by(deadline, "qdrant", self._searched(request))
        except StoreUnavailable as error:
            return error

    async def _searched(self, request: ExplanationRequest) -> SearchResult:
        filters = SearchFilters(topic=request.topic, exam=request.exam)
        result = await self._search.search(request.question, PASSAGES, filters)
        if result.hits or filters == SearchFilters():
            return result
        # The platform's names of topics need not be the editors' names.
        return await self._search.search(request.question, PASSAGES, SearchFilters())

    async def _as_they_are_now(self, hits: Sequence[Passage], deadline: float) -> list[Passage]:
        """The hits without rules that were deleted or withdrawn since they were indexed, and with
        the text of those that were edited: a worker may be behind, or there may be none."""
        if not hits:
            return []
        ids = list(dict.fromkeys(hit.template_id for hit in hits))
        until = min(deadline, time.monotonic() + _CHECK_SECONDS)
        try:
            current = await _by(until, "mongodb", self._templates.current(ids))
        except StoreUnavailable as error:
            log.info("explained from the index alone", why=str(error))
            return list(hits)
        kept = []
        for hit in hits:
            if hit.template_id not in current:
                # MongoDB has never heard of it: it was indexed by other means, and stays.
                kept.append(hit)
                continue
            template = current[hit.template_id]
            if template is not None and template.version == hit.version:
                kept.append(_with_opening(hit, template))
            elif template is not None:
                kept.append(dataclasses.replace(_as_passage(template), score=hit.score))
        return kept


async def _by(deadline: float, store: str, work: Awaitable[T]) -> T:
    """Raises StoreUnavailable when the time is up."""
    try:
        async with asyncio.timeout(deadline - time.monotonic()) as limit:
            return await work
    except TimeoutError:
        if not limit.expired():
            raise
        raise StoreUnavailable(store, "no answer in time") from None


def _with_opening(hit: Passage, template: Template) -> Passage:
    """The passage with the beginning of its template before it, unless it is the beginning."""
    if hit.chunk_index == 0:
        return hit
    opening = first_sentences(template.body, OPENING_LENGTH)
    if opening in hit.text:
        return hit
    return dataclasses.replace(hit, text=f"{opening}\n\n{hit.text}")


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
