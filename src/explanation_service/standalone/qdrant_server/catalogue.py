"""All collections and the aliases that point at them."""

from __future__ import annotations

import shutil
from pathlib import Path
from uuid import uuid4

from qdrant_client.http import models

from explanation_service.standalone.qdrant_server import catalogue_file
from explanation_service.standalone.qdrant_server.catalogue_file import (
    StoredCatalogue,
    StoredCollection,
)
from explanation_service.standalone.qdrant_server.collection import Collection
from explanation_service.standalone.qdrant_server.faults import (
    BadInput,
    CollectionExists,
    CollectionMissing,
    NotFound,
)

_FORBIDDEN = frozenset('<>:"/\\|?*\0\x1f')
_LONGEST_NAME = 255


class Catalogue:
    """The catalogue file is the truth: a folder that it does not name is a leftover."""

    def __init__(self, data_dir: Path) -> None:
        self._file = data_dir / "catalogue.json"
        self._shards = data_dir / "shards"
        self._stored = StoredCatalogue()
        self._open: dict[str, Collection] = {}

    def load(self) -> None:
        """Opens every collection and removes what a kill left half made."""
        self._shards.mkdir(parents=True, exist_ok=True)
        self._stored = catalogue_file.read(self._file)
        wanted = {stored.folder for stored in self._stored.collections.values()}
        for folder in self._shards.iterdir():
            if folder.name not in wanted:
                shutil.rmtree(folder)
        for name, stored in self._stored.collections.items():
            self._open[name] = Collection.open(stored.definition, self._shards / stored.folder)

    def names(self) -> list[str]:
        return sorted(self._open)

    def has(self, name: str) -> bool:
        """Whether `name` is a collection or an alias."""
        return self._stored.aliases.get(name, name) in self._open

    def get(self, name: str) -> Collection:
        """By name or alias. Raises CollectionMissing."""
        try:
            return self._open[self._stored.aliases.get(name, name)]
        except KeyError:
            raise CollectionMissing(name) from None

    def create(self, name: str, definition: models.CreateCollection) -> None:
        if not 0 < len(name.encode()) <= _LONGEST_NAME or _FORBIDDEN & set(name):
            raise BadInput(f"`{name}` is not a valid collection name")
        if self.has(name):
            raise CollectionExists(name)
        folder = uuid4().hex
        created = Collection.create(definition, self._shards / folder)
        stored = StoredCollection(folder=folder, definition=definition)
        self._save({**self._stored.collections, name: stored}, self._stored.aliases)
        self._open[name] = created

    def delete(self, name: str) -> bool:
        """Whether there was one. Its aliases go with it; an alias itself is not a collection."""
        collection = self._open.get(name)
        if collection is None:
            return False
        stored = self._stored
        others = {other: kept for other, kept in stored.collections.items() if other != name}
        self._save(others, {a: target for a, target in stored.aliases.items() if target != name})
        del self._open[name]
        collection.close()
        shutil.rmtree(self._shards / stored.collections[name].folder, ignore_errors=True)
        return True

    def aliases(self, collection: str | None = None) -> list[models.AliasDescription]:
        """All aliases, or those of one collection."""
        return [
            models.AliasDescription(alias_name=alias, collection_name=target)
            for alias, target in sorted(self._stored.aliases.items())
            if collection in (None, target)
        ]

    def change_aliases(self, actions: list[models.AliasOperations]) -> None:
        """All of `actions` or none: a reader never sees a name without a collection."""
        aliases = dict(self._stored.aliases)
        for action in actions:
            match action:
                case models.CreateAliasOperation():
                    self._point(
                        aliases, action.create_alias.alias_name, action.create_alias.collection_name
                    )
                case models.DeleteAliasOperation():
                    aliases.pop(action.delete_alias.alias_name, None)
                case models.RenameAliasOperation():
                    old = action.rename_alias.old_alias_name
                    if old not in aliases:
                        raise NotFound(f"Alias {old} does not exists!")
                    self._point(aliases, action.rename_alias.new_alias_name, aliases.pop(old))
        self._save(self._stored.collections, aliases)

    def flush(self) -> None:
        for collection in self._open.values():
            collection.flush()

    def close(self) -> None:
        self.flush()
        for collection in self._open.values():
            collection.close()
        self._open.clear()

    def _point(self, aliases: dict[str, str], alias: str, collection: str) -> None:
        if collection not in self._open:
            raise CollectionMissing(collection)
        if alias in self._open:
            raise CollectionExists(alias)
        aliases[alias] = collection

    def _save(self, collections: dict[str, StoredCollection], aliases: dict[str, str]) -> None:
        fresh = StoredCatalogue(collections=collections, aliases=aliases)
        catalogue_file.write(self._file, fresh)
        self._stored = fresh
