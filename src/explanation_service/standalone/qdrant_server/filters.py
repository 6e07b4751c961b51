"""Filters of the REST API as the engine's conditions."""

from __future__ import annotations

from datetime import date
from typing import Any

import qdrant_edge as edge
from qdrant_client.http import models

from explanation_service.standalone.qdrant_server import point_ids
from explanation_service.standalone.qdrant_server.faults import NotServed


def to_engine(wire: models.Filter) -> edge.Filter:
    """Nested filters and single conditions in place of lists are accepted, as by Qdrant."""
    return edge.Filter(
        must=_conditions(wire.must),
        should=_conditions(wire.should),
        must_not=_conditions(wire.must_not),
        min_should=_minimum(wire.min_should),
    )


def optional_to_engine(wire: models.Filter | None) -> edge.Filter | None:
    return None if wire is None else to_engine(wire)


def excluding(condition: edge.Filter | None, point_id: point_ids.EngineId) -> edge.Filter:
    """`condition` without one point: a query by id must not find that very point."""
    return edge.Filter(
        must=None if condition is None else [condition],
        must_not=[edge.HasIdCondition({point_id})],
    )


def _conditions(wire: Any) -> list[Any] | None:
    if wire is None:
        return None
    return [_condition(item) for item in (wire if isinstance(wire, list) else [wire])]


def _minimum(wire: models.MinShould | None) -> edge.MinShould | None:
    if wire is None:
        return None
    return edge.MinShould([_condition(item) for item in wire.conditions], wire.min_count)


def _condition(wire: Any) -> Any:
    match wire:
        case models.FieldCondition():
            return _field(wire)
        case models.Filter():
            return to_engine(wire)
        case models.HasIdCondition():
            return edge.HasIdCondition(set(point_ids.all_to_engine(wire.has_id)))
        case models.IsEmptyCondition():
            return edge.IsEmptyCondition(wire.is_empty.key)
        case models.IsNullCondition():
            return edge.IsNullCondition(wire.is_null.key)
        case models.HasVectorCondition():
            return edge.HasVectorCondition(wire.has_vector)
        case models.NestedCondition():
            return edge.NestedCondition(wire.nested.key, to_engine(wire.nested.filter))
    raise NotServed(f"the condition {type(wire).__name__}")


def _field(wire: models.FieldCondition) -> edge.FieldCondition:
    if wire.geo_bounding_box or wire.geo_radius or wire.geo_polygon:
        raise NotServed("a geo condition")
    return edge.FieldCondition(
        wire.key,
        match=None if wire.match is None else _match(wire.match),
        range=None if wire.range is None else _range(wire.range),
        values_count=_values_count(wire.values_count),
        is_empty=wire.is_empty,
        is_null=wire.is_null,
    )


def _match(wire: Any) -> Any:
    match wire:
        case models.MatchValue():
            return edge.MatchValue(wire.value)
        case models.MatchAny():
            return edge.MatchAny(wire.any)
        case models.MatchExcept():
            return edge.MatchExcept(wire.except_)
        case models.MatchText():
            return edge.MatchText(wire.text)
        case models.MatchTextAny():
            return edge.MatchTextAny(wire.text_any)
        case models.MatchPhrase():
            return edge.MatchPhrase(wire.phrase)
        case models.MatchPrefix():
            return edge.MatchPrefix(wire.prefix)
        case models.MatchSubstring():
            return edge.MatchSubstring(wire.substring)
    raise NotServed(f"the match {type(wire).__name__}")


def _range(wire: models.Range | models.DatetimeRange) -> edge.RangeFloat | edge.RangeDateTime:
    if isinstance(wire, models.Range):
        return edge.RangeFloat(gte=wire.gte, gt=wire.gt, lte=wire.lte, lt=wire.lt)
    return edge.RangeDateTime(
        gte=_moment(wire.gte), gt=_moment(wire.gt), lte=_moment(wire.lte), lt=_moment(wire.lt)
    )


def _values_count(wire: models.ValuesCount | None) -> edge.ValuesCount | None:
    if wire is None:
        return None
    return edge.ValuesCount(lt=wire.lt, gt=wire.gt, lte=wire.lte, gte=wire.gte)


def _moment(value: date | None) -> str | None:
    """A datetime is a date too; both know their ISO 8601 form."""
    return None if value is None else value.isoformat()
