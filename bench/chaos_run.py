"""One chaos run from the first server to the verdict."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bench.chaos_editors import Editors
from bench.chaos_edits import Ledger
from bench.chaos_faults import Faults, Timing
from bench.chaos_recovery import Recoveries, Recovery
from bench.chaos_report import Seconds, Totals
from bench.chaos_stores import Servers
from bench.chaos_verdict import (
    Verdict,
    all_points,
    judge_dead_letters,
    judge_index,
    judge_rule_book,
    wanted_points,
)
from bench.worker_processes import WorkerKind, WorkerProcess, stop_all
from explanation_service.indexing.connections import Connections, connect
from explanation_service.indexing.encoder import PassageEncoder
from explanation_service.indexing.tasks import end
from explanation_service.settings import Settings, load_settings
from explanation_service.stores.dead_letters import DeadLetter, DeadLetters

# Seconds without anything acknowledged or set aside: what is open then will never be done.
_STUCK_AFTER = 120.0
# How a worker ends that nobody has killed but a text (bench.toy_model).
_LETHAL_END = "SIGKILL"
_NO_AGE = timedelta()
_POLL_SECONDS = 0.5
_PAGE = 500


@dataclass(frozen=True)
class Options:
    """`encoder` makes the model that the verdict compares with; its vectors only if `vectors`."""

    events: int
    templates: int
    workers: int
    seed: int
    timing: Timing
    kind: WorkerKind
    encoder: Callable[[], PassageEncoder]
    vectors: bool


@dataclass(frozen=True)
class Outcome:
    """What the report shows."""

    recoveries: list[Recovery]
    totals: Totals
    verdict: Verdict

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong, and no worker ended that nobody and no poison had killed."""
        recovered = all(one.complete for one in self.recoveries)
        return self.verdict.clean and recovered and not self.totals.own_ends


class ChaosRun:
    """`run` it once; `say` gets a line for each fault, `progress` the number of operations."""

    def __init__(
        self,
        folder: Path,
        options: Options,
        say: Callable[[str], None],
        progress: Callable[[int], None],
    ) -> None:
        self._folder = folder
        self._options = options
        self._say = say
        self._progress = progress
        self._ledger = Ledger()

    async def run(self) -> Outcome:
        """Raises RuntimeError when a server or worker does not start."""
        async with AsyncExitStack() as stack:
            servers = await stack.enter_async_context(Servers(self._folder))
            settings = load_settings(**servers.addresses, app_env="bench", qdrant_api_key=None)
            stores = connect(settings)
            stack.push_async_callback(stores.close)
            workers = [
                WorkerProcess(number, self._options.kind, settings, self._folder, number == 0)
                for number in range(self._options.workers)
            ]
            keepers: list[asyncio.Task[None]] = []
            try:
                for worker in workers:
                    worker.start()
                for worker in workers:
                    await worker.until_ready()
                recoveries = Recoveries(stores, self._ledger)
                keepers = [asyncio.create_task(worker.keep()) for worker in workers]
                keepers.append(asyncio.create_task(recoveries.run()))
                faults = self._faults(servers, workers, recoveries)
                writing = await self._write_and_break(stores, faults, keepers)
                draining = await self._drain(stores, recoveries)
                await recoveries.close()
            finally:
                await end(*keepers)
                await stop_all([worker for worker in workers if worker.consumer])
            seconds = Seconds(writing, draining)
            ends = [how for worker in workers for how in worker.own_ends]
            return await self._judge(settings, stores, recoveries.all, seconds, ends)

    def _faults(
        self, servers: Servers, workers: list[WorkerProcess], recoveries: Recoveries
    ) -> Faults:
        options = self._options
        return Faults(
            servers,
            workers,
            recoveries,
            options.timing,
            options.seed,
            self._say,
            lambda: self._ledger.operations / options.events,
        )

    async def _write_and_break(
        self, stores: Connections, faults: Faults, keepers: list[asyncio.Task[None]]
    ) -> float:
        options = self._options
        editors = Editors(stores, self._ledger, options.seed, options.events, options.templates)
        began = time.monotonic()
        side = [
            asyncio.create_task(faults.kill_workers()),
            asyncio.create_task(self._show_progress()),
        ]
        main = [
            asyncio.create_task(editors.run(options.timing.together, faults.allowed)),
            asyncio.create_task(faults.break_stores()),
        ]
        try:
            await _all_of(main, [*side, *keepers])
        finally:
            await end(*main, *side)
        return time.monotonic() - began

    async def _show_progress(self) -> None:
        while True:
            self._progress(self._ledger.operations)
            await asyncio.sleep(_POLL_SECONDS)

    async def _drain(self, stores: Connections, recoveries: Recoveries) -> float:
        """Seconds until nothing was left to do, or nothing was done any more."""
        self._progress(self._ledger.operations)
        began = moved = time.monotonic()
        before: object = None
        while time.monotonic() - moved < _STUCK_AFTER:
            now = await recoveries.look()
            left = (len(now.pending), now.poison_pending, now.lag)
            outboxes = await stores.repository.pending_outbox(_NO_AGE, 1)
            if not any(left) and not outboxes:
                break
            if left != before:
                before, moved = left, time.monotonic()
                self._say(f"left: {left[2]} unread, {left[0]} in hand, {left[1]} poison")
            await asyncio.sleep(_POLL_SECONDS)
        return time.monotonic() - began

    async def _judge(
        self,
        settings: Settings,
        stores: Connections,
        recoveries: list[Recovery],
        seconds: Seconds,
        ends: list[str],
    ) -> Outcome:
        options, ledger, verdict = self._options, self._ledger, Verdict()
        stored = {
            one.id: one.template
            async for one in stores.repository.iterate_all()
            if one.template is not None
        }
        letters = await _all_letters(DeadLetters(stores.redis, stores.stream.name))
        points = await all_points(settings.qdrant_url, settings.qdrant_collection)
        encoder = options.encoder()
        wanted = {
            template_id: wanted_points(template, encoder, options.vectors)
            for template_id, template in stored.items()
            if template.status == "published" and template_id not in ledger.poison
        }
        judge_rule_book(verdict, ledger, stored)
        judge_index(verdict, wanted, points)
        judge_dead_letters(verdict, ledger, letters)
        totals = Totals(
            events=ledger.operations,
            templates=len(ledger.written),
            poison=len(ledger.poison) + len(ledger.poison_events) + len(ledger.malformed),
            dead_letters=len(letters),
            points=len(points),
            seconds=seconds,
            lethal_ends=sum(_LETHAL_END in how for how in ends),
            own_ends=[how for how in ends if _LETHAL_END not in how],
        )
        return Outcome(recoveries, totals, verdict)


async def _all_letters(dead_letters: DeadLetters) -> list[DeadLetter]:
    letters: list[DeadLetter] = []
    while page := await dead_letters.list(letters[-1].id if letters else None, _PAGE):
        letters += page
    return letters


async def _all_of(main: list[asyncio.Task[None]], side: list[asyncio.Task[None]]) -> None:
    """Returns when the main tasks have ended; raises what any task raises."""
    left = set(main)
    while left:
        done, _ = await asyncio.wait([*left, *side], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        left -= done
