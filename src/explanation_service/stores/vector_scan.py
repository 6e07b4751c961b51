"""Reads the whole index page by page: what it holds of templates, and of which templates."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from explanation_service.settings import Settings
from explanation_service.stores.collection_names import is_of_model
from explanation_service.stores.errors import CollectionMissing
from explanation_service.stores.qdrant_rest import connect_qdrant_rest, reading_answer
from explanation_service.stores.records import IndexedPassages, IndexedState
from explanation_service.stores.vector_search import VectorSearch

# Points a request; without vectors and texts about 150 bytes each.
POINTS_PER_PAGE = 1000
# Seconds. Nobody waits for a page, and a busy Qdrant may take longer than a search could wait.
PAGE_TIMEOUT = 30.0
_STATE_FIELDS = ("template_id", "version", "content_hash", "chunks_total")


class VectorScan(VectorSearch):
    """For comparisons of the whole index with the rule book; errors as in VectorSearch."""

    def for_collection(self, name: str) -> VectorScan:
        """One collection by its own name, whatever the alias points at; it shares our client, so
        only one of both is closed."""
        return VectorScan(self._rest, name)

    async def holds_model(self, revision: str) -> bool:
        """Whether the collection behind the alias was made by this revision of the model."""
        collection = await self.collection_name()
        return collection is not None and is_of_model(self.alias, collection, revision)

    async def passages_of(self, template_ids: Sequence[str]) -> dict[str, IndexedPassages]:
        """What the index holds of these templates, read from all their passages; templates without
        a passage are left out."""
        if not template_ids:
            return {}
        condition = {"must": [{"key": "template_id", "match": {"any": list(template_ids)}}]}
        tallies: dict[str, _Tally] = {}
        async for page in self._pages((*_STATE_FIELDS, "chunk_index"), condition):
            for payload in page:
                tallies.setdefault(str(payload.get("template_id")), _Tally()).add(payload)
        return {template_id: tally.result() for template_id, tally in tallies.items()}

    async def template_ids(self) -> AsyncIterator[tuple[set[str], int]]:
        """Page by page: the ids of the templates that have passages there, and how many passages.

        An id comes as often as its passages lie on different pages. Passages without an id are
        nobody's and are left out.
        """
        async for page in self._pages(("template_id",)):
            ids = {payload.get("template_id") for payload in page}
            yield {one for one in ids if isinstance(one, str)}, len(page)

    async def _pages(
        self, fields: Sequence[str], condition: dict[str, Any] | None = None
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """The payloads in the order of their points' ids; none where there is no collection."""
        body: dict[str, Any] = {"limit": POINTS_PER_PAGE, "with_payload": list(fields)}
        if condition is not None:
            body["filter"] = condition
        while True:
            path = f"/collections/{self.alias}/points/scroll"
            try:
                result = await self._rest.post(path, body, self.alias, PAGE_TIMEOUT)
            except CollectionMissing:
                return
            with reading_answer():
                page = [point.get("payload") or {} for point in result["points"]]
                following = result.get("next_page_offset")
            yield page
            if following is None:
                return
            body["offset"] = following


class _Tally:
    """Counts the passages of one template; of a long one it keeps no more than of a short one."""

    def __init__(self) -> None:
        self._first: dict[str, Any] | None = None
        self._count = 0
        self._highest = -1
        self._marks: set[tuple[Any, ...]] = set()

    def add(self, payload: dict[str, Any]) -> None:
        index = payload.get("chunk_index")
        self._count += 1
        if not isinstance(index, int):
            self._marks |= {(), ("no number",)}
            return
        self._highest = max(self._highest, index)
        if index == 0:
            self._first = payload
        if len(self._marks) < 2:
            self._marks.add(tuple(payload.get(name) for name in _STATE_FIELDS))

    def result(self) -> IndexedPassages:
        state = None if self._first is None else _state(self._first)
        # The ids of points are made from the indexes, so that none occurs twice.
        whole = (
            state is not None
            and len(self._marks) == 1
            and self._count == state.chunks == self._highest + 1
        )
        return IndexedPassages(state, self._count, whole)


def _state(payload: dict[str, Any]) -> IndexedState | None:
    """None for a point in the first one's place that is none of ours."""
    try:
        return IndexedState(
            version=int(payload["version"]),
            content_hash=str(payload["content_hash"]),
            chunks=int(payload["chunks_total"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def connect_vector_scan(settings: Settings) -> VectorScan:
    """The index of these settings; raises SettingsError for an address that cannot be read."""
    return VectorScan(connect_qdrant_rest(settings), settings.qdrant_collection)
