"""The connection to MongoDB, and the translation of what pymongo raises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bson.errors import BSONError
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import OperationFailure, PyMongoError, WriteError
from pymongo.write_concern import WriteConcern

from explanation_service.settings import Settings, SettingsError
from explanation_service.stores.errors import StoreRejected, StoreUnavailable, one_line

# Milliseconds. A request that meets a dead MongoDB must fail while its caller still waits; the
# socket's limit is for a query that hangs, and is far above any of ours.
_SELECTION_TIMEOUT = 2_000
_CONNECT_TIMEOUT = 2_000
_SOCKET_TIMEOUT = 10_000
# TypeMismatch, DocumentValidationFailure, BSONObjectTooLarge (and its two forms for updates).
_REFUSED_WRITES = {14, 121, 10334, 17419, 17420}


class MongoStore:
    """One client and one database; the client connects on first use, on the running loop."""

    def __init__(self, client: AsyncIOMotorClient[dict[str, Any]], database: str) -> None:
        self._client = client
        # Journaled: without it a kill -9 of the server loses writes it has acknowledged.
        durable = WriteConcern("majority", j=True)
        self.database = client.get_database(database, write_concern=durable)

    async def ping(self) -> None:
        """Raises StoreUnavailable unless MongoDB answers."""
        with translated_errors():
            await self.database.command("ping")

    async def close(self) -> None:
        """Close the client and its connections."""
        self._client.close()


def connect_mongodb(settings: Settings) -> MongoStore:
    """The store of these settings; raises SettingsError when the driver cannot read MONGODB_URI."""
    try:
        client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(
            settings.mongodb_uri,
            appname="explanation-service",
            tz_aware=True,
            serverSelectionTimeoutMS=_SELECTION_TIMEOUT,
            connectTimeoutMS=_CONNECT_TIMEOUT,
            socketTimeoutMS=_SOCKET_TIMEOUT,
            waitQueueTimeoutMS=_CONNECT_TIMEOUT,
        )
    except (PyMongoError, ValueError):
        client_error = "MONGODB_URI must be a connection string that MongoDB's driver can read."
    else:
        return MongoStore(client, settings.mongodb_db)
    # Outside of the except clause: the driver's text can quote the address.
    raise SettingsError(client_error)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Within the block, what pymongo raises leaves as one of `stores.errors`.

    A refused write or a document that does not fit is the request's fault; the queries are ours
    and fixed, so whatever else the server refuses (authentication, disk) is its own state.
    """
    try:
        yield
    except (WriteError, BSONError) as error:
        raise StoreRejected("mongodb", one_line(error)) from error
    except OperationFailure as error:
        # findAndModify reports a refused write as a failed command.
        if error.code in _REFUSED_WRITES:
            raise StoreRejected("mongodb", one_line(error)) from error
        raise StoreUnavailable("mongodb", one_line(error)) from error
    except (PyMongoError, OSError) as error:
        raise StoreUnavailable("mongodb", one_line(error)) from error
