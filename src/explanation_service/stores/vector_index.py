"""Writing the vectors of the rule book into Qdrant: one collection per model, behind one alias."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qdrant_client import AsyncQdrantClient, models

from explanation_service.settings import Settings
from explanation_service.stores import vector_writes
from explanation_service.stores.collection_names import collection_for, is_of_model
from explanation_service.stores.errors import IndexMoved, ModelMismatch
from explanation_service.stores.qdrant import WRITE_TIMEOUT, connect_qdrant, translated_errors
from explanation_service.stores.qdrant_rest import QdrantRest, connect_qdrant_rest
from explanation_service.stores.records import (
    EmbeddingModelInfo,
    IndexedState,
    LabelChange,
    PassagePoint,
)
from explanation_service.stores.vector_collection import create_collection
from explanation_service.stores.vector_search import VectorSearch
from explanation_service.stores.vector_states import read_states

__all__ = ["VectorIndex", "connect_vector_index"]


class VectorIndex(VectorSearch):
    """What reads can do and the writes: for the worker, which keeps the index.

    Every method raises StoreUnavailable when Qdrant does not serve (CollectionMissing, one of its
    kind, when the collection to write to is gone) and StoreRejected when it refuses a request.
    Writes return when they are searchable.

    Searches go through the alias. Once `ensure_collection` has found this model's collection,
    everything else goes to that very collection, wherever the alias may be pointed later: vectors
    of two models never mix.
    """

    def __init__(self, client: AsyncQdrantClient, rest: QdrantRest, alias: str) -> None:
        super().__init__(rest, alias)
        self._client = client
        self._collection = alias

    def for_collection(self, name: str) -> VectorIndex:
        """One collection by its own name, searches included, whatever the alias points at; it
        shares our clients, so only one of both is closed."""
        return VectorIndex(self._client, self._rest, name)

    async def close(self) -> None:
        """Close both clients and their connections."""
        await super().close()
        await self._client.close()

    async def ensure_collection(self, model: EmbeddingModelInfo) -> None:
        """Find this model's collection behind the alias; make both where neither is there.

        Raises ModelMismatch when the alias points at the collection of another model.
        """
        current = await self.collection_name()
        if current is not None and not is_of_model(self.alias, current, model.revision):
            raise ModelMismatch(
                f"The index {self.alias} was made by another model (collection {current}) than "
                f"{model.name} (revision {model.revision}): run rebuild-embeddings with the new "
                "model while workers of the old one serve, or name a new index with "
                "QDRANT_COLLECTION, which is then filled from the rule book."
            )
        wanted = current or collection_for(self.alias, model.revision)
        await create_collection(self._client, wanted, model.dimension)
        if current is None:
            operation = models.CreateAliasOperation(
                create_alias=models.CreateAlias(collection_name=wanted, alias_name=self.alias)
            )
            with translated_errors(wanted):
                await self._client.update_collection_aliases([operation], timeout=WRITE_TIMEOUT)
        self._collection = wanted

    async def check_served(self) -> None:
        """Raises IndexMoved when the alias points at another collection than we write to."""
        current = await self.collection_name()
        # None: the collection was lost, which the next write finds out.
        if current not in (None, self._collection) and self._collection != self.alias:
            raise IndexMoved(
                f"The index {self.alias} is {current} now; what is written to {self._collection} "
                "is not searched any more."
            )

    async def indexed_state(self, template_ids: Sequence[str]) -> dict[str, IndexedState]:
        """What the index holds of these templates; those it does not know are left out."""
        return await read_states(self._rest, self._collection, template_ids)

    async def upsert(
        self, points: Sequence[PassagePoint], up_to: Mapping[str, int] | None = None
    ) -> None:
        """Write chunks; a chunk that is there in a higher version than its template's `up_to`
        (the points' own version where it is not given) stays as it is."""
        for operations in vector_writes.upserts(points, up_to or {}):
            await self._update(operations)

    async def trim(self, template_id: str, keep_chunks: int, up_to: int | None = None) -> None:
        """Delete what is there of a template besides its first `keep_chunks` chunks: left from a
        longer version, or not ours; what is in a version above `up_to` stays."""
        await self._update([vector_writes.trim(template_id, keep_chunks, up_to)])

    async def relabel(self, changes: Sequence[LabelChange]) -> None:
        """Note new versions and labels of templates whose text is the one that is indexed."""
        await self._update([vector_writes.relabel(change) for change in changes])

    async def count(self, collection: str | None = None) -> int:
        """The number of chunks in our collection, or in another one; 0 where there is none."""
        return await super().count(collection or self._collection)

    async def delete(
        self, template_ids: Sequence[str], up_to: Mapping[str, int] | None = None
    ) -> None:
        """Delete all chunks of these templates; those in a version above `up_to` stay."""
        await self._update(vector_writes.removals(template_ids, up_to or {}))

    async def _update(self, operations: Sequence[models.UpdateOperation]) -> None:
        if operations:
            with translated_errors(self._collection):
                await self._client.batch_update_points(self._collection, operations, wait=True)


def connect_vector_index(settings: Settings) -> VectorIndex:
    """The index of these settings; raises SettingsError for an address that cannot be read."""
    rest = connect_qdrant_rest(settings)
    return VectorIndex(connect_qdrant(settings), rest, settings.qdrant_collection)
