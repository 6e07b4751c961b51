"""Writing the vectors of the rule book into Qdrant: one collection per model, behind one alias."""

from __future__ import annotations

from collections.abc import Sequence

from qdrant_client import AsyncQdrantClient, models

from explanation_service.settings import Settings
from explanation_service.stores import vector_points as points_of
from explanation_service.stores.collection_names import collection_for, is_of_model
from explanation_service.stores.errors import IndexMoved, ModelMismatch
from explanation_service.stores.qdrant import WRITE_TIMEOUT, connect_qdrant, translated_errors
from explanation_service.stores.qdrant_rest import QdrantRest, connect_qdrant_rest
from explanation_service.stores.records import EmbeddingModelInfo, IndexedState, PassagePoint
from explanation_service.stores.vector_collection import create_collection
from explanation_service.stores.vector_search import VectorSearch

__all__ = ["VectorIndex", "connect_vector_index"]

# Points a request: at 384 dimensions about 1 MB of JSON, far below Qdrant's 32 MB.
_POINTS_PER_REQUEST = 128


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
        if not template_ids:
            return {}
        ids = [points_of.point_id(template_id, 0) for template_id in template_ids]
        with translated_errors(self._collection):
            records = await self._client.retrieve(
                self._collection, list(dict.fromkeys(ids)), with_payload=points_of.STATE_FIELDS
            )
        payloads = [record.payload for record in records if record.payload]
        return {payload["template_id"]: points_of.to_state(payload) for payload in payloads}

    async def upsert(self, points: Sequence[PassagePoint]) -> None:
        """Write chunks, whatever was there before.

        The first chunks go last: `indexed_state` reads them, so a writer that dies half-way
        leaves a template that still counts as the old one and is written again.
        """
        ordered = sorted(points, key=lambda point: -point.chunk_index)
        for start in range(0, len(ordered), _POINTS_PER_REQUEST):
            batch = [points_of.to_point(p) for p in ordered[start : start + _POINTS_PER_REQUEST]]
            with translated_errors(self._collection):
                await self._client.upsert(self._collection, batch, wait=True)

    async def trim(self, template_id: str, keep_chunks: int) -> None:
        """Delete the chunks from number `keep_chunks` on, left from a longer version."""
        await self._delete(points_of.of_templates([template_id], keep_chunks))

    async def set_version(self, template_id: str, version: int) -> None:
        """Note a version whose text is the one that is indexed."""
        with translated_errors(self._collection):
            await self._client.set_payload(
                self._collection,
                {"version": version},
                models.FilterSelector(filter=points_of.of_templates([template_id])),
                wait=True,
            )

    async def delete(self, template_ids: Sequence[str]) -> None:
        """Delete all chunks of these templates."""
        if template_ids:
            await self._delete(points_of.of_templates(template_ids))

    async def count(self, collection: str | None = None) -> int:
        """The number of chunks in our collection, or in another one; 0 where there is none."""
        return await super().count(collection or self._collection)

    async def _delete(self, condition: models.Filter) -> None:
        with translated_errors(self._collection):
            selector = models.FilterSelector(filter=condition)
            await self._client.delete(self._collection, selector, wait=True)


def connect_vector_index(settings: Settings) -> VectorIndex:
    """The index of these settings; raises SettingsError for an address that cannot be read."""
    rest = connect_qdrant_rest(settings)
    return VectorIndex(connect_qdrant(settings), rest, settings.qdrant_collection)
