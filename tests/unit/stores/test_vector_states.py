from __future__ import annotations

from typing import Any

import pytest

from explanation_service.stores.records import IndexedState
from explanation_service.stores.vector_layout import point_id
from explanation_service.stores.vector_pages import Point
from explanation_service.stores.vector_states import to_states


def chunk(index: int, total: int = 3, **fields: Any) -> Point:
    payload = {
        "template_id": "x",
        "chunk_index": index,
        "chunks_total": total,
        "version": 2,
        "content_hash": "h",
        **fields,
    }
    return Point(point_id("x", index), payload)


def without(field: str, point: Point) -> Point:
    return Point(point.id, {name: one for name, one in point.payload.items() if name != field})


def elsewhere(point: Point) -> Point:
    """The same under an id that is not its chunk's."""
    return Point("00000000-0000-0000-0000-000000000001", point.payload)


WHOLE = [chunk(0), chunk(1), chunk(2)]
FIELDS = ("chunk_index", "chunks_total", "version", "content_hash")


def state(*points: Point) -> IndexedState:
    return to_states(points)["x"]


def test_a_template_that_is_whole() -> None:
    assert state(*reversed(WHOLE)) == IndexedState(2, "h", 3, complete=True, exact=True)


@pytest.mark.parametrize(
    "points",
    [
        (chunk(0), chunk(1)),
        (chunk(0), chunk(1), chunk(3)),
        (chunk(0), chunk(1), chunk(2, content_hash="old")),
        (chunk(0), chunk(1), chunk(2, total=4)),
        (chunk(0), chunk(1), elsewhere(chunk(2))),
        *((chunk(0), chunk(1), without(field, chunk(2))) for field in FIELDS),
        (chunk(0), chunk(1), chunk(2, version="two")),
        (chunk(0, total=10**12),),
    ],
)
def test_a_template_with_a_chunk_missing(points: Any) -> None:
    found = state(*points)
    assert not found.complete and not found.exact
    assert (found.version, found.content_hash) == (2, "h")


@pytest.mark.parametrize(
    "stray",
    [
        chunk(3),
        chunk(-1),
        elsewhere(chunk(1)),
        elsewhere(chunk(0, content_hash="old")),
        *(without(field, chunk(3)) for field in FIELDS),
    ],
)
def test_a_template_with_a_point_too_many(stray: Point) -> None:
    assert state(*WHOLE, stray) == IndexedState(2, "h", 3, complete=True, exact=False)


def test_the_version_is_the_highest() -> None:
    old = [chunk(0), chunk(1), chunk(2, version=1)]
    assert state(*old) == IndexedState(2, "h", 3, complete=True, exact=False)
    assert state(*WHOLE, elsewhere(chunk(1, version=9))).version == 9


def test_a_template_without_its_first_chunk() -> None:
    lacking = IndexedState(2, "", 0, complete=False, exact=False)
    assert state(chunk(1), chunk(2)) == lacking
    assert state(elsewhere(chunk(0)), chunk(1), chunk(2)) == lacking
    assert state(without("chunks_total", chunk(0)), chunk(1), chunk(2)) == lacking


def test_a_point_that_says_nothing_but_whose_it_is() -> None:
    (found,) = to_states([Point("7", {"template_id": "x"})]).items()
    assert found == ("x", IndexedState(0, "", 0, complete=False, exact=False))
