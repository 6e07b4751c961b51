"""Vectors between the client's models and the engine's classes."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge
from qdrant_client.http import models

from explanation_service.standalone.qdrant_server.faults import NotServed


def named_to_engine(vector: Any) -> Any:
    """One vector: dense (list), multi (list of lists) or sparse."""
    if isinstance(vector, models.SparseVector):
        return edge.SparseVector(vector.indices, vector.values)
    if isinstance(vector, list):
        return vector
    raise NotServed("inference (a Document, an Image or an object in place of a vector)")


def struct_to_engine(vectors: Any) -> Any:
    """The `vector` of a point: one unnamed vector or a dictionary by name."""
    if isinstance(vectors, dict):
        return {name: named_to_engine(vector) for name, vector in vectors.items()}
    return named_to_engine(vectors)


def from_engine(vectors: Any) -> Any:
    """The engine's vectors as plain JSON values; None stays None."""
    if isinstance(vectors, dict):
        return {name: from_engine(vector) for name, vector in vectors.items()}
    if isinstance(vectors, edge.SparseVector):
        return {"indices": vectors.indices, "values": vectors.values}
    return vectors
