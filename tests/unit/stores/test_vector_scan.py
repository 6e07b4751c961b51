from __future__ import annotations

from typing import Any

import pytest

from explanation_service.stores import vector_pages
from explanation_service.stores.errors import CollectionMissing
from explanation_service.stores.records import IndexedState
from explanation_service.stores.vector_layout import point_id
from explanation_service.stores.vector_scan import VectorScan


class Rest:
    """Qdrant's scroll over payloads in memory."""

    def __init__(self, payloads: list[dict[str, Any]]) -> None:
        self._payloads = payloads
        self.limits: set[int] = set()

    async def post(self, path: str, body: dict[str, Any], asked: str, _seconds: float) -> Any:
        assert path == f"/collections/{asked}/points/scroll"
        self.limits.add(body["limit"])
        start = body.get("offset") or 0
        stop = start + body["limit"]
        page = [{"id": _id(one), "payload": one} for one in self._payloads[start:stop]]
        return {"points": page, "next_page_offset": stop if stop < len(self._payloads) else None}


def _id(payload: dict[str, Any]) -> str | int:
    return point_id(payload["template_id"], payload["chunk_index"]) if payload else 7


def scan(rest: Any) -> VectorScan:
    return VectorScan(rest, "a")


def chunk(index: int, template_id: str = "x") -> dict[str, Any]:
    return {
        "template_id": template_id,
        "chunk_index": index,
        "chunks_total": 3,
        "version": 2,
        "content_hash": "h",
    }


async def test_the_chunks_of_a_template_may_lie_on_several_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vector_pages, "POINTS_PER_PAGE", 2)
    found = await scan(Rest([chunk(2), chunk(0), chunk(1)])).indexed_state(["x", "y"])
    assert found == {"x": IndexedState(2, "h", 3)}
    assert await scan(None).indexed_state([]) == {}


async def test_without_a_collection_there_is_nothing() -> None:
    class Nowhere:
        async def post(self, *_: Any) -> Any:
            raise CollectionMissing("a")

    assert await scan(Nowhere()).indexed_state(["x"]) == {}
    assert [page async for page in scan(Nowhere()).template_ids()] == []


async def test_ids_come_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_pages, "POINTS_PER_PAGE", 2)
    rows = [chunk(0), chunk(1), chunk(2), chunk(0, template_id="y"), {}]
    rest = Rest(rows)
    pages = [page async for page in scan(rest).template_ids()]
    assert pages == [({"x"}, 2), ({"x", "y"}, 2), (set(), 1)]
    assert rest.limits == {2}
