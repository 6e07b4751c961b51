"""The collections behind one alias: which one is served, the others, and the switch."""

from __future__ import annotations

import asyncio
from typing import Any

from qdrant_client import AsyncQdrantClient, models

from explanation_service.stores.qdrant import WRITE_TIMEOUT, translated_errors
from explanation_service.stores.vector_collection import create_collection

# Seconds.
_READ_TIMEOUT = 5


class IndexCollections:
    """Every method raises StoreUnavailable or StoreRejected."""

    def __init__(self, client: AsyncQdrantClient, alias: str) -> None:
        self._client = client
        self.alias = alias

    async def close(self) -> None:
        """Close the client and its connections."""
        await self._client.close()

    async def served(self) -> str | None:
        """The collection behind the alias; None where there is no alias."""
        with translated_errors(self.alias):
            async with asyncio.timeout(_READ_TIMEOUT):
                aliases = (await self._client.get_aliases()).aliases
        return next((a.collection_name for a in aliases if a.alias_name == self.alias), None)

    async def names(self) -> list[str]:
        """The alias's collections, whichever model they are of, in order."""
        with translated_errors(self.alias):
            found = (await self._client.get_collections()).collections
        return sorted(one.name for one in found if one.name.startswith(f"{self.alias}_"))

    async def create(self, name: str, dimension: int) -> None:
        """Make a collection, or what is missing of it; the alias stays where it is."""
        await create_collection(self._client, name, dimension)

    async def switch(self, name: str) -> None:
        """Point the alias at another collection in one step: a search meets the old one or the new
        one, never none. Raises CollectionMissing, and changes nothing, when it does not exist."""
        operations: list[Any] = []
        if await self.served() is not None:
            operations.append(
                models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=self.alias))
            )
        operations.append(
            models.CreateAliasOperation(
                create_alias=models.CreateAlias(collection_name=name, alias_name=self.alias)
            )
        )
        with translated_errors(name):
            await self._client.update_collection_aliases(operations, timeout=WRITE_TIMEOUT)

    async def drop(self, name: str) -> bool:
        """Delete a collection for good; False when there was none."""
        with translated_errors(name):
            return bool(await self._client.delete_collection(name, timeout=WRITE_TIMEOUT))
