"""How long it takes after a fault until what was in hand then is done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.chaos_edits import Ledger
from bench.insist import insist
from explanation_service.content.rule_book import RuleBook
from explanation_service.content.template import TemplateDraft
from explanation_service.indexing.connections import Connections
from explanation_service.indexing.tasks import end
from explanation_service.stores.errors import GroupMissing, StoreError
from explanation_service.stores.redis import run, translated_errors

_INTERVAL = 0.2
_MOST_PENDING = 100_000


@dataclass(frozen=True)
class Snapshot:
    """The group at one moment; entries that will be dead letters are left out of `pending`, for
    they wait for five leases whatever happens."""

    pending: dict[str, str] = field(default_factory=dict)
    """Entry id to consumer."""
    poison_pending: int = 0
    delivered: str = "0-0"
    """The last id that was handed out."""
    last: str = "0-0"
    """The last id in the stream."""
    lag: int = 0


@dataclass
class Recovery:
    """One fault: `at` and `lasted` in seconds of the run.

    `in_hand`: events, poison aside, that were not acknowledged at its end (of a worker: those that
    it held when it was hit); `after`: seconds from its end until all of them were, None while they
    are not; `searchable`: until an edit made at its end was.
    """

    fault: str
    at: float
    lasted: float
    in_hand: int
    done: Callable[[Snapshot], bool]
    ended: float = field(default_factory=time.monotonic)
    after: float | None = None
    probed: bool = False
    """Whether such an edit is made."""
    searchable: float | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is left of the fault."""
        return self.after is not None and (self.searchable is not None or not self.probed)


class Recoveries:
    """`run` watches the group in the background."""

    def __init__(self, stores: Connections, ledger: Ledger) -> None:
        self._stores = stores
        self._ledger = ledger
        self._started = time.monotonic()
        self._poison: dict[str, bool] = {}
        self._rule_book = RuleBook(stores.repository, stores.stream)
        self._probes: list[asyncio.Task[None]] = []
        self.latest = Snapshot()
        self.all: list[Recovery] = []

    def clock(self) -> float:
        """Seconds of the run."""
        return time.monotonic() - self._started

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_INTERVAL)

    async def look(self) -> Snapshot:
        """The group now; as it was when Redis last answered, where it does not."""
        try:
            self.latest = await self._snapshot()
        except StoreError:
            return self.latest
        now = time.monotonic()
        for recovery in self.all:
            if recovery.after is None and recovery.done(self.latest):
                recovery.after = now - recovery.ended
        return self.latest

    async def held_by(self, consumer: str) -> set[str]:
        """The entries that a worker has in hand."""
        return {entry for entry, who in (await self.look()).pending.items() if who == consumer}

    def worker_fault(self, fault: str, held: set[str], at: float, lasted: float = 0.0) -> None:
        """A worker was lost that held these: they are what must be acknowledged."""
        recovery = Recovery(fault, at, lasted, len(held), lambda now: not held & now.pending.keys())
        self.all.append(recovery)

    async def store_fault(self, fault: str, at: float, lasted: float) -> None:
        """A store was away: all that is in the stream now must be acknowledged."""
        now = await self.look()
        mark = _order(now.last)
        in_hand = len(now.pending) + now.lag

        def done(later: Snapshot) -> bool:
            read = _order(later.delivered) >= mark
            return read and all(_order(entry) > mark for entry in later.pending)

        recovery = Recovery(fault, at, lasted, in_hand, done, probed=True)
        self.all.append(recovery)
        self._probes.append(asyncio.create_task(self._probe(recovery)))

    async def close(self) -> None:
        """Ask no longer for edits that are not searchable yet."""
        await end(*self._probes)

    async def _probe(self, recovery: Recovery) -> None:
        template_id = f"probe-{len(self.all)}"
        draft = TemplateDraft(title="Правило", body=f"Изменение после сбоя {len(self.all)}.")
        template, _ = await insist(lambda: self._rule_book.put(template_id, draft))
        self._ledger.written[template_id] = draft
        while True:
            found = await insist(lambda: self._stores.index.indexed_state([template_id]))
            if template_id in found and found[template_id].version == template.version:
                break
            await asyncio.sleep(_INTERVAL / 2)
        recovery.searchable = time.monotonic() - recovery.ended

    async def _snapshot(self) -> Snapshot:
        stream = self._stores.stream
        redis = self._stores.redis
        with translated_errors():
            groups: list[Any] = await redis.xinfo_groups(stream.name)
            info: Any = await redis.xinfo_stream(stream.name)
            rows: list[Any] = await redis.xpending_range(
                stream.name, stream.group, "-", "+", _MOST_PENDING
            )
        group = next((row for row in groups if row["name"] == stream.group), None)
        if group is None:
            raise GroupMissing(stream.group)
        pending = {str(row["message_id"]): str(row["consumer"]) for row in rows}
        await self._learn(list(pending))
        poison = {entry for entry in pending if self._poison[entry]}
        status = await stream.status()
        return Snapshot(
            {entry: who for entry, who in pending.items() if entry not in poison},
            len(poison),
            str(group["last-delivered-id"]),
            str(info["last-generated-id"]),
            status.lag,
        )

    async def _learn(self, entries: list[str]) -> None:
        """Which entries are poison."""
        unknown = [entry for entry in entries if entry not in self._poison]
        if not unknown:
            return
        with translated_errors():
            async with self._stores.redis.pipeline(transaction=False) as pipe:
                for entry in unknown:
                    pipe.xrange(self._stores.stream.name, entry, entry)
                found = await run(pipe)
        for entry, rows in zip(unknown, found, strict=True):
            self._poison[entry] = bool(rows) and self._ledger.is_poison(rows[0][1])


def _order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence or 0)
