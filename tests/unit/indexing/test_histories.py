"""The promise of the worker, over random histories: however writes, events, workers, lost leases
and deaths interleave, the index ends as the rule book is, and every entry is acknowledged.

The stages are the real ones. The stores are stand-ins with the meaning of the real scripts and
guards (conftest.py); every call stops before and after its effect until the history lets it go on,
so that a death or another worker can come between any two steps.

100 histories, always the same, run with every change; 2,000 others with
`./bazelw test //tests/nightly`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from explanation_service.indexing.consumer import Consumer
from explanation_service.indexing.in_hand import Work
from explanation_service.indexing.intake import MAX_DELIVERIES
from explanation_service.indexing.leases import Leases
from explanation_service.indexing.reader import Reader
from explanation_service.indexing.replay import replay_differences
from explanation_service.reconciliation.reconciler import Reconciler
from explanation_service.stores.mongodb import StoredTemplate

HISTORIES = int(os.environ.get("WORKER_HISTORIES", "100"))

# One sentence is a chunk or more of the toy model, so texts of several lengths leave several
# chunks; texts come back, as edits that are taken back do.
BODIES = [
    " ".join(f"Слово {n} {letter} {'и так далее ' * 6}." for n in range(length))
    for letter, length in (("а", 1), ("б", 3), ("в", 6))
]
POISON = "ЯД"
IDS = ("x", "y")
WORKERS = ("w1", "w2", "w3")

_CURRENT: ContextVar[Any] = ContextVar("worker", default=None)


class Gate:
    """Where a worker waits before and after each effect; whoever is no worker passes."""

    async def pause(self) -> None:
        worker = _CURRENT.get()
        if worker is None:
            return
        if worker.dead:
            raise asyncio.CancelledError
        future = asyncio.get_running_loop().create_future()
        worker.parked.append(future)
        try:
            await future
        finally:
            if future in worker.parked:
                worker.parked.remove(future)


class AtOnce(ThreadPoolExecutor):
    """Runs what is submitted in the caller's thread: a history is the same each time."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(work(*args, **kwargs))
        except BaseException as error:
            done.set_exception(error)
        return done


class RunningWorker:
    """The loop of one worker as it is put together in indexing/worker.py, without its clock.

    `forgetful`: it takes its leases for granted, as one does that was stopped by the operating
    system between the look at them and the write.
    """

    def __init__(self, stores: Any, name: str, forgetful: bool, restore: Any) -> None:
        self.name = name
        self.dead = False
        self.parked: list[asyncio.Future[None]] = []
        self.stop = asyncio.Event()
        self.stream = stores.stream
        life = stores.toys.Life(stores.repository, stores.index, stores.stream, name)
        self.in_hand = life.in_hand
        self.leases = Leases(
            stores.stream, name, life.in_hand, lease=1e9 if forgetful else 0.0, interval=1e9
        )
        life.finisher._leases = life.finisher._writer._leases = self.leases
        reader = Reader(stores.stream, name, life.patience, restore, 15.0, claim_interval=0.0)
        self._consumer = Consumer(
            reader,
            life.intake,
            life.preparer,
            life.embedder,
            life.finisher,
            life.in_hand,
            life.patience,
            life.failures,
            life.hand_back,
            self.stop,
        )
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        _CURRENT.set(self)
        await self._consumer.run()

    def entries(self) -> list[Any]:
        """Its pending entries, as the stream sees them."""
        return [one for one in self.stream.pending.values() if one.owner == self.name]

    def wrote_without_a_lease(self) -> bool:
        """Whether nobody would come back to what it has begun to write, were it to die now."""
        for work in self.in_hand._works.values():
            held = [one.entry_id in self.stream.pending for one in work.requests]
            owned = [
                self.stream.pending[one.entry_id].owner == self.name
                for one in work.requests
                if one.entry_id in self.stream.pending
            ]
            if work.wrote and not (held and all(held) and all(owned)):
                return True
        return False


class Histories(RuleBasedStateMachine):
    """The rules are what can happen; `teardown` lets everything come to rest and looks."""

    def __init__(self, toys: SimpleNamespace) -> None:
        super().__init__()
        self.toys = toys
        self.loop = asyncio.new_event_loop()
        self.loop.set_default_executor(AtOnce())
        gate = Gate()
        self.repository, self.index = toys.Repository(gate), toys.Index(gate)
        self.stream = toys.Stream(gate)
        self.workers: list[RunningWorker] = []
        self.outbox: list[Any] = []
        self.poisoned: set[str] = set()
        self.set_back: set[str] = set()
        self.needs_reconcile = False
        self.restoring = 0
        self.only_crashes = True
        self.idle = 0
        self.seen: dict[tuple[str, int], int] = {}

    # --- the rule book ---------------------------------------------------------------------------
    @rule(
        template_id=st.sampled_from(IDS),
        body=st.sampled_from(BODIES),
        topic=st.sampled_from([None, "тема"]),
        status=st.sampled_from(["published", "published", "draft"]),
    )
    def put(self, template_id: str, body: str, topic: str | None, status: str) -> None:
        self.repository.write(template_id, body, status, topic=topic)
        self._changed(template_id)

    @rule(template_id=st.sampled_from(IDS))
    def delete(self, template_id: str) -> None:
        if template_id in self.repository.stored:
            self.repository.write(template_id, None)
            self._changed(template_id)

    @rule(poison=st.booleans())
    def put_poison(self, poison: bool) -> None:
        self.poisoned.add("p")
        self.repository.write("p", POISON if poison else BODIES[0])
        self._changed("p")

    @precondition(lambda self: not self.only_crashes)
    @rule(template_id=st.sampled_from(IDS), body=st.sampled_from(BODIES))
    def set_back_past_the_service(self, template_id: str, body: str) -> None:
        """Somebody puts an old copy into MongoDB; the relay sees it."""
        self.repository.stored.pop(template_id, None)
        self.repository.write(template_id, body)
        self.set_back.add(template_id)
        self._changed(template_id)

    @precondition(lambda self: not self.only_crashes)
    @rule(template_id=st.sampled_from(IDS))
    def remove_past_the_service(self, template_id: str) -> None:
        if self.repository.stored.pop(template_id, None) is not None:
            self.set_back.add(template_id)
            self.outbox.append(StoredTemplate(template_id, None, 1, True).event())

    def _changed(self, template_id: str) -> None:
        self.outbox.append(self.repository.stored[template_id].event())

    # --- the stream ------------------------------------------------------------------------------
    @precondition(lambda self: self.outbox)
    @rule(which=st.integers(0, 20), twice=st.booleans())
    def publish(self, which: int, twice: bool) -> None:
        """The relay, the writer or the sweep of the outbox: late, and perhaps once more later."""
        at = which % len(self.outbox)
        self.stream.add(self.outbox[at])
        if not twice:
            del self.outbox[at]

    @precondition(lambda self: len(self.stream.waiting) > 1)
    @rule(shift=st.integers(1, 5))
    def reorder(self, shift: int) -> None:
        waiting = self.stream.waiting
        shift %= len(waiting)
        fields = [one.fields for one in waiting[shift:] + waiting[:shift]]
        self.stream.waiting = [
            self.toys.Delivery(one.entry_id, moved, 1)
            for one, moved in zip(waiting, fields, strict=True)
        ]

    @precondition(lambda self: not self.only_crashes)
    @rule()
    def reconcile(self) -> None:
        self._reconcile()

    @rule()
    def sweep(self) -> None:
        """All that waits in the outbox is published, and will not come again."""
        for event in self.outbox:
            self.stream.add(event)
        self.outbox.clear()

    @precondition(lambda self: not self.only_crashes)
    @rule(swept=st.booleans())
    def lose_stream(self, swept: bool) -> None:
        """Redis came back empty: what was published is gone, what was not is still in MongoDB.

        Again while a worker restores it: the events that it has just appended are gone, too, and
        it cannot tell. Then the next reconciliation finds what is missing.
        """
        if swept:
            self.sweep()
        self.needs_reconcile |= self.restoring > 0
        self.stream.lose()

    # --- the workers -----------------------------------------------------------------------------
    @initialize(
        forgetful=st.booleans(),
        only_crashes=st.booleans(),
    )
    def begin(self, forgetful: bool, only_crashes: bool) -> None:
        """Two workers. `only_crashes`: nothing happens that makes somebody compare everything,
        which would hide what the workers themselves left behind."""
        self.only_crashes = only_crashes
        self.start(forgetful)
        self.start(forgetful)

    @precondition(lambda self: len(self.workers) < len(WORKERS))
    @rule(forgetful=st.booleans())
    def start(self, forgetful: bool) -> None:
        """A new worker, or a dead one again under its name."""
        alive = {worker.name for worker in self.workers}
        name = next(one for one in WORKERS if one not in alive)

        async def begin() -> None:
            self.workers.append(RunningWorker(self, name, forgetful, self._restore))

        self._in_loop(begin())

    @precondition(lambda self: self.workers)
    @rule(which=st.integers(0, 2), calls=st.integers(1, 8), parked=st.integers(0, 3))
    def step(self, which: int, calls: int, parked: int) -> None:
        worker = self._worker(which)
        for _ in range(calls):
            self._let_go(worker, parked)

    @precondition(lambda self: self.workers)
    @rule(which=st.integers(0, 2), calls=st.integers(1, 8))
    def step_in_order(self, which: int, calls: int) -> None:
        self.step(which, calls, 0)

    @precondition(lambda self: self.workers)
    @rule(which=st.integers(0, 2))
    def work_until_idle(self, which: int) -> None:
        """One worker does all that there is, while the others stand still."""
        worker = self._worker(which)
        for _ in range(200):
            if worker.task.done():
                return
            self._let_go(worker, 0)
            unread = self.stream.waiting or any(one.stale for one in self.stream.pending.values())
            if not unread and not len(worker.in_hand):
                return

    @precondition(lambda self: self.workers)
    @rule(which=st.integers(0, 2))
    def crash(self, which: int) -> None:
        worker = self._worker(which)
        if any(one.times_delivered >= MAX_DELIVERIES - 1 for one in worker.entries()):
            return
        self.needs_reconcile |= worker.wrote_without_a_lease()
        for entry in worker.entries():
            entry.stale = True
        self._kill(worker)

    @precondition(lambda self: self.workers)
    @rule(which=st.integers(0, 2))
    def lose_leases(self, which: int) -> None:
        """It stands still for longer than its leases last."""
        entries = self._worker(which).entries()
        if all(one.times_delivered < MAX_DELIVERIES - 1 for one in entries):
            for entry in entries:
                entry.stale = True

    @precondition(lambda self: self.workers)
    @rule(which=st.integers(0, 2))
    def renew(self, which: int) -> None:
        async def now() -> None:
            await self._worker(which).leases._renew()

        if not self.stream.missing:
            self._in_loop(now())

    @precondition(lambda self: self.workers)
    @rule(which=st.integers(0, 2))
    def terminate(self, which: int) -> None:
        """SIGTERM."""
        self._worker(which).stop.set()
        self._settle()

    # --- what must be true -----------------------------------------------------------------------
    def teardown(self) -> None:
        try:
            self._come_to_rest()
            if self.needs_reconcile:
                self._reconcile()
                self._come_to_rest()
            self._check()
        finally:
            for worker in list(self.workers):
                self._kill(worker)
            self.loop.close()

    def _check(self) -> None:
        assert self.stream.pending == {} and self.stream.waiting == []
        assert set(self.stream.dead_templates) <= self.poisoned
        shown = {
            key: (p.version, p.content_hash, p.chunks_total, p.title, p.text, p.topic, p.tags)
            for key, p in self.index.points.items()
            if key[0] not in self.poisoned
        }
        assert shown == dict(self._expected())

    def _expected(self) -> Iterator[tuple[tuple[str, int], tuple[Any, ...]]]:
        toys = self.toys
        life = toys.Life(self.repository, toys.Index(Gate()), self.stream)
        works = [Work(one) for one in self.repository.stored if one not in self.poisoned]
        for plan in self._in_loop(life.preparer.prepare(works)):
            if plan.chunks:
                for p in plan.points():
                    yield (
                        (p.template_id, p.chunk_index),
                        (
                            p.version,
                            p.content_hash,
                            p.chunks_total,
                            p.title,
                            p.text,
                            p.topic,
                            p.tags,
                        ),
                    )

    def _no_version_went_back(self) -> None:
        for key, point in self.index.points.items():
            if key[0] not in self.set_back:
                assert point.version >= self.seen.get(key, 0), key
                self.seen[key] = point.version
        for key in [one for one in self.seen if one not in self.index.points]:
            del self.seen[key]

    # --- how it is driven ------------------------------------------------------------------------
    def _worker(self, which: int) -> RunningWorker:
        return self.workers[which % len(self.workers)]

    def _in_loop(self, work: Any) -> Any:
        result = self.loop.run_until_complete(work)
        self._settle()
        return result

    def _settle(self) -> None:
        """Run until every task waits for something that only the history can give."""
        while self.loop._ready:  # type: ignore[attr-defined]
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()
        self._no_version_went_back()
        for worker in [one for one in self.workers if one.task.done()]:
            worker.task.result()
            assert worker.stop.is_set()
            self._bury(worker)

    def _let_go(self, worker: RunningWorker, which: int) -> None:
        """One of the calls that it waits in goes on, to its next stop."""
        if worker.parked:
            worker.parked.pop(which % len(worker.parked)).set_result(None)
            self._settle()

    def _kill(self, worker: RunningWorker) -> None:
        self.workers.remove(worker)
        worker.dead = True
        worker.task.cancel()

        async def gone() -> None:
            await asyncio.gather(worker.task, return_exceptions=True)

        self._in_loop(gone())

    def _bury(self, worker: RunningWorker) -> None:
        self.workers.remove(worker)
        for entry in worker.entries():
            entry.stale = True

    def _come_to_rest(self) -> None:
        self.sweep()
        for _ in range(3000):
            if not self.workers:
                self.start(forgetful=False)
            for worker in list(self.workers):
                for _ in range(len(worker.parked)):
                    self._let_go(worker, 0)
            if all(len(worker.in_hand) == 0 for worker in self.workers):
                if not self.stream.pending and not self.stream.waiting and not self.stream.missing:
                    return
                self._let_leases_run_out()
        raise AssertionError("it does not come to rest")

    def _let_leases_run_out(self) -> None:
        """Of the entries that nobody has in hand; those of a read under way are not known yet."""
        self.idle += 1
        if self.idle % 10 == 0:
            for entry in self.stream.pending.values():
                entry.stale = True

    def _reconcile(self) -> None:
        self._in_loop(replay_differences(self._reconciler()))

    async def _restore(self) -> None:
        self.restoring += 1
        try:
            await replay_differences(self._reconciler())
            self.stream.missing = False
        finally:
            self.restoring -= 1

    def _reconciler(self) -> Reconciler:
        revision = self.toys.info.revision
        return Reconciler(self.repository, self.index, self.stream, revision, settle=None)


def test_the_index_ends_as_the_rule_book_is(toys: SimpleNamespace) -> None:
    run_state_machine_as_test(
        lambda: Histories(toys),
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=60,
            deadline=None,
            derandomize=HISTORIES <= 100,
            suppress_health_check=list(HealthCheck),
        ),
    )
