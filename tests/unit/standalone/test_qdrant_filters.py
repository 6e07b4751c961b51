"""Every filter condition, counted through the client."""

from __future__ import annotations

import pytest
from qdrant_client import AsyncQdrantClient, models

COLLECTION = "rules_1"


def field(key: str, **condition: object) -> models.FieldCondition:
    return models.FieldCondition(key=key, **condition)  # type: ignore[arg-type]


COMMAS = field("topic", match=models.MatchValue(value="commas"))
STRESS = field("topic", match=models.MatchValue(value="stress"))
LATE = field("version", range=models.Range(gte=3))

CASES = {
    "value": (models.Filter(must=[COMMAS]), {1, 2}),
    "single condition": (models.Filter(must=COMMAS), {1, 2}),
    "any": (
        models.Filter(must=[field("topic", match=models.MatchAny(any=["commas", "stress"]))]),
        {1, 2, 5},
    ),
    "any integer": (
        models.Filter(must=[field("version", match=models.MatchAny(any=[1, 4, 99]))]),
        {1, 4},
    ),
    "except": (
        models.Filter(
            must=[field("topic", match=models.MatchExcept(**{"except": ["commas", "stress"]}))]
        ),
        {3, 4},
    ),
    "text": (models.Filter(must=[field("text", match=models.MatchText(text="номер 3"))]), {3}),
    "range": (models.Filter(must=[field("version", range=models.Range(gt=1, lte=3))]), {2, 3}),
    "has id": (models.Filter(must=[models.HasIdCondition(has_id=[2, 4, 77])]), {2, 4}),
    "has vector": (
        models.Filter(must=[models.HasVectorCondition(has_vector="dense")]),
        {*range(1, 6)},
    ),
    "is empty": (
        models.Filter(must=[models.IsEmptyCondition(is_empty=models.PayloadField(key="tags"))]),
        {1, 4},
    ),
    "is null": (
        models.Filter(
            must=[models.IsNullCondition(is_null=models.PayloadField(key="note"))],
            must_not=[COMMAS],
        ),
        {3, 4, 5},
    ),
    "values count": (
        models.Filter(must=[field("tags", values_count=models.ValuesCount(gte=2))]),
        {3},
    ),
    "nested object": (
        models.Filter(
            must=[
                models.NestedCondition(
                    nested=models.Nested(
                        key="nested",
                        filter=models.Filter(
                            must=[
                                field("x", match=models.MatchValue(value=2)),
                                field("y", match=models.MatchValue(value=1)),
                            ]
                        ),
                    )
                )
            ]
        ),
        {3},
    ),
    "should": (models.Filter(should=[COMMAS, STRESS]), {1, 2, 5}),
    "must not": (models.Filter(must_not=[COMMAS]), {3, 4, 5}),
    "min should": (
        models.Filter(min_should=models.MinShould(conditions=[COMMAS, STRESS, LATE], min_count=2)),
        {5},
    ),
    "filter within a filter": (
        models.Filter(
            must=[models.Filter(should=[COMMAS, LATE])],
            must_not=[models.Filter(must=[STRESS])],
        ),
        {1, 2, 3, 4},
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_filter_selects(rules: AsyncQdrantClient, case: str) -> None:
    condition, expected = CASES[case]
    records, _ = await rules.scroll(COLLECTION, scroll_filter=condition, limit=10)
    assert {record.id for record in records} == expected
    counted = await rules.count(COLLECTION, count_filter=condition)
    assert counted.count == len(expected)


async def test_datetime_range(rules: AsyncQdrantClient) -> None:
    await rules.set_payload(COLLECTION, {"at": "2026-03-01T10:00:00Z"}, points=[1])
    await rules.set_payload(COLLECTION, {"at": "2026-05-01T10:00:00Z"}, points=[2])
    await rules.create_payload_index(COLLECTION, "at", models.PayloadSchemaType.DATETIME)
    spring = models.Filter(
        must=[field("at", range=models.DatetimeRange(gte="2026-04-01T00:00:00Z"))]
    )
    assert (await rules.count(COLLECTION, count_filter=spring)).count == 1
