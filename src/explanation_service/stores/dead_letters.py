"""The stream of events that were set aside: to look at, to put back, to drop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from explanation_service.stores.redis import RedisClient, translated_errors

# What EventStream.dead_letter adds to the fields of the event.
_NOTES = ("reason", "detail", "source_id", "deliveries", "consumer", "trace")

_MOST_TEMPLATES = 10_000

# Both or neither: an event must not come back twice because a client died in between. KEYS: dead
# letters, stream; ARGV: id, then the fields.
_REPLAY = """
if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then return false end
return redis.call('XADD', KEYS[2], '*', unpack(ARGV, 2))
"""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that was set aside; `fields` are those it had in the stream, as `source_id`.

    `consumer` had it last, at the delivery number `deliveries`; `trace` is the last failure that
    led here, as far as the worker lived to tell it.
    """

    id: str
    reason: str
    detail: str
    source_id: str
    fields: dict[str, str]
    deliveries: int = 0
    consumer: str = ""
    trace: str = ""

    @property
    def set_aside_at(self) -> datetime:
        """When; the first half of an entry's id is its time in milliseconds."""
        return datetime.fromtimestamp(int(self.id.partition("-")[0]) / 1000, UTC)


class DeadLetters:
    """The dead letters of one stream. Every method raises StoreUnavailable, and StoreRejected for
    what is no id of an entry."""

    def __init__(self, redis: RedisClient, stream_name: str) -> None:
        self._redis = redis
        self._stream = stream_name
        self._name = f"{stream_name}:dead"
        self._replay = redis.register_script(_REPLAY)

    async def list(self, after: str | None = None, limit: int = 100) -> list[DeadLetter]:
        """Up to `limit` letters, oldest first, with ids above `after`."""
        start = "-" if after is None else f"({after}"
        with translated_errors():
            rows = await self._redis.xrange(self._name, min=start, count=limit)
        return [_letter(entry_id, fields) for entry_id, fields in rows or []]

    async def templates(self) -> set[tuple[str, int]]:
        """Ids and versions of the templates that the letters are about, the oldest 10,000."""
        found: set[tuple[str, int]] = set()
        after = None
        while len(found) < _MOST_TEMPLATES:
            letters = await self.list(after, 500)
            if not letters:
                break
            after = letters[-1].id
            for letter in letters:
                version = letter.fields.get("version", "")
                if version.isdecimal():
                    found.add((letter.fields.get("entity_id", ""), int(version)))
        return found

    async def get(self, letter_id: str) -> DeadLetter | None:
        """One letter, or None."""
        with translated_errors():
            rows = await self._redis.xrange(self._name, min=letter_id, max=letter_id, count=1)
        return _letter(rows[0][0], rows[0][1]) if rows else None

    async def replay(self, letter: DeadLetter) -> str | None:
        """Put the event back into the stream; the answer is its new id, None when the letter had
        gone meanwhile."""
        flat = [text for pair in letter.fields.items() for text in pair]
        with translated_errors():
            entry_id = await self._replay(keys=[self._name, self._stream], args=[letter.id, *flat])
        return None if entry_id is None else str(entry_id)

    async def drop(self, letter_id: str) -> bool:
        """Delete a letter; False when there was none."""
        with translated_errors():
            return int(await self._redis.xdel(self._name, letter_id)) == 1


def _letter(entry_id: Any, fields: Any) -> DeadLetter:
    notes = {name: str(fields.get(name, "")) for name in _NOTES}
    deliveries = notes["deliveries"]
    return DeadLetter(
        id=str(entry_id),
        reason=notes["reason"],
        detail=notes["detail"],
        source_id=notes["source_id"],
        fields={name: text for name, text in fields.items() if name not in _NOTES},
        deliveries=int(deliveries) if deliveries.isdecimal() else 0,
        consumer=notes["consumer"],
        trace=notes["trace"],
    )
