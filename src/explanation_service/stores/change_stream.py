"""Changes of the rule book through a change stream: where MongoDB is a replica set."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from bson import json_util
from pymongo.errors import OperationFailure, PyMongoError

from explanation_service.stores.change_source import Changes
from explanation_service.stores.errors import HistoryLost, StoreError, one_line
from explanation_service.stores.mongo_connection import MongoStore, translated_errors

# The server waits so long for a change before it says that there is none.
_WAIT_MS = 250
# Changes and seconds of one answer: a single edit goes on at once, an import in large steps.
_MOST_CHANGES = 500
_LONGEST = 0.25
# FailedToParse (a token of another product or age), CappedPositionLost, InvalidResumeToken,
# ChangeStreamFatalError, ChangeStreamHistoryLost.
_HISTORY_LOST = {9, 136, 260, 280, 286}
# Unauthorized, CommandNotSupported, no such stage, only for replica sets: it will not get better.
_NO_STREAMS = {13, 115, 40324, 40573}
_CHANGES = ("insert", "update", "replace", "delete")
# The stream ends with each of them; the last says so of the others.
_ENDS = ("drop", "rename", "dropDatabase", "invalidate")


class NoChangeStreams(StoreError):
    """This server, or this user of it, has none."""


class ChangeStreamSource:
    """See `ChangeSource`. A position is a resume token as JSON."""

    name = "change_stream"

    def __init__(self, store: MongoStore) -> None:
        self._templates = store.database["templates"]
        self._stream: Any = None

    async def now(self) -> str:
        """The token of a stream that has seen nothing yet. Raises NoChangeStreams."""
        stream = self._templates.watch(max_await_time_ms=_WAIT_MS)
        try:
            with translated_errors(), _refusals():
                # It is opened by the first call. A change that came meanwhile is older than the
                # token, and than whatever the caller reads next.
                await stream.try_next()
                while stream.resume_token is None:
                    await stream.try_next()
                return json_util.dumps(stream.resume_token)
        finally:
            await _close(stream)

    async def begin(self, position: str) -> None:
        """Nothing is sent yet; `next` finds out whether the server still knows the position."""
        await self.close()
        try:
            token = json_util.loads(position)
        except ValueError as error:
            raise HistoryLost("the stored position is no resume token") from error
        self._stream = self._templates.watch(resume_after=token, max_await_time_ms=_WAIT_MS)

    async def next(self) -> Changes:
        """Reads for a quarter of a second, a little longer where nothing comes."""
        ids: dict[str, None] = {}
        until = time.monotonic() + _LONGEST
        with translated_errors(), _refusals():
            for _ in range(_MOST_CHANGES):
                change = await self._stream.try_next()
                if change is None:
                    break
                changed = _foreign(change)
                if changed is not None:
                    ids[changed] = None
                if time.monotonic() >= until:
                    break
            return Changes(tuple(ids), json_util.dumps(self._stream.resume_token))

    async def close(self) -> None:
        """Close the cursor on the server."""
        if self._stream is not None:
            stream, self._stream = self._stream, None
            await _close(stream)


def _foreign(change: Mapping[str, Any]) -> str | None:
    """The id of a document that somebody else changed; None for a change of our own.

    A write of ours sets the outbox in the same step, and what takes the outbox away sets nothing.
    Replacing a document is never ours, even where an outbox is copied with it. Raises HistoryLost
    when the collection was dropped or renamed: the stream ends there.
    """
    kind = change["operationType"]
    if kind in _ENDS:
        raise HistoryLost(f"the collection of templates met with {kind}")
    template_id = change["documentKey"]["_id"] if kind in _CHANGES else None
    if not isinstance(template_id, str):
        return None
    if kind == "insert" and "outbox" in (change.get("fullDocument") or {}):
        return None
    if kind == "update":
        description = change["updateDescription"]
        touched = [*description.get("updatedFields", {}), *description.get("removedFields", [])]
        # Servers may tell the new outbox field by field.
        if any(name.split(".")[0] == "outbox" for name in touched):
            return None
    return template_id


async def _close(stream: Any) -> None:
    with suppress(PyMongoError, OSError, TimeoutError):
        async with asyncio.timeout(1):
            await stream.close()


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except OperationFailure as error:
        if error.code in _HISTORY_LOST:
            raise HistoryLost(one_line(error)) from error
        if error.code in _NO_STREAMS:
            raise NoChangeStreams(one_line(error)) from error
        raise
