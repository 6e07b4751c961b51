"""Passages as points to be written: the id, vectors and payload, the state that is read back, and
conditions on what is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
STATE_FIELDS = ["template_id", "chunk_index", "version", "content_hash", "chunks_total"]


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


def to_states(payloads: Iterable[Mapping[str, Any]]) -> dict[str, IndexedState]:
    """What the payloads of chunks say of their templates, by template id."""
    chunks: dict[str, dict[int, Mapping[str, Any]]] = {}
    for payload in payloads:
        of_template = chunks.setdefault(str(payload["template_id"]), {})
        of_template[int(payload["chunk_index"])] = payload
    return {template_id: _to_state(found) for template_id, found in chunks.items()}


def _to_state(chunks: Mapping[int, Mapping[str, Any]]) -> IndexedState:
    versions = {int(chunk["version"]) for chunk in chunks.values()}
    first = chunks.get(0)
    if first is None:
        return IndexedState(max(versions), "", 0, complete=False, exact=False)
    wanted = range(int(first["chunks_total"]))
    content_hash = str(first["content_hash"])
    complete = all(
        number in chunks
        and chunks[number]["content_hash"] == content_hash
        and chunks[number].get("chunks_total") == first["chunks_total"]
        for number in wanted
    )
    exact = complete and len(versions) == 1 and len(chunks) == len(wanted)
    return IndexedState(max(versions), content_hash, len(wanted), complete, exact)


def of_templates(
    template_ids: Sequence[str],
    keep_chunks: int = 0,
    up_to: int | None = None,
    content_hash: str | None = None,
) -> models.Filter:
    """The condition of all chunks of these templates from number `keep_chunks` on, in no version
    above `up_to`, with this hash."""
    conditions: list[Any] = [
        models.FieldCondition(key="template_id", match=models.MatchAny(any=list(template_ids)))
    ]
    if keep_chunks:
        conditions.append(
            models.FieldCondition(key="chunk_index", range=models.Range(gte=keep_chunks))
        )
    if up_to is not None:
        conditions.append(no_newer_than(up_to))
    if content_hash is not None:
        conditions.append(_equals("content_hash", content_hash))
    return models.Filter(must=conditions)


def no_newer_than(version: int) -> models.FieldCondition:
    """The condition of a version that may be replaced by this one."""
    return models.FieldCondition(key="version", range=models.Range(lte=version))


def _equals(key: str, value: str) -> models.FieldCondition:
    return models.FieldCondition(key=key, match=models.MatchValue(value=value))
