from __future__ import annotations

import dataclasses

from explanation_service.stores import vector_points as points_of
from explanation_service.stores.records import (
    IndexedState,
    Passage,
    PassagePoint,
    SearchFilters,
    SparseVector,
)
from explanation_service.stores.vector_layout import (
    PASSAGE_FIELDS,
    filter_json,
    point_id,
    to_passage,
)
from explanation_service.stores.vector_pages import Point
from explanation_service.stores.vector_states import STATE_FIELDS, to_states

POINT = PassagePoint(
    template_id="a",
    chunk_index=1,
    chunks_total=2,
    version=3,
    content_hash="h",
    title="Т",
    text="текст",
    topic="тема",
    exam="ЕГЭ",
    tags=("x", "y"),
    dense=[0.6, 0.8],
    lexical=SparseVector((5, 9), (1.5, 0.5)),
)


def test_ids_never_change() -> None:
    # Another id would leave every point of a running installation behind as an orphan.
    assert point_id("a", 0) == "3d586e60-6b46-5bcf-8111-ae50683a56e4"
    assert len({point_id(name, chunk) for name in "ab" for chunk in range(3)}) == 6


def test_a_point_comes_back_as_passage_and_state() -> None:
    point = points_of.to_point(POINT)
    payload = point.payload or {}
    assert set(PASSAGE_FIELDS) | set(STATE_FIELDS) == set(payload)
    second = Point(str(point.id), payload)
    first = Point(point_id("a", 0), {**payload, "chunk_index": 0})
    assert to_states([second, first]) == {"a": IndexedState(3, "h", 2)}
    assert to_passage(payload, 0.5) == Passage(
        "a", 1, 3, "Т", "текст", "тема", "ЕГЭ", ("x", "y"), 0.5
    )


def test_absent_values_take_no_room_in_the_payload() -> None:
    bare = dataclasses.replace(POINT, topic=None, exam=None, tags=())
    payload = points_of.to_point(bare).payload or {}
    assert not {"topic", "exam", "tags"} & set(payload)
    passage = to_passage(payload, 1)
    assert (passage.topic, passage.exam, passage.tags) == (None, None, ())


def test_no_filters_are_no_condition() -> None:
    assert filter_json(SearchFilters()) is None
    condition = filter_json(SearchFilters("т", "е", ("x",)))
    assert condition is not None and len(condition["must"]) == 3
