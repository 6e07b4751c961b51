"""Writes to the index as Qdrant's operations, guarded: no version replaces a higher one.

Qdrant checks the guard where the point is written, so that it holds however late a request comes.
It cannot guard what is not there: a chunk whose number no newer version has is inserted whatever
its version (docs/architecture.md, "What is guaranteed").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qdrant_client import models

from explanation_service.stores import vector_points as points_of
from explanation_service.stores.records import LabelChange, PassagePoint

# Points a request: at 384 dimensions about 1 MB of JSON, far below Qdrant's 32 MB.
_POINTS_PER_REQUEST = 128


def upserts(
    points: Sequence[PassagePoint], up_to: Mapping[str, int]
) -> list[list[models.UpsertOperation]]:
    """Requests of operations, one operation for each version that may be replaced.

    The first chunks go last: what a search finds first of a template is its newest text.
    """
    ordered = sorted(points, key=lambda point: -point.chunk_index)
    return [
        _guarded(ordered[start : start + _POINTS_PER_REQUEST], up_to)
        for start in range(0, len(ordered), _POINTS_PER_REQUEST)
    ]


def _guarded(
    points: Sequence[PassagePoint], up_to: Mapping[str, int]
) -> list[models.UpsertOperation]:
    by_limit: dict[int, list[models.PointStruct]] = {}
    for point in points:
        limit = up_to.get(point.template_id, point.version)
        by_limit.setdefault(limit, []).append(points_of.to_point(point))
    return [
        models.UpsertOperation(
            upsert=models.PointsList(
                points=of_limit,
                update_filter=models.Filter(must_not=[points_of.newer_than(limit)]),
            )
        )
        for limit, of_limit in by_limit.items()
    ]


def removals(template_ids: Sequence[str], up_to: Mapping[str, int]) -> list[models.DeleteOperation]:
    """The removal of templates; those without a limit in `up_to` go whatever their version."""
    by_limit: dict[int | None, list[str]] = {}
    for template_id in template_ids:
        by_limit.setdefault(up_to.get(template_id), []).append(template_id)
    return [
        _removal(points_of.of_templates(of_limit, up_to=limit))
        for limit, of_limit in by_limit.items()
    ]


def trim(template_id: str, keep_chunks: int, up_to: int | None) -> models.DeleteOperation:
    """The removal of all points of a template but its first `keep_chunks` chunks."""
    return _removal(points_of.of_templates([template_id], keep_chunks, up_to))


def relabel(change: LabelChange) -> models.SetPayloadOperation:
    """Labels of chunks whose text stays. A label that is None is taken off the payload."""
    condition = points_of.of_templates(
        [change.template_id], up_to=change.up_to, content_hash=change.found_hash
    )
    labels = {
        "version": change.version,
        "content_hash": change.content_hash,
        "topic": change.topic,
        "exam": change.exam,
        "tags": list(change.tags) or None,
    }
    return models.SetPayloadOperation(
        set_payload=models.SetPayload(payload=labels, filter=condition)
    )


def _removal(condition: models.Filter) -> models.DeleteOperation:
    return models.DeleteOperation(delete=models.FilterSelector(filter=condition))
