"""Reads the whole index page by page: what it holds of templates, and of which templates."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from qdrant_client import AsyncQdrantClient, models

from explanation_service.stores import vector_points as points_of
from explanation_service.stores.errors import CollectionMissing
from explanation_service.stores.qdrant import translated_errors
from explanation_service.stores.records import IndexedPassages

# Points a request; without vectors and texts about 150 bytes each.
POINTS_PER_PAGE = 1000


async def passages_of(
    client: AsyncQdrantClient, alias: str, template_ids: Sequence[str]
) -> dict[str, IndexedPassages]:
    """What the index holds of these templates; those without a passage are left out."""
    if not template_ids:
        return {}
    condition = points_of.of_templates(template_ids)
    fields = [*points_of.STATE_FIELDS, "chunk_index"]
    tallies: dict[str, _Tally] = {}
    async for page in _pages(client, alias, condition, fields):
        for payload in page:
            tallies.setdefault(payload["template_id"], _Tally()).add(payload)
    return {template_id: tally.result() for template_id, tally in tallies.items()}


async def template_ids(
    client: AsyncQdrantClient, alias: str
) -> AsyncIterator[tuple[set[str], int]]:
    """Page by page: the ids of the templates that have passages there, and how many passages.

    An id comes as often as its passages lie on different pages. Passages without an id are nobody's
    and are left out.
    """
    async for page in _pages(client, alias, None, ["template_id"]):
        ids = {payload.get("template_id") for payload in page}
        yield {one for one in ids if isinstance(one, str)}, len(page)


async def _pages(
    client: AsyncQdrantClient, alias: str, condition: models.Filter | None, fields: list[str]
) -> AsyncIterator[list[dict[str, Any]]]:
    """The payloads in the order of their points' ids; none where there is no collection."""
    offset: Any = None
    while True:
        try:
            with translated_errors(alias):
                records, offset = await client.scroll(
                    alias,
                    scroll_filter=condition,
                    limit=POINTS_PER_PAGE,
                    offset=offset,
                    with_payload=fields,
                    with_vectors=False,
                )
        except CollectionMissing:
            return
        yield [record.payload or {} for record in records]
        if offset is None:
            return


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
            self._marks.add(tuple(payload.get(name) for name in points_of.STATE_FIELDS))

    def result(self) -> IndexedPassages:
        try:
            state = None if self._first is None else points_of.to_state(self._first)
        except (KeyError, ValueError, TypeError):
            state = None
        # The ids of points are made from the indexes, so that none occurs twice.
        whole = (
            state is not None
            and len(self._marks) == 1
            and self._count == state.chunks == self._highest + 1
        )
        return IndexedPassages(state, self._count, whole)
