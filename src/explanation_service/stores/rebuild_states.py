"""How far the rebuild of an index is, in MongoDB: one document an alias."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal

from explanation_service.stores.mongo_connection import MongoStore, translated_errors

Phase = Literal["filling", "refused", "switching", "switched", "rolling_back", "rolled_back"]


@dataclass(frozen=True, slots=True)
class RebuildState:
    """`collection` is the one that is (or was) filled, by the model `revision`.

    `after` is the id up to which templates were brought in, `done` how many that were. `kept` is
    the collection that the alias left: where a rollback goes. --drop-old deletes it, and with it
    `leftovers`, those kept before it.
    """

    collection: str
    revision: str
    phase: Phase
    after: str = ""
    done: int = 0
    kept: str | None = None
    leftovers: tuple[str, ...] = ()
    updated_at: datetime | None = None


_FIELDS = [one.name for one in fields(RebuildState)]


class RebuildStates:
    """Every method raises StoreUnavailable or StoreRejected."""

    def __init__(self, store: MongoStore) -> None:
        self._rebuilds = store.database["rebuilds"]

    async def get(self, alias: str) -> RebuildState | None:
        """The last rebuild of this index; None where there never was one."""
        with translated_errors():
            document: dict[str, Any] | None = await self._rebuilds.find_one({"_id": alias})
        if document is None:
            return None
        known = {name: document[name] for name in _FIELDS if name in document}
        return RebuildState(**{**known, "leftovers": tuple(known.get("leftovers", ()))})

    async def forget(self, alias: str) -> None:
        """As if there never had been one."""
        with translated_errors():
            await self._rebuilds.delete_one({"_id": alias})

    async def put(self, alias: str, state: RebuildState) -> None:
        """Write it down, with the time."""
        document = {**asdict(state), "updated_at": datetime.now(UTC)}
        with translated_errors():
            await self._rebuilds.replace_one({"_id": alias}, document, upsert=True)
