"""No exception of a driver leaves the stores, and each becomes the right one of ours."""

from __future__ import annotations

import httpx
import pymongo.errors
import pytest
import redis.exceptions
from bson.errors import InvalidDocument
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from explanation_service.settings import SettingsError, load_settings
from explanation_service.stores import mongo_connection, qdrant, qdrant_rest
from explanation_service.stores import redis as redis_store
from explanation_service.stores.errors import (
    CollectionMissing,
    GroupMissing,
    StoreError,
    StoreRejected,
    StoreUnavailable,
    one_line,
)


def answer(status: int) -> UnexpectedResponse:
    return UnexpectedResponse(status, "reason", b'{"status":{"error":"why"}}', httpx.Headers())


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (redis.exceptions.ConnectionError("refused"), StoreUnavailable),
        (redis.exceptions.TimeoutError("slow"), StoreUnavailable),
        (redis.exceptions.BusyLoadingError("LOADING"), StoreUnavailable),
        (redis.exceptions.AuthenticationError("WRONGPASS"), StoreUnavailable),
        (redis.exceptions.ReadOnlyError("READONLY"), StoreUnavailable),
        (redis.exceptions.OutOfMemoryError("OOM command not allowed"), StoreUnavailable),
        (redis.exceptions.ResponseError("MISCONF no disk"), StoreUnavailable),
        (redis.exceptions.ResponseError("NOGROUP No such key"), GroupMissing),
        (redis.exceptions.ResponseError("UNBLOCKED the stream key"), GroupMissing),
        (redis.exceptions.ResponseError("WRONGTYPE Operation"), StoreRejected),
        (OSError("broken pipe"), StoreUnavailable),
        (TimeoutError(), StoreUnavailable),
    ],
)
def test_redis(raised: Exception, expected: type[StoreError]) -> None:
    with pytest.raises(expected) as caught, redis_store.translated_errors():
        raise raised
    assert type(caught.value) is expected


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (pymongo.errors.ServerSelectionTimeoutError("none"), StoreUnavailable),
        (pymongo.errors.AutoReconnect("closed"), StoreUnavailable),
        (pymongo.errors.OperationFailure("auth", 18), StoreUnavailable),
        (pymongo.errors.InvalidOperation("closed client"), StoreUnavailable),
        (pymongo.errors.OperationFailure("type", 14), StoreRejected),
        (pymongo.errors.WriteError("invalid", 121), StoreRejected),
        (pymongo.errors.DuplicateKeyError("dup", 11000), StoreRejected),
        (InvalidDocument("too large"), StoreRejected),
    ],
)
def test_mongodb(raised: Exception, expected: type[StoreError]) -> None:
    with pytest.raises(expected) as caught, mongo_connection.translated_errors():
        raise raised
    assert type(caught.value) is expected


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (ResponseHandlingException(httpx.ConnectError("refused")), StoreUnavailable),
        (ResponseHandlingException(httpx.ReadTimeout("slow")), StoreUnavailable),
        (ResourceExhaustedResponse("later", 3), StoreUnavailable),
        (answer(500), StoreUnavailable),
        (answer(401), StoreUnavailable),
        (answer(429), StoreUnavailable),
        (answer(404), CollectionMissing),
        (answer(400), StoreRejected),
        (answer(422), StoreRejected),
        (TimeoutError(), StoreUnavailable),
    ],
)
def test_qdrant(raised: Exception, expected: type[StoreError]) -> None:
    with pytest.raises(expected) as caught, qdrant.translated_errors("templates"):
        raise raised
    assert type(caught.value) is expected


def test_other_exceptions_pass() -> None:
    for translated in (
        redis_store.translated_errors(),
        mongo_connection.translated_errors(),
        qdrant.translated_errors("c"),
    ):
        with pytest.raises(KeyError), translated:
            raise KeyError("a bug of ours")


def test_details_are_one_short_line() -> None:
    assert one_line(ValueError("a\n  b\tc")) == "a b c"
    assert one_line(TimeoutError()) == "TimeoutError"
    assert len(one_line(ValueError("x" * 1000))) == 300


async def test_an_address_that_a_driver_cannot_read_is_a_wrong_setting() -> None:
    settings = load_settings(
        mongodb_uri="mongodb://user:hunter2:hunter2@h", qdrant_url="http://h:port"
    )
    for connect, name in (
        (mongo_connection.connect_mongodb, "MONGODB_URI"),
        (qdrant.connect_qdrant, "QDRANT_URL"),
        (qdrant_rest.connect_qdrant_rest, "QDRANT_URL"),
    ):
        with pytest.raises(SettingsError, match=name) as caught:
            connect(settings)
        assert "hunter2" not in str(caught.value) and caught.value.__context__ is None
    with pytest.raises(SettingsError, match="REDIS_URL"):
        redis_store.connect_redis(load_settings(redis_url="redis://h:port/0"))
