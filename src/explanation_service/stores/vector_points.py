"""Passages as points to be written: the id, vectors and payload, the state that is read back, and
conditions on what is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

from qdrant_client import models

from explanation_service.stores.records import IndexedState, PassagePoint
from explanation_service.stores.vector_layout import DENSE, LEXICAL, sparse_json

# Fixed for ever: another one would leave every old point in place beside its successor.
NAMESPACE = UUID("6f2b6c1e-5d0a-4d55-9a70-3c1f6b0e8a41")

PAYLOAD_INDEXES: Mapping[str, models.PayloadSchemaType] = {
    "template_id": models.PayloadSchemaType.KEYWORD,
    "version": models.PayloadSchemaType.INTEGER,
    "chunk_index": models.PayloadSchemaType.INTEGER,
    "topic": models.PayloadSchemaType.KEYWORD,
    "exam": models.PayloadSchemaType.KEYWORD,
    "tags": models.PayloadSchemaType.KEYWORD,
}
STATE_FIELDS = ["template_id", "version", "content_hash", "chunks_total"]


def point_id(template_id: str, chunk_index: int) -> str:
    """The id of a chunk's point, the same at every writing."""
    return str(uuid5(NAMESPACE, f"{template_id}:{chunk_index}"))


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


def to_state(payload: Mapping[str, Any]) -> IndexedState:
    """What the payload of chunk 0 says of its template."""
    return IndexedState(
        version=int(payload["version"]),
        content_hash=str(payload["content_hash"]),
        chunks=int(payload["chunks_total"]),
    )


def of_templates(template_ids: Sequence[str], keep_chunks: int = 0) -> models.Filter:
    """The condition of all chunks of these templates from number `keep_chunks` on."""
    conditions: list[Any] = [
        models.FieldCondition(key="template_id", match=models.MatchAny(any=list(template_ids)))
    ]
    if keep_chunks:
        conditions.append(
            models.FieldCondition(key="chunk_index", range=models.Range(gte=keep_chunks))
        )
    return models.Filter(must=conditions)
