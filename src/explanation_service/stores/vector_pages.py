"""Reads the points of a collection page by page, over the REST interface."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

from explanation_service.stores.qdrant_rest import QdrantRest, reading_answer

# Points a request; without vectors and texts about 200 bytes each.
POINTS_PER_PAGE = 1000
# Seconds. Nobody waits for a page, and a busy Qdrant may take longer than a search could wait.
PAGE_TIMEOUT = 30.0


class Point(NamedTuple):
    """A point without its vectors."""

    id: str
    payload: Mapping[str, Any]


async def pages(
    rest: QdrantRest,
    collection: str,
    fields: Sequence[str],
    condition: Mapping[str, Any] | None = None,
) -> AsyncIterator[list[Point]]:
    """The points with these fields of their payloads, in the order of their ids. Raises
    StoreUnavailable, and CollectionMissing, one of its kind."""
    body: dict[str, Any] = {"limit": POINTS_PER_PAGE, "with_payload": list(fields)}
    if condition is not None:
        body["filter"] = condition
    while True:
        path = f"/collections/{collection}/points/scroll"
        result = await rest.post(path, body, collection, PAGE_TIMEOUT)
        with reading_answer():
            page = [Point(str(one["id"]), one.get("payload") or {}) for one in result["points"]]
            following = result.get("next_page_offset")
        yield page
        if following is None:
            return
        body["offset"] = following
