"""Upsert and acknowledge: brings plans into the index and makes sure that they are the newest.

Nobody locks a template. No version replaces a higher one (stores/vector_writes.py), and whoever
writes reads index and MongoDB once more after the write and starts over when the template moved.
So the index ends as MongoDB is, however workers, events and deaths interleave
(tests/unit/indexing/test_histories.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from explanation_service.indexing.embedder import Embedder
from explanation_service.indexing.failures import Failures
from explanation_service.indexing.in_hand import InHand, Request, Work
from explanation_service.indexing.index_writer import IndexWriter
from explanation_service.indexing.leases import Leases
from explanation_service.indexing.patience import Patience
from explanation_service.indexing.plan import Action, Plan
from explanation_service.indexing.preparer import Preparer
from explanation_service.stores.errors import StoreRejected
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.mongodb import StoredTemplate, TemplateRepository
from explanation_service.stores.records import IndexedState
from explanation_service.stores.vector_index import VectorIndex
from explanation_service.telemetry.logging import get_logger
from explanation_service.telemetry.metrics import (
    embed_event_age_seconds,
    embed_events_total,
    embed_stage_seconds,
)
from explanation_service.telemetry.request_context import bind
from explanation_service.telemetry.tracing import span

log = get_logger(__name__)

# Seconds. A template that was read longer ago is looked at again before it is written: an old
# version would not stay in any case, but need not be seen for a moment either.
READ_AGAIN_AFTER = 0.5
# How often a write may not show in the index before the template counts as failed.
MOST_UNSEEN = 3


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
        leases: Leases,
        failures: Failures,
    ) -> None:
        self._repository = repository
        self._index = index
        self._writer = IndexWriter(index, leases, patience)
        self._stream = stream
        self._preparer = preparer
        self._embedder = embedder
        self._in_hand = in_hand
        self._patience = patience
        self._leases = leases
        self._failures = failures

    async def finish(self, plans: Sequence[Plan], give_up: Callable[[], bool]) -> None:
        """Carry out the plans; afterwards none of their templates is in hand."""
        while plans:
            works = await self._carry_out(plans, give_up())
            if not works or give_up():
                for work in works:
                    self._in_hand.leave(work)
                return
            plans = []
            again = await self._preparer.prepare(works)
            async for group in self._embedder.embed(again, give_up):
                plans = [*plans, *group]

    async def _carry_out(self, plans: Sequence[Plan], giving_up: bool) -> list[Work]:
        """Write, check, acknowledge; the answer is what must be worked on again."""
        usable = [plan for plan in plans if await self._usable(plan, giving_up)]
        moved = await self._moved(usable)
        written = await self._write([plan for plan in usable if plan not in moved])
        again = moved + await self._settle(written)
        return [plan.work for plan in again if not await self._abandoned(plan)]

    async def _usable(self, plan: Plan, giving_up: bool) -> bool:
        if await self._abandoned(plan):
            return False
        if plan.action is Action.EMBED and not plan.embedded:
            if giving_up and plan.failure is None:
                self._in_hand.leave(plan.work)
            else:
                await self._fail(plan, plan.failure or RuntimeError("not embedded"))
            return False
        return True

    async def _abandoned(self, plan: Plan) -> bool:
        """Whether another worker has it. Where we have written, that one may have been done
        before: an event makes somebody look once more."""
        work = plan.work
        if not work.abandoned:
            return False
        log.info("lease was lost, another worker has it", template_id=work.template_id)
        if work.wrote:
            stored = plan.stored or StoredTemplate(work.template_id, None, 1, deleted=True)
            await self._patience.through(lambda: self._stream.append(stored.event()))
        self._in_hand.release(work)
        return True

    async def _moved(self, plans: Sequence[Plan]) -> list[Plan]:
        """Those whose template is another one by now; only what may be is looked at."""
        limit = time.monotonic() - READ_AGAIN_AFTER
        doubtful = [
            plan
            for plan in plans
            if plan.action is not Action.KEEP and (plan.read_at < limit or plan.behind)
        ]
        stored = await self._stored(doubtful)
        return [plan for plan in doubtful if not plan.is_still(stored.get(plan.work.template_id))]

    async def _write(self, plans: Sequence[Plan]) -> list[Plan]:
        """Those that are written; when Qdrant refuses a request its plans are tried one by one."""
        if not plans:
            return []
        try:
            with embed_stage_seconds.labels("upsert").time():
                await self._writer.write(plans)
            return list(plans)
        except StoreRejected as error:
            if len(plans) == 1:
                await self._fail(plans[0], error)
                return []
        return [done for plan in plans for done in await self._write([plan])]

    async def _settle(self, plans: Sequence[Plan]) -> list[Plan]:
        """Acknowledge what is done; the answer is what must be worked on again."""
        # A plan that wrote nothing cannot have overwritten anything.
        wrote = [plan for plan in plans if plan.action is not Action.KEEP]
        answered = {plan.work.template_id: list(plan.work.requests) for plan in wrote}
        # The index first: what MongoDB says afterwards is the newest that it has to show.
        shown = await self._shown(wrote)
        stored = await self._stored(wrote)
        again, done = [], []
        for plan in plans:
            template_id = plan.work.template_id
            if plan.action is Action.KEEP:
                done.append((plan, plan.answered))
            elif not plan.is_still(stored.get(template_id)):
                again.append(plan)
            elif plan.is_carried_out(shown.get(template_id)):
                done.append((plan, answered[template_id]))
            elif plan.work.unseen < MOST_UNSEEN:
                plan.work.unseen += 1
                again.append(plan)
            else:
                await self._fail(plan, RuntimeError("the index does not show what was written"))
        for plan in again:
            plan.work.careful = True
        await self._acknowledge(done)
        for plan, requests in done:
            plan.work.wrote = False
            if not self._in_hand.settle(plan.work, requests):
                again.append(plan)
        return again

    async def _stored(self, plans: Sequence[Plan]) -> dict[str, StoredTemplate]:
        ids = [plan.work.template_id for plan in plans]
        return await self._patience.through(lambda: self._repository.get_many(ids)) if ids else {}

    async def _shown(self, plans: Sequence[Plan]) -> dict[str, IndexedState]:
        ids = [plan.work.template_id for plan in plans]
        return await self._patience.through(lambda: self._index.indexed_state(ids)) if ids else {}

    async def _acknowledge(self, done: Sequence[tuple[Plan, Sequence[Request]]]) -> None:
        ids = [request.entry_id for _, requests in done for request in requests]
        if ids:
            await self._patience.through(lambda: self._leases.acknowledge(ids))
        now = datetime.now(UTC)
        for plan, requests in done:
            for request in requests:
                embed_events_total.labels(request.event.op, plan.action.value).inc()
                age = max(0.0, (now - request.event.occurred_at).total_seconds())
                embed_event_age_seconds.observe(age)
                _say(request, plan, age)

    async def _fail(self, plan: Plan, error: BaseException) -> None:
        await self._failures.note(plan.work, plan.answered, error)


def _say(request: Request, plan: Plan, age: float) -> None:
    """One line and one span for an event, under the trace of the request that wrote it."""
    event = request.event
    about = {"template_id": event.entity_id, "op": event.op, "outcome": plan.action.value}
    since_read = time.monotonic() - plan.read_at
    with (
        bind(traceparent=event.traceparent),
        span("index template", "consumer", about, seconds=since_read),
    ):
        # What no request asked for (a relayed change, a comparison) would only fill the log.
        write = log.debug if event.traceparent is None else log.info
        write(
            "event finished",
            template_id=event.entity_id,
            op=event.op,
            version=event.version,
            outcome=plan.action.value,
            entry_id=request.entry_id,
            age_seconds=round(age, 3),
        )
