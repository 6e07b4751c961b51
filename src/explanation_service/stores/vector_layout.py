"""How a passage lies in Qdrant, as far as reading must know: its id, the names of its vectors, the
fields of its payload, and the conditions on them, in the JSON of the REST interface.

Writing has the rest (`stores.vector_points`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

from explanation_service.stores.records import Passage, SearchFilters, SparseVector

# Fixed for ever: another one would leave every old point in place beside its successor.
NAMESPACE = UUID("6f2b6c1e-5d0a-4d55-9a70-3c1f6b0e8a41")

DENSE = "dense"
LEXICAL = "lexical"

PASSAGE_FIELDS = (
    "template_id",
    "chunk_index",
    "version",
    "title",
    "text",
    "topic",
    "exam",
    "tags",
)


def point_id(template_id: str, chunk_index: int) -> str:
    """The id of a chunk's point, the same at every writing."""
    return str(uuid5(NAMESPACE, f"{template_id}:{chunk_index}"))


def sparse_json(vector: SparseVector) -> dict[str, Any]:
    """The sparse vector in Qdrant's form."""
    return {"indices": list(vector.indices), "values": list(vector.values)}


def filter_json(filters: SearchFilters) -> dict[str, Any] | None:
    """The condition of a search; None lets everything through."""
    conditions: list[dict[str, Any]] = []
    if filters.topic is not None:
        conditions.append({"key": "topic", "match": {"value": filters.topic}})
    if filters.exam is not None:
        conditions.append({"key": "exam", "match": {"value": filters.exam}})
    if filters.tags:
        conditions.append({"key": "tags", "match": {"any": list(filters.tags)}})
    return {"must": conditions} if conditions else None


def to_passage(payload: Mapping[str, Any], score: float) -> Passage:
    """The passage of a hit. Raises KeyError, TypeError or ValueError for a payload that is none of
    ours."""
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
