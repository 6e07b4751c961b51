"""The editors of a chaos run: their events come once, twice, late and in disorder."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal
from uuid import UUID

from bench.chaos_edits import (
    Ledger,
    make_draft,
    malformed_entry,
    poisoned,
    relabelled,
)
from bench.insist import insist
from explanation_service.content.events import ContentEvent
from explanation_service.content.rule_book import RuleBook, TemplateNotFound
from explanation_service.content.template import TemplateDraft
from explanation_service.indexing.connections import Connections
from explanation_service.stores.redis import translated_errors

EDITORS = 4
# One operation of these is poison: 1 %. Of five of those one is malformed and one the repetition of
# an event; the rest are texts that the model fails at, in each twenty one that it dies of.
POISON_EVERY = 100
_MALFORMED, _REPEATED, _KINDS = 0, 1, 5
_LETHAL, _LETHAL_EVERY = 3, 20
_POLL_SECONDS = 0.05
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

    async def run(self, seconds: float, allowed: Callable[[], float]) -> None:
        """Spread evenly over `seconds`; later where a store was away, and then in a hurry, but
        never more than the share `allowed` of the events."""
        started = time.monotonic()

        async def until_due(number: int) -> None:
            due = started + seconds * number / self._events
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            while number >= allowed() * self._events:
                await asyncio.sleep(_POLL_SECONDS)

        editors = enumerate(self._editors)
        await asyncio.gather(*(self._work(editor, n, until_due) for n, editor in editors))

    async def _work(
        self, editor: _Editor, first: int, until_due: Callable[[int], Awaitable[None]]
    ) -> None:
        for number in range(first, self._events, EDITORS):
            await until_due(number)
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
            await insist(partial(self._stores.stream.append, event))
            clear = self._stores.repository.clear_outbox
            await insist(partial(clear, event.entity_id, event.event_id))
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
        turn = number // POISON_EVERY
        if turn % _KINDS == _MALFORMED:
            mark = f"malformed-{number}"
            self._ledger.malformed.add(mark)
            await insist(lambda: self._append_fields(malformed_entry(self._draw, mark)))
        elif turn % _KINDS == _REPEATED and self._last_poison:
            event_id = await self._append(self._last_poison, "upsert", 1, number)
            self._ledger.poison_events.add(event_id)
        else:
            template_id = self._last_poison = f"poison-{number}"
            self._ledger.poison.add(template_id)
            draft = poisoned(self._draw, lethal=turn % _LETHAL_EVERY == _LETHAL)
            await insist(lambda: self._rule_book.put(template_id, draft))
            self._ledger.written[template_id] = draft

    async def _append_fields(self, fields: dict[str, str]) -> None:
        flat: dict[Any, Any] = {**fields}
        with translated_errors():
            await self._stores.redis.xadd(self._stores.stream.name, flat)
