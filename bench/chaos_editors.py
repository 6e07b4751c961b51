"""The editors of a chaos run: their events come once, twice, late and in disorder."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar
from uuid import UUID

from bench.chaos_edits import (
    Ledger,
    make_draft,
    malformed_entry,
    poisoned,
    relabelled,
)
from explanation_service.content.events import ContentEvent
from explanation_service.content.rule_book import RuleBook, TemplateNotFound
from explanation_service.content.template import TemplateDraft
from explanation_service.indexing.connections import Connections
from explanation_service.stores.errors import StoreUnavailable
from explanation_service.stores.redis import translated_errors

T = TypeVar("T")

EDITORS = 4
# One operation of these is poison: 1 %.
POISON_EVERY = 100
_RETRY_SECONDS = 0.2
# Events that an editor holds back before he publishes them in any order.
_MOST_LATE = 3
_WEIGHTS = {
    "edit": 46,
    "relabel": 6,
    "touch": 4,
    "delete": 10,
    "unpublish": 7,
    "repeat": 13,
    "late": 14,
}


class Editors:
    """`run` makes `events` operations, each of which is one event."""

    def __init__(
        self, stores: Connections, ledger: Ledger, seed: int, events: int, templates: int
    ) -> None:
        self._stores = stores
        self._ledger = ledger
        self._events = events
        self._editors = [
            _Editor(
                stores,
                ledger,
                random.Random(f"{seed} {number}"),
                [f"t-{one}" for one in range(templates) if one % EDITORS == number],
            )
            for number in range(EDITORS)
        ]

    async def run(self, seconds: float) -> None:
        """Spread evenly over `seconds`; later where a store was away, and then in a hurry."""
        started = time.monotonic()
        await asyncio.gather(
            *(
                self._work(editor, number, started, seconds)
                for number, editor in enumerate(self._editors)
            )
        )

    async def _work(self, editor: _Editor, first: int, started: float, seconds: float) -> None:
        for number in range(first, self._events, EDITORS):
            due = started + seconds * number / self._events
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await editor.operate(number)
            self._ledger.operations += 1
        await editor.publish_late()


class _Editor:
    """The only one who writes these templates, so that he knows what was written last."""

    def __init__(
        self, stores: Connections, ledger: Ledger, draw: random.Random, ids: list[str]
    ) -> None:
        self._stores = stores
        self._rule_book = RuleBook(stores.repository, stores.stream)
        self._ledger = ledger
        self._draw = draw
        self._ids = ids
        self._versions: dict[str, int] = {}
        self._late: list[ContentEvent] = []
        self._last_poison = ""

    async def operate(self, number: int) -> None:
        """One operation; waits while a store is away."""
        if number % POISON_EVERY == POISON_EVERY // 2:
            await self._poison(number)
            return
        template_id = self._draw.choice(self._ids)
        kind = self._draw.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        there = self._ledger.written.get(template_id)
        fresh = make_draft(self._draw, number)
        if template_id not in self._versions or kind in ("edit", "late"):
            await self._write(template_id, fresh, late=kind == "late")
        elif kind == "repeat":
            await self._repeat(template_id, number)
        elif there is None:
            await self._write(template_id, fresh)
        elif kind == "delete":
            await self._delete(template_id)
        elif kind == "relabel":
            await self._write(template_id, relabelled(self._draw, there))
        elif kind == "touch":
            await self._write(template_id, there)
        else:
            await self._write(template_id, there.model_copy(update={"status": "draft"}))

    async def publish_late(self) -> None:
        """Events held back, in any order, maybe long after others of the same template."""
        self._draw.shuffle(self._late)
        for event in self._late:
            await insist(lambda event=event: self._stores.stream.append(event))  # type: ignore[misc]
            await insist(
                lambda event=event: self._stores.repository.clear_outbox(  # type: ignore[misc]
                    event.entity_id, event.event_id
                )
            )
        self._late = []

    async def _write(self, template_id: str, draft: TemplateDraft, late: bool = False) -> None:
        if late:
            written = await insist(lambda: self._stores.repository.put(template_id, draft))
            self._late.append(written.event)
            version = written.template.version
        else:
            template, _ = await insist(lambda: self._rule_book.put(template_id, draft))
            version = template.version
        self._versions[template_id] = version
        self._ledger.written[template_id] = draft
        if len(self._late) >= _MOST_LATE:
            await self.publish_late()

    async def _delete(self, template_id: str) -> None:
        # Not found: the first attempt had come through, and only its answer was lost.
        with contextlib.suppress(TemplateNotFound):
            await insist(lambda: self._rule_book.delete(template_id))
        self._ledger.written[template_id] = None

    async def _repeat(self, template_id: str, number: int) -> None:
        """An event of any older version, of any kind: it is a pointer, so it may not matter."""
        op: Literal["upsert", "delete"] = self._draw.choice(("upsert", "delete"))
        version = self._draw.randint(1, self._versions[template_id])
        await self._append(template_id, op, version, number)

    async def _append(
        self, template_id: str, op: Literal["upsert", "delete"], version: int, number: int
    ) -> str:
        event = ContentEvent(
            event_id=f"{UUID(int=number)}",
            entity_id=template_id,
            op=op,
            version=version,
            occurred_at=datetime.now(UTC),
        )
        await insist(lambda: self._stores.stream.append(event))
        return event.event_id

    async def _poison(self, number: int) -> None:
        turn = number // POISON_EVERY % 5
        if turn == 0:
            mark = f"malformed-{number}"
            self._ledger.malformed.add(mark)
            await insist(lambda: self._append_fields(malformed_entry(self._draw, mark)))
        elif turn == 1 and self._last_poison:
            event_id = await self._append(self._last_poison, "upsert", 1, number)
            self._ledger.poison_events.add(event_id)
        else:
            template_id = self._last_poison = f"poison-{number}"
            self._ledger.poison.add(template_id)
            draft = poisoned(self._draw, lethal=False)
            await insist(lambda: self._rule_book.put(template_id, draft))
            self._ledger.written[template_id] = draft

    async def _append_fields(self, fields: dict[str, str]) -> None:
        flat: dict[Any, Any] = {**fields}
        with translated_errors():
            await self._stores.redis.xadd(self._stores.stream.name, flat)


async def insist(operation: Callable[[], Awaitable[T]]) -> T:
    """The operation's result, however long its store is away."""
    while True:
        try:
            return await operation()
        except StoreUnavailable:
            await asyncio.sleep(_RETRY_SECONDS)
