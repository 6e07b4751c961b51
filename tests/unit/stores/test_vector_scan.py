from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from explanation_service.stores import vector_scan
from explanation_service.stores.records import IndexedPassages, IndexedState


class Client:
    """Qdrant's scroll over payloads in memory."""

    def __init__(self, payloads: list[dict[str, Any]]) -> None:
        self._payloads = payloads
        self.limits: list[int] = []

    async def scroll(self, _alias: str, *, limit: int, offset: Any, **_: Any) -> Any:
        self.limits.append(limit)
        start = offset or 0
        page = self._payloads[start : start + limit]
        following = start + limit if start + limit < len(self._payloads) else None
        return [SimpleNamespace(payload=payload) for payload in page], following


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
    client: Any = Client([*payloads])
    return (await vector_scan.passages_of(client, "a", ["x"]))["x"]


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
    client: Any = Client(rows)
    pages = [page async for page in vector_scan.template_ids(client, "a")]
    assert pages == [({"x"}, 2), ({"x", "y"}, 2), (set(), 1)]
    assert set(client.limits) == {2}
