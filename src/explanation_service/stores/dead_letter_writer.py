"""Sets entries aside: the dead letter, and the trace of the failures that led to it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from explanation_service.stores.records import Delivery
from explanation_service.stores.redis import RedisClient, run, translated_errors
from explanation_service.stores.stream_scripts import SET_ASIDE

# Characters; an exception can quote a whole document. Of a trace the end is kept: it says what.
_MAX_DETAIL = 2000
_MAX_TRACE = 4000
# Seconds between a failure and the delivery after it, an outage of all workers included.
_TRACE_TTL = 24 * 3600
# A hostile entry with thousands of fields must not stop its own burial.
_MAX_FIELDS = 100
_ADDED_BY_SCRIPT = ("deliveries", "consumer", "trace")


class DeadLetterWriter:
    """For one group of one stream. Both methods raise StoreUnavailable; `write` GroupMissing, too.

    <stream>:dead              stream: the dead letters
    <stream>:failure:<entry>   text: the trace of the last failure, gone after a day
    """

    def __init__(self, redis: RedisClient, stream_name: str, group: str) -> None:
        self._redis = redis
        self._script = redis.register_script(SET_ASIDE)
        self._stream = stream_name
        self._group = group
        self.name = f"{stream_name}:dead"

    async def note_failure(self, ids: Sequence[str], trace: str) -> None:
        """Keep why the work on these entries failed, in place of what was kept before."""
        with translated_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                for entry_id in ids:
                    pipe.set(self._trace_key(entry_id), trace[-_MAX_TRACE:], ex=_TRACE_TTL)
                await run(pipe)

    async def write(
        self, delivery: Delivery, reason: str, detail: str, no_trace: str
    ) -> str | None:
        """See `EventStream.dead_letter`."""
        fields = {
            **dict(islice(delivery.fields.items(), _MAX_FIELDS)),
            "reason": reason,
            "detail": detail[:_MAX_DETAIL],
            "source_id": delivery.entry_id,
        }
        flat = [
            text
            for name, value in fields.items()
            if name not in _ADDED_BY_SCRIPT
            for text in (name, value)
        ]
        with translated_errors():
            letter_id = await self._script(
                keys=[self._stream, self.name, self._trace_key(delivery.entry_id)],
                args=[self._group, delivery.entry_id, no_trace, *flat],
            )
        return None if letter_id is None else str(letter_id)

    def _trace_key(self, entry_id: str) -> str:
        return f"{self._stream}:failure:{entry_id}"
