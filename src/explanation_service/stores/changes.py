"""Chooses how changes of the rule book are learnt."""

from __future__ import annotations

from explanation_service.stores.change_polling import PollingSource
from explanation_service.stores.change_source import Changes, ChangeSource
from explanation_service.stores.change_stream import ChangeStreamSource, NoChangeStreams
from explanation_service.stores.mongo_connection import MongoStore, translated_errors
from explanation_service.telemetry.logging import get_logger

__all__ = ["ChangeSource", "Changes", "open_changes"]

log = get_logger(__name__)


async def open_changes(store: MongoStore) -> ChangeSource:
    """A change stream where the server is part of a replica set or a sharded cluster and lets us
    have one, else polling. Raises StoreUnavailable."""
    with translated_errors():
        hello = await store.database.command("hello")
    if "setName" in hello or hello.get("msg") == "isdbgrid":
        stream = ChangeStreamSource(store)
        try:
            await stream.now()
            return stream
        except NoChangeStreams as error:
            log.warning("no change streams, the rule book is polled", why=str(error))
    return PollingSource(store)
