"""A collection's definition as the engine takes it, and as GET /collections/{c} tells it."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge
from qdrant_client.http import models

from explanation_service.standalone.qdrant_server.faults import BadInput, NotServed

# The engine would build HNSW graphs inside `optimize()`, which holds the GIL: 48 s at 100,000
# points. Without graphs it scans: exact, and a few milliseconds at the sizes of one machine.
# In kilobytes of vectors.
_NEVER_INDEX_KB = 1_000_000_000
# What Qdrant answers for a server nobody configured; for clients that read it, not for us.
_HNSW = models.HnswConfig(m=16, ef_construct=100, full_scan_threshold=10_000)
_OPTIMIZERS = models.OptimizersConfig(default_segment_number=0, flush_interval_sec=1)

_DISTANCES = {
    models.Distance.COSINE: edge.Distance.Cosine,
    models.Distance.DOT: edge.Distance.Dot,
    models.Distance.EUCLID: edge.Distance.Euclid,
    models.Distance.MANHATTAN: edge.Distance.Manhattan,
}
_DATATYPES = {
    models.Datatype.FLOAT32: edge.VectorStorageDatatype.Float32,
    models.Datatype.FLOAT16: edge.VectorStorageDatatype.Float16,
    models.Datatype.UINT8: edge.VectorStorageDatatype.Uint8,
}


def to_engine(wire: models.CreateCollection) -> edge.EdgeConfig:
    """Raises BadInput for a collection without vectors, NotServed for quantization.

    Settings that only tune a server (shards, replicas, HNSW, WAL) are accepted and echoed.
    """
    if wire.quantization_config is not None:
        raise NotServed("quantization")
    dense = _dense_by_name(wire.vectors)
    sparse = wire.sparse_vectors or {}
    if not dense and not sparse:
        raise BadInput("at least one dense or sparse vector must be configured")
    return edge.EdgeConfig(
        vectors={name: _dense(params) for name, params in dense.items()},
        sparse_vectors={name: _sparse(params) for name, params in sparse.items()},
        on_disk_payload=wire.on_disk_payload,
        optimizers=edge.EdgeOptimizersConfig(indexing_threshold=_NEVER_INDEX_KB),
    )


def describe(wire: models.CreateCollection) -> models.CollectionConfig:
    return models.CollectionConfig(
        params=models.CollectionParams(
            vectors=wire.vectors,
            sparse_vectors=wire.sparse_vectors,
            on_disk_payload=True if wire.on_disk_payload is None else wire.on_disk_payload,
        ),
        hnsw_config=_HNSW,
        optimizer_config=_OPTIMIZERS,
        metadata=wire.metadata,
    )


def _dense_by_name(wire: models.VectorsConfig | None) -> dict[str, models.VectorParams]:
    if wire is None:
        return {}
    # "" is the engine's name of the one unnamed vector.
    return {"": wire} if isinstance(wire, models.VectorParams) else wire


def _dense(wire: models.VectorParams) -> edge.EdgeVectorParams:
    if wire.quantization_config is not None:
        raise NotServed("quantization")
    if wire.size < 1:
        raise BadInput("vector size must be 1 or more")
    multi = None
    if wire.multivector_config is not None:
        multi = edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim)
    return edge.EdgeVectorParams(
        size=wire.size,
        distance=_DISTANCES[wire.distance],
        on_disk=wire.on_disk,
        multivector_config=multi,
        datatype=_datatype(wire.datatype),
    )


def _sparse(wire: models.SparseVectorParams) -> edge.EdgeSparseVectorParams:
    index = wire.index or models.SparseIndexParams()
    return edge.EdgeSparseVectorParams(
        full_scan_threshold=index.full_scan_threshold,
        on_disk=index.on_disk,
        modifier=edge.Modifier.Idf if wire.modifier is models.Modifier.IDF else None,
        datatype=_datatype(index.datatype),
    )


def _datatype(wire: models.Datatype | None) -> Any:
    if wire is None:
        return None
    try:
        return _DATATYPES[wire]
    except KeyError:
        raise NotServed(f"the datatype {wire.value}") from None
