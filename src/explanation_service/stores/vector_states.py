"""What the index holds of templates, told from their points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from explanation_service.stores.qdrant_rest import QdrantRest
from explanation_service.stores.records import IndexedState
from explanation_service.stores.vector_layout import point_id
from explanation_service.stores.vector_pages import Point, pages

STATE_FIELDS = ("template_id", "chunk_index", "version", "content_hash", "chunks_total")


async def read_states(
    rest: QdrantRest, collection: str, template_ids: Sequence[str]
) -> dict[str, IndexedState]:
    """What a collection holds of these templates; those it does not know are left out. Errors as
    in `pages`."""
    if not template_ids:
        return {}
    wanted = list(dict.fromkeys(template_ids))
    condition = {"must": [{"key": "template_id", "match": {"any": wanted}}]}
    tallies: dict[str, _Tally] = {}
    async for page in pages(rest, collection, STATE_FIELDS, condition):
        _count(page, tallies)
    return _states(tallies)


def to_states(points: Iterable[Point]) -> dict[str, IndexedState]:
    """What these points say of their templates, by template id."""
    tallies: dict[str, _Tally] = {}
    _count(points, tallies)
    return _states(tallies)


def _count(points: Iterable[Point], tallies: dict[str, _Tally]) -> None:
    for point in points:
        template_id = str(point.payload.get("template_id"))
        tallies.setdefault(template_id, _Tally(template_id)).add(point)


def _states(tallies: Mapping[str, _Tally]) -> dict[str, IndexedState]:
    return {template_id: tally.state() for template_id, tally in tallies.items()}


class _Tally:
    """Counts the points of one template; payloads are not kept.

    A point that lacks a field, or lies under another id than its chunk's, is no chunk: it makes the
    template inexact, and incomplete where the chunk is missing because of it.
    """

    def __init__(self, template_id: str) -> None:
        self._template_id = template_id
        # The numbers of the chunks, by what they say of the whole: content hash, number of chunks.
        self._chunks: dict[tuple[str, int], set[int]] = {}
        self._first: tuple[str, int] | None = None
        self._versions: set[int] = set()
        self._points = 0

    def add(self, point: Point) -> None:
        self._points += 1
        index, version, content_hash, total = (point.payload.get(one) for one in STATE_FIELDS[1:])
        if not isinstance(version, int):
            return
        self._versions.add(version)
        if not (
            isinstance(index, int) and isinstance(total, int) and isinstance(content_hash, str)
        ):
            return
        if point.id == point_id(self._template_id, index):
            self._chunks.setdefault((content_hash, total), set()).add(index)
            if index == 0:
                self._first = content_hash, total

    def state(self) -> IndexedState:
        version = max(self._versions, default=0)
        if self._first is None:
            return IndexedState(version, "", 0, complete=False, exact=False)
        content_hash, total = self._first
        complete = sum(0 <= index < total for index in self._chunks[self._first]) == total
        exact = complete and len(self._versions) == 1 and self._points == total
        return IndexedState(version, content_hash, total, complete, exact)
