"""Puts the worker together and runs it until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from explanation_service.content.outbox_sweep import sweep_outbox
from explanation_service.content.rule_book import RuleBook
from explanation_service.indexing.backends.load import load_encoder
from explanation_service.indexing.change_relay import ChangeRelay
from explanation_service.indexing.connections import Connections, connect
from explanation_service.indexing.consumer import Consumer
from explanation_service.indexing.embedder import Embedder
from explanation_service.indexing.encode_thread import EncodeThread
from explanation_service.indexing.encoder import PassageEncoder
from explanation_service.indexing.failures import Failures
from explanation_service.indexing.finisher import Finisher
from explanation_service.indexing.hand_back import HandBack
from explanation_service.indexing.health import HealthServer
from explanation_service.indexing.heartbeat import beat
from explanation_service.indexing.housekeeping import (
    forget_rebuilds,
    keep_house,
    watch_index,
    watch_stream,
)
from explanation_service.indexing.in_hand import InHand
from explanation_service.indexing.intake import Intake
from explanation_service.indexing.leadership import lead
from explanation_service.indexing.leases import LEASE, RENEWAL, Leases
from explanation_service.indexing.patience import Patience
from explanation_service.indexing.preparer import Preparer
from explanation_service.indexing.pulse import Pulse
from explanation_service.indexing.query_lane import QueryLane
from explanation_service.indexing.quiet import Quiet
from explanation_service.indexing.reader import CLAIM_INTERVAL, Reader
from explanation_service.indexing.readiness import Readiness
from explanation_service.indexing.reconcile_schedule import ReconcileSchedule
from explanation_service.indexing.replay import replay_differences, restore_group
from explanation_service.indexing.tasks import end
from explanation_service.reconciliation.reconciler import Reconciler
from explanation_service.settings import Settings
from explanation_service.settings.addresses import places_of_stores
from explanation_service.stores.changes import open_changes
from explanation_service.stores.consumer_janitor import ConsumerJanitor
from explanation_service.stores.dead_letters import DeadLetters
from explanation_service.stores.errors import IndexMoved
from explanation_service.stores.leader_lease import LeaderLease
from explanation_service.telemetry.logging import get_logger
from explanation_service.telemetry.metrics import embed_model_info, embed_worker_ready

log = get_logger(__name__)

# Of the time in which rule book and index are compared: searches have the rest of the stores.
RECONCILE_SHARE = 0.2

# About as long as the passages to come: the first batches of a shape are slower.
_WARM_UP = tuple("Частица «не» с глаголами пишется раздельно. " * times for times in (1, 5, 20))


class Worker:
    """One worker. `encoder` is given by tests and the bench; else the settings' model is loaded."""

    def __init__(
        self,
        settings: Settings,
        stop: asyncio.Event,
        encoder: PassageEncoder | None = None,
        lease: float = LEASE,
        renewal: float = RENEWAL,
        claim_interval: float = CLAIM_INTERVAL,
    ) -> None:
        self._settings = settings
        self._stop = stop
        self._encoder = encoder
        self._lease = lease
        self._renewal = renewal
        self._claim_interval = claim_interval
        self.readiness = Readiness()

    async def run(self) -> None:
        """Work until the stop is set. Raises SettingsError, ModelUnusable and ModelMismatch, each
        with one sentence, and whatever a stage did not expect."""
        connections = connect(self._settings)
        health = HealthServer(
            self._settings.worker_host,
            self._settings.worker_port,
            self.readiness.why_stuck,
            self.readiness.checks(connections, self._settings.worker_role != "query"),
            places_of_stores(self._settings),
        )
        try:
            await health.start()
            await self._run(connections)
        finally:
            embed_worker_ready.set(0)
            await health.close()
            await connections.close()

    async def _run(self, connections: Connections) -> None:
        encoder = self._encoder or await self._until_stop(asyncio.to_thread(self._load))
        if encoder is None:
            return
        embed_model_info.info({"model": encoder.info.name, "revision": encoder.info.revision})
        thread = EncodeThread(encoder)
        thread.start()
        try:
            await self._with_model(connections, encoder, thread)
        finally:
            thread.close()

    def _load(self) -> PassageEncoder:
        encoder = load_encoder(self._settings)
        log.info("model is loaded", model=encoder.info.name, revision=encoder.info.revision)
        for row in encoder.passage_ids(_WARM_UP):
            encoder.embed([row])
        return encoder

    async def _with_model(
        self, connections: Connections, encoder: PassageEncoder, thread: EncodeThread
    ) -> None:
        role = self._settings.worker_role
        consumer = self._settings.redis_consumer_name
        self.readiness.model_is_loaded(thread)
        parts: list[Coroutine[Any, Any, None]] = [
            beat(connections.queries, consumer, role, encoder.info, lambda: self.readiness.ready)
        ]
        main: list[Coroutine[Any, Any, None]] = []
        if role in ("all", "query"):
            pulse = self.readiness.watch("query")
            lane = QueryLane(connections.queries, encoder, thread, self._stop, pulse)
            main.append(self._watched(lane.run(), pulse))
        if role in ("all", "index"):
            pulse = self.readiness.watch("index")
            thread.tell(pulse)
            main.append(self._watched(self._index(connections, encoder, thread, pulse), pulse))
        else:
            self.readiness.index_is_there()
            parts.append(watch_stream(connections.stream))
        await _run_together(main, parts)

    async def _watched(self, loop: Coroutine[Any, Any, None], pulse: Pulse) -> None:
        try:
            await loop
        finally:
            self.readiness.let_go(pulse)

    async def _index(
        self,
        connections: Connections,
        encoder: PassageEncoder,
        thread: EncodeThread,
        pulse: Pulse,
    ) -> None:
        while True:
            try:
                await self._index_served(connections, encoder, thread, pulse)
                return
            except IndexMoved as error:
                # To another generation of our model, or to another one's: then ModelMismatch.
                log.warning("the index has moved", why=str(error))

    async def _index_served(
        self,
        connections: Connections,
        encoder: PassageEncoder,
        thread: EncodeThread,
        pulse: Pulse,
    ) -> None:
        """Raises IndexMoved when the alias is pointed at another collection."""
        index, repository, stream = connections.index, connections.repository, connections.stream
        revision = encoder.info.revision
        # Nobody is served until the index is filled again, so it does not tread softly.
        reconciler = Reconciler(repository, connections.scan, stream, revision, settle=None)

        async def heal_collection() -> None:
            await index.ensure_collection(encoder.info)
            await replay_differences(reconciler)

        async def start() -> None:
            await index.ensure_collection(encoder.info)
            await repository.ensure_indexes()
            if await index.count() == 0:
                # A new Qdrant beside a rule book with a past: its events are long acknowledged.
                await restore_group(stream, reconciler)

        patience = Patience(heal_collection, pulse)
        started = await self._until_stop(_flagged(patience.through(start)))
        if not started:
            return
        self.readiness.index_is_there()
        in_hand = InHand()
        consumer_name = self._settings.redis_consumer_name
        reader = Reader(
            connections.waiting_stream,
            consumer_name,
            patience,
            lambda: restore_group(stream, reconciler),
            self._lease,
            self._claim_interval,
        )
        preparer = Preparer(repository, index, encoder, patience)
        embedder = Embedder(thread, self._settings.embedding_max_batch_tokens)
        # An edit that only a collection of the past has must come to the workers of the present.
        served = stream.guarded(index.check_served)
        leases = Leases(served, consumer_name, in_hand, self._lease, self._renewal)
        failures = Failures(stream, consumer_name, in_hand)
        finisher = Finisher(
            repository, index, stream, preparer, embedder, in_hand, patience, leases, failures
        )
        consumer = Consumer(
            reader,
            Intake(stream, patience),
            preparer,
            embedder,
            finisher,
            in_hand,
            patience,
            failures,
            HandBack(stream, consumer_name, in_hand),
            self._stop,
        )
        background = [
            leases.run(),
            keep_house(stream, ConsumerJanitor(connections.redis, stream.name, stream.group)),
            forget_rebuilds(connections.redis, stream),
            watch_index(index, heal_collection),
            sweep_outbox(RuleBook(repository, stream)),
            self._lead(connections, revision),
        ]
        await _run_together([consumer.run()], background)

    async def _lead(self, connections: Connections, revision: str) -> None:
        """What one of the workers does for all: relay direct changes, compare on a schedule."""
        settings, repository, stream = self._settings, connections.repository, connections.stream
        quiet = Quiet(stream)
        lease = LeaderLease(connections.redis, f"{settings.redis_stream_name}:relay", self._lease)
        reconciler = Reconciler(
            repository,
            connections.scan,
            stream,
            revision,
            settle=quiet.wait,
            share=RECONCILE_SHARE,
            set_aside=DeadLetters(connections.redis, stream.name).templates,
        )
        interval = settings.reconcile_interval_seconds
        schedule = ReconcileSchedule(reconciler, quiet, lease, interval)

        def duties() -> list[Coroutine[Any, Any, None]]:
            relay = ChangeRelay(
                lambda: open_changes(connections.mongodb),
                repository,
                stream,
                lease,
                schedule.reconcile,
            )
            return [relay.run(), schedule.run()]

        await lead(lease, duties)

    async def _until_stop(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The result of the work, or None when the stop came first."""
        task = asyncio.create_task(work)
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait((task, stopping), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            stopping.cancel()
            return task.result()
        await end(task, stopping)
        return None


async def _flagged(work: Coroutine[Any, Any, None]) -> bool:
    await work
    return True


async def _run_together(
    main: list[Coroutine[Any, Any, None]], background: list[Coroutine[Any, Any, None]]
) -> None:
    """Run until every main part has ended, the background as long; the first failure of any part
    ends them all and is raised."""
    mains = [asyncio.create_task(part) for part in main]
    others = [asyncio.create_task(part) for part in background]
    open_mains = set(mains)
    try:
        while open_mains:
            done, _ = await asyncio.wait(
                [*open_mains, *others], return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()
                if task in others:
                    raise RuntimeError("a background task of the worker ended")
            open_mains -= done
    finally:
        await end(*mains, *others)


async def run_worker(settings: Settings, stop: asyncio.Event) -> None:
    """The whole worker as one call: what `main` runs, and the API in its legacy mode."""
    await Worker(settings, stop).run()
