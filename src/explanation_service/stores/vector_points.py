"""Passages as points to be written, and conditions on what is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qdrant_client import models

from explanation_service.stores.records import PassagePoint
from explanation_service.stores.vector_layout import DENSE, LEXICAL, point_id, sparse_json

PAYLOAD_INDEXES: Mapping[str, models.PayloadSchemaType] = {
    "template_id": models.PayloadSchemaType.KEYWORD,
    "version": models.PayloadSchemaType.INTEGER,
    "chunk_index": models.PayloadSchemaType.INTEGER,
    "topic": models.PayloadSchemaType.KEYWORD,
    "exam": models.PayloadSchemaType.KEYWORD,
    "tags": models.PayloadSchemaType.KEYWORD,
}


def to_point(passage: PassagePoint) -> models.PointStruct:
    """The point of a passage; fields without a value are left out of the payload."""
    payload: dict[str, Any] = {
        "template_id": passage.template_id,
        "chunk_index": passage.chunk_index,
        "chunks_total": passage.chunks_total,
        "version": passage.version,
        "content_hash": passage.content_hash,
        "title": passage.title,
        "text": passage.text,
        "topic": passage.topic,
        "exam": passage.exam,
        "tags": list(passage.tags) or None,
    }
    return models.PointStruct(
        id=point_id(passage.template_id, passage.chunk_index),
        # float() because the components may come as numpy's own type.
        vector={
            DENSE: [float(component) for component in passage.dense],
            LEXICAL: models.SparseVector(**sparse_json(passage.lexical)),
        },
        payload={name: value for name, value in payload.items() if value is not None},
    )


def of_templates(
    template_ids: Sequence[str],
    keep_chunks: int = 0,
    up_to: int | None = None,
    content_hash: str | None = None,
) -> models.Filter:
    """The condition of all points of these templates but their first `keep_chunks` chunks, in no
    version above `up_to`, with this hash."""
    wanted: list[Any] = [
        models.FieldCondition(key="template_id", match=models.MatchAny(any=list(template_ids)))
    ]
    if content_hash is not None:
        match = models.MatchValue(value=content_hash)
        wanted.append(models.FieldCondition(key="content_hash", match=match))
    unwanted: list[Any] = [] if up_to is None else [newer_than(up_to)]
    if keep_chunks:
        kept: list[Any] = [
            point_id(one, index) for one in template_ids for index in range(keep_chunks)
        ]
        # By their ids, so that a point with a chunk's number in another place goes, too.
        unwanted.append(models.HasIdCondition(has_id=kept))
    return models.Filter(must=wanted, must_not=unwanted or None)


def newer_than(version: int) -> models.FieldCondition:
    """The condition of what this version must not replace. It is denied where it is used, rather
    than the opposite demanded: a point without a version may be replaced, too."""
    return models.FieldCondition(key="version", range=models.Range(gt=version))
