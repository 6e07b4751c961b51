"""The collection of one model: its vectors and its payload indexes."""

from __future__ import annotations

from qdrant_client import AsyncQdrantClient, models

from explanation_service.stores.errors import StoreRejected
from explanation_service.stores.qdrant import WRITE_TIMEOUT, translated_errors
from explanation_service.stores.vector_layout import DENSE, LEXICAL
from explanation_service.stores.vector_points import PAYLOAD_INDEXES


async def create_collection(client: AsyncQdrantClient, name: str, dimension: int) -> None:
    """Make the collection and its payload indexes where they are missing."""
    if not await _exists(client, name):
        try:
            with translated_errors(name):
                await client.create_collection(
                    name,
                    vectors_config={
                        DENSE: models.VectorParams(size=dimension, distance=models.Distance.COSINE)
                    },
                    sparse_vectors_config={
                        LEXICAL: models.SparseVectorParams(modifier=models.Modifier.IDF)
                    },
                    timeout=WRITE_TIMEOUT,
                )
        except StoreRejected:
            # Another worker that starts now was first; anything else is a refusal.
            if not await _exists(client, name):
                raise
    # Also where it existed: its maker may have died before the last of them.
    for field, schema in PAYLOAD_INDEXES.items():
        with translated_errors(name):
            await client.create_payload_index(name, field, schema, wait=True)


async def _exists(client: AsyncQdrantClient, name: str) -> bool:
    with translated_errors(name):
        return await client.collection_exists(name)
