"""Whether a collection holds what MongoDB holds: versions, content hashes, chunks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from explanation_service.indexing.patience import Patience
from explanation_service.indexing.plan import is_searchable
from explanation_service.reconciliation.content_hash import content_hash
from explanation_service.stores.mongodb import StoredTemplate, TemplateRepository
from explanation_service.stores.records import IndexedState
from explanation_service.stores.vector_index import VectorIndex
from explanation_service.stores.vector_scan import VectorScan

PAGE = 256


@dataclass
class Comparison:
    """What was found: documents looked at, templates that ought to be searchable, the chunks of
    those that are as they ought to be, and the ids of those that are not."""

    documents: int = 0
    searchable: int = 0
    chunks: int = 0
    differing: list[str] = field(default_factory=list)


class Verification:
    """Compares one collection, that of `index` and `scan`, with MongoDB. Waits while a store is
    away, but for the pass over the points, which raises StoreUnavailable."""

    def __init__(
        self,
        repository: TemplateRepository,
        index: VectorIndex,
        scan: VectorScan,
        revision: str,
        patience: Patience,
    ) -> None:
        self._repository = repository
        self._index = index
        self._scan = scan
        self._revision = revision
        self._patience = patience

    async def compare_all(self) -> Comparison:
        """Every document of MongoDB, a page at a time."""
        result = Comparison()
        async for page in pages(self._repository, self._patience):
            await self._compare(page, result)
        return result

    async def compare(self, template_ids: Sequence[str]) -> list[str]:
        """Those of these templates that are not as they ought to be."""
        result = Comparison()
        for start in range(0, len(template_ids), PAGE):
            ids = template_ids[start : start + PAGE]
            stored = await self._stored(ids)
            known = [stored.get(one) or StoredTemplate(one, None, 1, True) for one in ids]
            await self._compare(known, result)
        return result.differing

    async def surplus(self) -> list[str]:
        """Ids of templates that have chunks and ought to have none: of documents that are no more,
        or of what no page of documents showed. A pass over all points."""
        found: dict[str, None] = {}
        async for ids, _ in self._scan.template_ids():
            stored = await self._stored(sorted(ids))
            found |= dict.fromkeys(one for one in ids if not is_searchable(stored.get(one)))
        return [*found]

    async def count(self) -> int:
        """The chunks in the collection."""
        return await self._patience.through(self._index.count)

    async def _compare(self, page: Sequence[StoredTemplate], result: Comparison) -> None:
        states = await self._states([stored.id for stored in page])
        for stored in page:
            state = states.get(stored.id)
            result.documents += 1
            result.searchable += is_searchable(stored)
            if not self._is_right(stored, state):
                result.differing.append(stored.id)
            elif state is not None:
                result.chunks += state.chunks

    def _is_right(self, stored: StoredTemplate, state: IndexedState | None) -> bool:
        if stored.template is None or not is_searchable(stored):
            return state is None
        return (
            state is not None
            and state.exact
            and state.version == stored.version
            and state.content_hash == content_hash(stored.template, self._revision)
        )

    async def _stored(self, ids: Sequence[str]) -> dict[str, StoredTemplate]:
        return await self._patience.through(lambda: self._repository.get_many(ids))

    async def _states(self, ids: Sequence[str]) -> dict[str, IndexedState]:
        return await self._patience.through(lambda: self._index.indexed_state(ids))


async def pages(
    repository: TemplateRepository, patience: Patience, after: str = "", size: int = PAGE
) -> AsyncIterator[Sequence[StoredTemplate]]:
    """All documents by id, tombstones included, with ids above `after`."""
    while True:
        page = await _page(repository, patience, after, size)
        if page:
            yield page
        if len(page) < size:
            return
        after = page[-1].id


async def _page(
    repository: TemplateRepository, patience: Patience, after: str, size: int
) -> Sequence[StoredTemplate]:
    return await patience.through(lambda: repository.stored_page(after, size))
