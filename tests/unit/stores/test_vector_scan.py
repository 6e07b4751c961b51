from __future__ import annotations

from typing import Any

import pytest

from explanation_service.stores import vector_scan
from explanation_service.stores.records import IndexedPassages, IndexedState
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
        page = [{"id": at, "payload": one} for at, one in enumerate(self._payloads[start:stop])]
        return {"points": page, "next_page_offset": stop if stop < len(self._payloads) else None}


def scan(rest: Any) -> VectorScan:
    return VectorScan(rest, "a")


def chunk(index: int, total: int = 3, template_id: str = "x", **fields: Any) -> dict[str, Any]:
    return {
        "template_id": template_id,
        "chunk_index": index,
        "chunks_total": total,
        "version": 2,
        "content_hash": "h",
        **fields,
    }


async def tally(*payloads: dict[str, Any]) -> IndexedPassages:
    return (await scan(Rest([*payloads])).passages_of(["x"]))["x"]


async def test_a_template_that_is_whole() -> None:
    assert await tally(chunk(2), chunk(0), chunk(1)) == IndexedPassages(
        IndexedState(2, "h", 3), 3, True
    )


@pytest.mark.parametrize(
    "payloads",
    [
        (chunk(0), chunk(1)),
        (chunk(0), chunk(1), chunk(3)),
        (chunk(0), chunk(1), chunk(2), chunk(3)),
        (chunk(0), chunk(1), chunk(2, content_hash="old")),
        (chunk(0), chunk(1), chunk(2, version=1)),
        (chunk(0), chunk(1), chunk(2, total=4)),
        (chunk(0), chunk(1), {"template_id": "x"}),
        (chunk(0, total=1), chunk(-1, total=1)),
    ],
)
async def test_a_template_that_is_not_whole(payloads: Any) -> None:
    found = await tally(*payloads)
    assert not found.whole and found.first is not None and found.count == len(payloads)


async def test_a_template_without_its_first_chunk() -> None:
    assert await tally(chunk(1), chunk(2)) == IndexedPassages(None, 2, False)
    # Somebody else's point in its place says nothing that could be used.
    assert (await tally({"template_id": "x", "chunk_index": 0})).first is None


async def test_ids_come_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_scan, "POINTS_PER_PAGE", 2)
    rows = [chunk(0), chunk(1), chunk(2), chunk(0, template_id="y"), {}]
    rest = Rest(rows)
    pages = [page async for page in scan(rest).template_ids()]
    assert pages == [({"x"}, 2), ({"x", "y"}, 2), (set(), 1)]
    assert rest.limits == {2}
