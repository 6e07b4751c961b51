"""How a passage lies in Qdrant: the id, vectors and payload of its point, the conditions on it, and
the way back. In the JSON of Qdrant's REST interface, which reading and writing share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

from explanation_service.stores.records import (
    IndexedState,
    Passage,
    PassagePoint,
    SearchFilters,
    SparseVector,
)

DENSE = "dense"
LEXICAL = "lexical"

# Fixed for ever: another one would leave every old point in place beside its successor.
NAMESPACE = UUID("6f2b6c1e-5d0a-4d55-9a70-3c1f6b0e8a41")

PAYLOAD_INDEXES = {
    "template_id": "keyword",
    "version": "integer",
    "chunk_index": "integer",
    "topic": "keyword",
    "exam": "keyword",
    "tags": "keyword",
}
STATE_FIELDS = ["template_id", "version", "content_hash", "chunks_total"]
PASSAGE_FIELDS = [
    "template_id",
    "chunk_index",
    "version",
    "title",
    "text",
    "topic",
    "exam",
    "tags",
]


def point_id(template_id: str, chunk_index: int) -> str:
    """The id of a chunk's point, the same at every writing."""
    return str(uuid5(NAMESPACE, f"{template_id}:{chunk_index}"))


def to_point(passage: PassagePoint) -> dict[str, Any]:
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
    return {
        "id": point_id(passage.template_id, passage.chunk_index),
        # float() because the components may come as numpy's own type.
        "vector": {
            DENSE: [float(component) for component in passage.dense],
            LEXICAL: to_sparse(passage.lexical),
        },
        "payload": {name: value for name, value in payload.items() if value is not None},
    }


def to_sparse(vector: SparseVector) -> dict[str, Any]:
    """The sparse vector in Qdrant's form."""
    return {"indices": list(vector.indices), "values": list(vector.values)}


def to_state(payload: Mapping[str, Any]) -> IndexedState:
    """What the payload of chunk 0 says of its template."""
    return IndexedState(
        version=int(payload["version"]),
        content_hash=str(payload["content_hash"]),
        chunks=int(payload["chunks_total"]),
    )


def to_passage(payload: Mapping[str, Any], score: float) -> Passage:
    """The passage of a hit."""
    return Passage(
        template_id=str(payload["template_id"]),
        chunk_index=int(payload["chunk_index"]),
        version=int(payload["version"]),
        title=str(payload["title"]),
        text=str(payload["text"]),
        topic=payload.get("topic"),
        exam=payload.get("exam"),
        tags=tuple(payload.get("tags") or ()),
        score=float(score),
    )


def to_filter(filters: SearchFilters) -> dict[str, Any] | None:
    """The condition of a search; None lets everything through."""
    conditions: list[dict[str, Any]] = []
    if filters.topic is not None:
        conditions.append({"key": "topic", "match": {"value": filters.topic}})
    if filters.exam is not None:
        conditions.append({"key": "exam", "match": {"value": filters.exam}})
    if filters.tags:
        conditions.append({"key": "tags", "match": {"any": list(filters.tags)}})
    return {"must": conditions} if conditions else None


def of_templates(template_ids: Sequence[str], keep_chunks: int = 0) -> dict[str, Any]:
    """The condition of all chunks of these templates from number `keep_chunks` on."""
    conditions: list[dict[str, Any]] = [
        {"key": "template_id", "match": {"any": list(template_ids)}}
    ]
    if keep_chunks:
        conditions.append({"key": "chunk_index", "range": {"gte": keep_chunks}})
    return {"must": conditions}
