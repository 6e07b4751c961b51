"""The texts that pass through the embedding channel, and the way back.

What cannot be read comes back as None: a key in Redis is written by any version of the service.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import struct
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from explanation_service.stores.records import (
    EmbeddingModelInfo,
    QueryReply,
    QueryRequest,
    WorkerState,
)

_UNREADABLE = (ValueError, TypeError, KeyError, binascii.Error, struct.error)


def cache_key(revision: str, text: str) -> str:
    """The key of the cached vector of a normalised text."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"embedding:vector:{revision}:{digest}"


def encode_vector(vector: Sequence[float]) -> str:
    """Base64 of the components as little endian float32."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")


def decode_vector(raw: str) -> tuple[float, ...] | None:
    """The way back from `encode_vector`."""
    try:
        data = base64.b64decode(raw, validate=True)
        return struct.unpack(f"<{len(data) // 4}f", data)
    except _UNREADABLE:
        return None


def encode_request(request: QueryRequest) -> str:
    """JSON of a request."""
    return json.dumps(asdict(request), ensure_ascii=False)


def decode_request(raw: str) -> QueryRequest | None:
    """The way back from `encode_request`."""
    try:
        row = _object(raw)
        revision = row.get("revision")
        return QueryRequest(
            id=str(row["id"]),
            text=_text(row["text"]),
            revision=None if revision is None else str(revision),
            deadline_ms=int(row["deadline_ms"]),
            reply_to=_text(row["reply_to"]),
        )
    except _UNREADABLE:
        return None


def encode_reply(request_id: str, revision: str, vector: Sequence[float]) -> str:
    """JSON of a reply."""
    return json.dumps({"id": request_id, "revision": revision, "vector_b64": encode_vector(vector)})


def decode_reply(raw: str) -> QueryReply | None:
    """The way back from `encode_reply`."""
    try:
        row = _object(raw)
        vector = decode_vector(row["vector_b64"])
        return None if not vector else QueryReply(str(row["id"]), str(row["revision"]), vector)
    except _UNREADABLE:
        return None


def encode_worker(state: WorkerState) -> str:
    """JSON of a heartbeat."""
    return json.dumps(asdict(state))


def decode_worker(raw: str) -> WorkerState | None:
    """The way back from `encode_worker`."""
    try:
        row = _object(raw)
        return WorkerState(
            consumer=str(row["consumer"]),
            role=str(row["role"]),
            revision=str(row["revision"]),
            model=str(row["model"]),
            dimension=int(row["dimension"]),
            ready=row["ready"] is True,
        )
    except _UNREADABLE:
        return None


def encode_model(info: EmbeddingModelInfo) -> str:
    """JSON of a model's description."""
    return json.dumps(asdict(info))


def decode_model(raw: str) -> EmbeddingModelInfo | None:
    """The way back from `encode_model`."""
    try:
        row = _object(raw)
        return EmbeddingModelInfo(
            name=str(row["name"]),
            revision=str(row["revision"]),
            dimension=int(row["dimension"]),
            max_tokens=int(row["max_tokens"]),
            query_prefix=str(row.get("query_prefix", "")),
            passage_prefix=str(row.get("passage_prefix", "")),
        )
    except _UNREADABLE:
        return None


def _object(raw: str) -> dict[str, Any]:
    value = json.loads(raw)
    if not isinstance(value, dict):
        raise TypeError("no JSON object")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value
