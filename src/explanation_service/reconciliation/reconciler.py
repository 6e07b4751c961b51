"""Compares the whole rule book with the whole index and makes events for what differs.

The two are read page by page in turn, so that memory stays the same however many there are. The
workers do the writing; nothing here touches a passage.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Iterable, Sequence

from explanation_service.reconciliation.content_hash import content_hash
from explanation_service.reconciliation.findings import Finding, compare, orphan
from explanation_service.reconciliation.report import Report
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.mongodb import StoredTemplate, TemplateRepository
from explanation_service.stores.records import IndexedState
from explanation_service.stores.vector_scan import VectorScan

# Documents a page; at most 100,000 characters each, 2,000 as a rule.
PAGE = 200
# Ids of orphans that are remembered, because the passages of one lie on several pages.
_MOST_REMEMBERED = 10_000
# Seconds; a page with a second look in it was not busy for all of its time.
_LONGEST_REST = 1.0


async def a_second() -> None:
    """As long as an edit takes to become searchable where nothing queues."""
    await asyncio.sleep(1.0)


class Reconciler:
    """`revision` is that of the model which the workers have; it counts only if the collection in
    use was made by it.

    `settle` returns when it is time for a second look, for what is under way now is no difference;
    None: there is no second look.
    `share` is the part of the time in which the stores are busy with us, above 0 and up to 1.
    `set_aside` tells ids and versions of templates that are found, and not repaired: workers have
    failed with them often enough.
    """

    def __init__(
        self,
        repository: TemplateRepository,
        index: VectorScan,
        stream: EventStream,
        revision: str | None,
        settle: Callable[[], Awaitable[object]] | None = a_second,
        share: float = 1.0,
        set_aside: Callable[[], Awaitable[Container[tuple[str, int]]]] | None = None,
    ) -> None:
        self._repository = repository
        self._index = index
        self._stream = stream
        self._model = revision
        self._settle = settle
        self._share = share
        self._set_aside = set_aside
        self._revision: str | None = None

    async def run(
        self, repair: bool, advance: Callable[[int], None] = lambda _count: None
    ) -> Report:
        """Compare; with `repair`, put an event into the stream for whatever differs.

        `advance` is told how many templates or passages were read. Raises StoreUnavailable; events
        that are in the stream by then do no harm.
        """
        started = time.monotonic()
        known = self._model is not None and await self._index.holds_model(self._model)
        self._revision = self._model if known else None
        report = Report(by_content=known)
        async for findings in self._differences(report, advance):
            for finding in findings:
                report.note(finding)
            if repair and findings:
                report.events += await self._repair(findings)
        report.seconds = time.monotonic() - started
        return report

    async def _repair(self, findings: Sequence[Finding]) -> int:
        events = [event for finding in findings if (event := finding.event()) is not None]
        if events and self._set_aside is not None:
            # Asked for each page: what was failing before the second look may be aside by now.
            hopeless = await self._set_aside()
            events = [one for one in events if (one.entity_id, one.version) not in hopeless]
        if events:
            await self._stream.append_many(events)
        return len(events)

    async def _differences(
        self, report: Report, advance: Callable[[int], None]
    ) -> AsyncIterator[Sequence[Finding]]:
        """Templates against passages, then passages whose template has no document."""
        page_began = time.monotonic()
        async for page in self._templates():
            report.templates += sum(not stored.deleted for stored in page)
            report.invalid += sum(stored.fault is not None for stored in page)
            yield await self._differing(page)
            advance(len(page))
            page_began = await self._rest(page_began)
        remembered: set[str] = set()
        async for ids, passages in self._index.template_ids():
            report.passages += passages
            orphans = await self._without_document(ids - remembered)
            if len(remembered) > _MOST_REMEMBERED:
                remembered.clear()
            remembered |= orphans
            yield [orphan(template_id) for template_id in sorted(orphans)]
            advance(passages)
            page_began = await self._rest(page_began)

    async def _templates(self) -> AsyncIterator[list[StoredTemplate]]:
        page: list[StoredTemplate] = []
        async for stored in self._repository.iterate_all(PAGE):
            page.append(stored)
            if len(page) == PAGE:
                yield page
                page = []
        if page:
            yield page

    async def _differing(self, page: Sequence[StoredTemplate]) -> list[Finding]:
        states = await self._index.indexed_state([stored.id for stored in page])
        findings = await asyncio.to_thread(self._compare, page, states)
        if not findings or self._settle is None:
            return findings
        await self._settle()
        ids = [finding.template_id for finding in findings]
        again = await self._repository.get_many(ids)
        states = await self._index.indexed_state(ids)
        return await asyncio.to_thread(self._compare, again.values(), states)

    def _compare(
        self, page: Iterable[StoredTemplate], states: dict[str, IndexedState]
    ) -> list[Finding]:
        # In a thread: a page of long texts takes 0.1 s to hash, and queries must not wait for it.
        found = (compare(one, states.get(one.id), self._wanted_hash(one)) for one in page)
        return [finding for finding in found if finding is not None]

    def _wanted_hash(self, stored: StoredTemplate) -> str | None:
        if stored.template is None or self._revision is None:
            return None
        return content_hash(stored.template, self._revision)

    async def _without_document(self, ids: set[str]) -> set[str]:
        orphans = ids - await self._repository.existing_ids(sorted(ids))
        if not orphans or self._settle is None:
            return orphans
        await self._settle()
        still_there = set(await self._index.indexed_state(sorted(orphans)))
        return still_there - await self._repository.existing_ids(sorted(still_there))

    async def _rest(self, page_began: float) -> float:
        """Leave the stores to the others for a while; when the next page begins."""
        if self._share < 1:
            busy = time.monotonic() - page_began
            await asyncio.sleep(min(_LONGEST_REST, busy * (1 / self._share - 1)))
        return time.monotonic()
