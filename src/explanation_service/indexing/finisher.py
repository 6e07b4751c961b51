"""Upsert and acknowledge: brings plans into the index and makes sure that they are the newest.

Nobody locks a template. Whoever writes reads MongoDB once more after the write and starts over
when the template moved; so the last one to write always leaves what MongoDB holds, however
workers, events and deaths interleave (tests/unit/indexing/test_convergence.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from explanation_service.indexing.embedder import Embedder
from explanation_service.indexing.in_hand import InHand, Request, Work
from explanation_service.indexing.patience import Patience
from explanation_service.indexing.plan import Action, Plan
from explanation_service.indexing.preparer import Preparer
from explanation_service.stores.errors import StoreRejected
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.mongodb import TemplateRepository
from explanation_service.stores.vector_index import VectorIndex
from explanation_service.telemetry.logging import get_logger
from explanation_service.telemetry.metrics import (
    embed_event_age_seconds,
    embed_events_total,
    embed_stage_seconds,
)

log = get_logger(__name__)

# Seconds. A template that was read longer ago is looked at again before it is written: an old
# version would not stay in any case, but need not be seen for a moment either.
READ_AGAIN_AFTER = 0.5


class Finisher:
    """The last stage. It waits while a store is away; what cannot be written is released, stays
    pending in the stream and is delivered again."""

    def __init__(
        self,
        repository: TemplateRepository,
        index: VectorIndex,
        stream: EventStream,
        preparer: Preparer,
        embedder: Embedder,
        in_hand: InHand,
        patience: Patience,
    ) -> None:
        self._repository = repository
        self._index = index
        self._stream = stream
        self._preparer = preparer
        self._embedder = embedder
        self._in_hand = in_hand
        self._patience = patience

    async def finish(self, plans: Sequence[Plan], give_up: Callable[[], bool]) -> None:
        """Carry out the plans; afterwards none of their templates is in hand."""
        while plans:
            works = await self._carry_out(plans, give_up())
            if not works or give_up():
                for work in works:
                    self._in_hand.release(work)
                return
            plans = []
            again = await self._preparer.prepare(works)
            async for group in self._embedder.embed(again, give_up):
                plans = [*plans, *group]

    async def _carry_out(self, plans: Sequence[Plan], giving_up: bool) -> list[Work]:
        """Write, check, acknowledge; the answer is what must be worked on again."""
        usable = [plan for plan in plans if self._usable(plan, giving_up)]
        moved = await self._moved(usable)
        written = await self._write([plan for plan in usable if plan not in moved])
        return [plan.work for plan in moved] + await self._settle(written)

    def _usable(self, plan: Plan, giving_up: bool) -> bool:
        if plan.work.abandoned:
            log.info("lease was lost, another worker has it", template_id=plan.work.template_id)
            self._in_hand.release(plan.work)
            return False
        if plan.action is Action.EMBED and not plan.embedded:
            if giving_up:
                self._in_hand.release(plan.work)
                return False
            self._fail(plan, "not embedded")
            return False
        return True

    async def _moved(self, plans: Sequence[Plan]) -> list[Plan]:
        limit = time.monotonic() - READ_AGAIN_AFTER
        old = [p for p in plans if p.action is not Action.KEEP and p.read_at < limit]
        if not old:
            return []
        ids = [plan.work.template_id for plan in old]
        stored = await self._patience.through(lambda: self._repository.get_many(ids))
        return [plan for plan in old if not plan.is_still(stored.get(plan.work.template_id))]

    async def _write(self, plans: Sequence[Plan]) -> list[Plan]:
        """Those that are written; when Qdrant refuses a request its plans are tried one by one."""
        if not plans:
            return []
        try:
            with embed_stage_seconds.labels("upsert").time():
                await self._write_together(plans)
            return list(plans)
        except StoreRejected as error:
            if len(plans) == 1:
                self._fail(plans[0], error.detail)
                return []
        return [done for plan in plans for done in await self._write([plan])]

    async def _write_together(self, plans: Sequence[Plan]) -> None:
        points = [p for plan in plans if plan.action is Action.EMBED for p in plan.points()]
        if points:
            await self._patience.through(lambda: self._index.upsert(points))
        removed = [p.work.template_id for p in plans if p.action is Action.REMOVE]
        if removed:
            await self._patience.through(lambda: self._index.delete(removed))
        for plan in plans:
            if plan.action is Action.NOTE_VERSION:
                await self._note_version(plan.work.template_id, plan.version)
            if plan.action in (Action.EMBED, Action.NOTE_VERSION) and plan.must_trim():
                await self._trim(plan.work.template_id, plan.chunks_after)

    async def _note_version(self, template_id: str, version: int) -> None:
        await self._patience.through(lambda: self._index.set_version(template_id, version))

    async def _trim(self, template_id: str, keep: int) -> None:
        await self._patience.through(lambda: self._index.trim(template_id, keep))

    async def _settle(self, plans: Sequence[Plan]) -> list[Work]:
        """Acknowledge what is done; the answer is what must be worked on again."""
        # A plan that wrote nothing cannot have overwritten anything.
        wrote = [plan for plan in plans if plan.action is not Action.KEEP]
        answered = {plan.work.template_id: list(plan.work.requests) for plan in wrote}
        ids = list(answered)
        stored = await self._patience.through(lambda: self._repository.get_many(ids)) if ids else {}
        again, done = [], []
        for plan in plans:
            template_id = plan.work.template_id
            if plan in wrote and not plan.is_still(stored.get(template_id)):
                plan.work.careful = True
                plan.work.overwrote = plan.action is Action.EMBED
                again.append(plan.work)
            else:
                done.append((plan, answered.get(template_id, plan.answered)))
        await self._acknowledge(done)
        for plan, requests in done:
            if not self._in_hand.settle(plan.work, requests):
                again.append(plan.work)
        return again

    async def _acknowledge(self, done: Sequence[tuple[Plan, Sequence[Request]]]) -> None:
        ids = [request.entry_id for _, requests in done for request in requests]
        if ids:
            await self._patience.through(lambda: self._stream.ack(ids))
        now = datetime.now(UTC)
        for plan, requests in done:
            for request in requests:
                embed_events_total.labels(request.event.op, plan.action.value).inc()
                age = (now - request.event.occurred_at).total_seconds()
                embed_event_age_seconds.observe(max(0.0, age))

    def _fail(self, plan: Plan, why: str) -> None:
        for request in plan.answered:
            embed_events_total.labels(request.event.op, "failed").inc()
        log.error("template failed, it comes back", template_id=plan.work.template_id, why=why)
        self._in_hand.release(plan.work)
