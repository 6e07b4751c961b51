"""Reads the whole index page by page: what it holds of templates, and of which templates."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from explanation_service.settings import Settings
from explanation_service.stores.collection_names import is_of_model
from explanation_service.stores.errors import CollectionMissing
from explanation_service.stores.qdrant_rest import connect_qdrant_rest
from explanation_service.stores.records import IndexedState
from explanation_service.stores.vector_pages import pages
from explanation_service.stores.vector_search import VectorSearch
from explanation_service.stores.vector_states import read_states


class VectorScan(VectorSearch):
    """For comparisons of the whole index with the rule book; errors as in VectorSearch."""

    def for_collection(self, name: str) -> VectorScan:
        """One collection by its own name, whatever the alias points at; it shares our client, so
        only one of both is closed."""
        return VectorScan(self._rest, name)

    async def holds_model(self, revision: str) -> bool:
        """Whether the collection behind the alias was made by this revision of the model."""
        collection = await self.collection_name()
        return collection is not None and is_of_model(self.alias, collection, revision)

    async def indexed_state(self, template_ids: Sequence[str]) -> dict[str, IndexedState]:
        """What the index holds of these templates; those it does not know are left out."""
        try:
            return await read_states(self._rest, self.alias, template_ids)
        except CollectionMissing:
            return {}

    async def template_ids(self) -> AsyncIterator[tuple[set[str], int]]:
        """Page by page: the ids of the templates that have passages there, and how many passages.

        An id comes as often as its passages lie on different pages. Passages without an id are
        nobody's and are left out.
        """
        try:
            async for page in pages(self._rest, self.alias, ("template_id",)):
                ids = {point.payload.get("template_id") for point in page}
                yield {one for one in ids if isinstance(one, str)}, len(page)
        except CollectionMissing:
            return


def connect_vector_scan(settings: Settings) -> VectorScan:
    """The index of these settings; raises SettingsError for an address that cannot be read."""
    return VectorScan(connect_qdrant_rest(settings), settings.qdrant_collection)
