"""Changes of the rule book by their `updated_at`: where MongoDB is no replica set.

It sees what moves `updated_at`, by a clock that is right within OVERLAP. What does not (edits that
leave it as it is, documents without it, documents that are removed) is left to the reconciler.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo.errors import PyMongoError

from explanation_service.stores.change_source import Changes
from explanation_service.stores.errors import HistoryLost
from explanation_service.stores.mongo_connection import MongoStore, translated_errors

# Seconds between looks.
INTERVAL = 2.0
# How wrong the clocks of writers may be, and how long a write may take to become visible. Each look
# reads again what changed in this time.
OVERLAP = timedelta(seconds=10)
# Documents of one answer; of each only its id and times are read.
_PAGE = 500


class PollingSource:
    """See `ChangeSource`. A position is the time, by MongoDB's clock, at which the last complete
    look began."""

    name = "polling"

    def __init__(self, store: MongoStore) -> None:
        self._database = store.database
        self._templates = store.database["templates"]
        self._position = ""
        self._cursor: Any = None
        self._began = ""
        self._remember_from = datetime.min
        # What the last look told and this one will meet again, and what this one has told.
        self._told: set[tuple[Any, ...]] = set()
        self._telling: set[tuple[Any, ...]] = set()

    async def now(self) -> str:
        """MongoDB's time."""
        return (await self._time()).isoformat()

    async def begin(self, position: str) -> None:
        """Raises HistoryLost for a position that is no time."""
        await self.close()
        _read(position)
        self._position = position
        self._told = set()

    async def next(self) -> Changes:
        """The next page of a look; before a new look it waits."""
        if self._cursor is None:
            if self._began:
                await asyncio.sleep(INTERVAL)
            await self._look()
        with translated_errors():
            documents = await self._cursor.to_list(_PAGE)
        ids = self._foreign(documents)
        if len(documents) < _PAGE:
            # Only now, for a look that breaks off must be taken again.
            self._cursor = None
            self._position, self._told = self._began, self._telling
        return Changes(ids, self._position)

    async def close(self) -> None:
        """Close the cursor on the server; the next look comes at once."""
        cursor, self._cursor, self._began = self._cursor, None, ""
        if cursor is not None:
            with suppress(PyMongoError, OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await cursor.close()

    async def _look(self) -> None:
        now = await self._time()
        since = _read(self._position) - OVERLAP
        # A time far ahead would be met at every look until then.
        window = {"$gte": since, "$lte": now + OVERLAP}
        self._cursor = self._templates.find(
            {"updated_at": window},
            {"updated_at": True, "event_at": True, "version": True},
            batch_size=_PAGE,
        )
        self._began, self._remember_from, self._telling = now.isoformat(), now - OVERLAP, set()

    def _foreign(self, documents: list[Mapping[str, Any]]) -> tuple[str, ...]:
        """Ids of the documents whose last change brought no event of its own."""
        ids = []
        for document in documents:
            template_id, updated_at = document["_id"], document["updated_at"]
            # A list of times matches, too.
            if not isinstance(template_id, str) or not isinstance(updated_at, datetime):
                continue
            if updated_at == document.get("event_at"):
                continue
            version = document.get("version")
            mark = (template_id, updated_at, str(version))
            if updated_at >= self._remember_from:
                self._telling.add(mark)
            if mark not in self._told:
                ids.append(template_id)
        return tuple(ids)

    async def _time(self) -> datetime:
        with translated_errors():
            hello = await self._database.command("hello")
        local_time: datetime = hello["localTime"]
        return local_time.replace(tzinfo=UTC)


def _read(position: str) -> datetime:
    try:
        return datetime.fromisoformat(position)
    except ValueError as error:
        raise HistoryLost("the stored position is no time") from error
