"""The worker against real stores: what is written is found, whatever goes away or dies meanwhile.

Most tests take a toy model, so that they measure the pipeline; the last ones run the worker as a
process of its own with the real model and kill it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from explanation_service.content.rule_book import RuleBook
from explanation_service.content.template import TemplateDraft
from explanation_service.indexing import housekeeping
from explanation_service.indexing.connections import Connections, connect
from explanation_service.indexing.reader import CLAIM_INTERVAL
from explanation_service.indexing.worker import Worker
from explanation_service.settings import Settings
from explanation_service.standalone.ports import free_ports
from explanation_service.standalone.program import python_environment
from explanation_service.stores import consumer_janitor
from explanation_service.stores.dead_letters import DeadLetters
from explanation_service.stores.errors import CollectionMissing
from explanation_service.stores.records import SearchFilters
from explanation_service.telemetry.metrics import REGISTRY
from tests.integration.toy_encoder import POISON, ToyEncoder


def draft(body: str, **fields: Any) -> TemplateDraft:
    return TemplateDraft(title="Правило", body=body, **fields)


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def eventually(check: Callable[[], Awaitable[bool]], seconds: float = 15.0) -> float:
    """Seconds until the check holds; fails after `seconds`."""
    started = time.monotonic()
    while not await check():
        assert time.monotonic() - started < seconds, "it did not come to pass in time"
        await asyncio.sleep(0.01)
    return time.monotonic() - started


class Bench:
    """A rule book, its stores, and any number of workers on them."""

    def __init__(self, settings: Settings, connections: Connections) -> None:
        self.settings = settings
        self.stores = connections
        self.rule_book = RuleBook(connections.repository, connections.stream)

    @contextlib.asynccontextmanager
    async def worker(
        self,
        encoder: ToyEncoder | None = None,
        name: str = "w",
        lease: float = 15.0,
        claim_interval: float | None = None,
        **changes: Any,
    ) -> AsyncIterator[ToyEncoder]:
        encoder = encoder or ToyEncoder()
        changed = {
            "redis_consumer_name": name,
            "worker_host": "127.0.0.1",
            "worker_port": free_ports(1)[0],
            **changes,
        }
        stop = asyncio.Event()
        settings = self.settings.model_copy(update=changed)
        worker = Worker(settings, stop, encoder, lease, lease / 4, claim_interval or lease / 4)
        task = asyncio.create_task(worker.run())
        try:
            while not worker.readiness.ready:
                if task.done():
                    task.result()
                await asyncio.sleep(0.01)
            yield encoder
        finally:
            stop.set()
            await asyncio.wait({task}, timeout=15)
            if not task.done():
                for one in asyncio.all_tasks():
                    one.print_stack()
            assert task.done(), "the worker did not stop, its tasks are listed on standard error"
            task.result()

    async def in_step(self) -> bool:
        """Whether the index holds the published templates in their newest versions, and no more,
        and every entry is acknowledged."""
        # First what costs nothing: comparing all of it takes the cores from the worker.
        if not await self._all_acknowledged():
            return False
        stored = [one async for one in self.stores.repository.iterate_all()]
        wanted = {
            one.id: one.version
            for one in stored
            if one.template is not None and one.template.status == "published"
        }
        try:
            found = await self.stores.index.indexed_state([one.id for one in stored])
        except CollectionMissing:
            return False
        return (
            {key: state.version for key, state in found.items()} == wanted
            and all(state.exact for state in found.values())
            and sum(state.chunks for state in found.values()) == await self.stores.index.count()
            and await self._all_acknowledged()
        )

    async def _all_acknowledged(self) -> bool:
        status = await self.stores.stream.status()
        return status.pending == status.lag == 0


@pytest.fixture
async def bench(settings: Settings) -> AsyncIterator[Bench]:
    connections = connect(settings)
    yield Bench(settings, connections)
    await connections.close()


async def test_an_edit_is_searchable_within_a_second(bench: Bench) -> None:
    async with bench.worker():
        await bench.rule_book.put("warm", draft("первое правило"))
        await eventually(bench.in_step)
        seconds = []
        for number in range(5):
            await bench.rule_book.put("x", draft(f"правило номер {number}"))
            seconds.append(await eventually(bench.in_step))
        print(f"event to searchable: {sorted(seconds)}")
        assert sorted(seconds)[2] < 1.0


async def test_what_was_written_before_the_first_worker_is_found(bench: Bench) -> None:
    for number in range(30):
        await bench.rule_book.put(f"t{number}", draft(f"правило {number}"))
    async with bench.worker():
        await eventually(bench.in_step)


async def test_unchanged_content_is_not_embedded_again(bench: Bench) -> None:
    async with bench.worker() as encoder:
        await bench.rule_book.put("x", draft("правило"))
        await eventually(bench.in_step)
        before = encoder.texts
        unchanged = counted("embed_skipped_total", reason="unchanged")
        for _ in range(3):
            await bench.rule_book.put("x", draft("правило"))
            await eventually(bench.in_step)
        assert encoder.texts == before
        assert counted("embed_skipped_total", reason="unchanged") > unchanged


async def test_other_labels_are_found_without_embedding(bench: Bench) -> None:
    async with bench.worker() as encoder:
        await bench.rule_book.put("x", draft("правило", topic="старая"))
        await eventually(bench.in_step)
        before = encoder.texts
        await bench.rule_book.put("x", draft("правило", topic="новая", tags=("тег",)))
        await eventually(bench.in_step)
        assert encoder.texts == before
    filters = SearchFilters(topic="новая", tags=("тег",))
    vector = encoder.embed(encoder.passage_ids(["правило"]))[0]
    found = await bench.stores.index.search(vector, None, filters, 5)
    passages = await bench.stores.index.passages(found.dense)
    assert [passage.version for passage in passages] == [2]


async def test_the_consumers_of_dead_workers_are_removed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_janitor.ConsumerJanitor.sweep, "__defaults__", (0.0,))
    monkeypatch.setattr(housekeeping, "TRIM_EVERY", 1)
    name, group = bench.settings.redis_stream_name, bench.settings.redis_stream_group
    await bench.stores.stream.ensure_group()
    await bench.stores.redis.xgroup_createconsumer(name, group, "dead")
    async with bench.worker(name="w"):

        async def only_one_is_left() -> bool:
            rows = await bench.stores.redis.xinfo_consumers(name, group)
            return [row["name"] for row in rows] == ["w"]

        await eventually(only_one_is_left)


async def test_edits_deletions_and_drafts(bench: Bench) -> None:
    long_text = " ".join(f"Предложение номер {n} об одном и том же." for n in range(60))
    async with bench.worker():
        await bench.rule_book.put("x", draft(long_text))
        await eventually(bench.in_step)
        assert await bench.stores.index.count() > 3
        await bench.rule_book.put("x", draft("кратко"))
        await eventually(bench.in_step)
        assert await bench.stores.index.count() == 1
        await bench.rule_book.put("x", draft("кратко", status="draft"))
        await eventually(bench.in_step)
        assert await bench.stores.index.count() == 0
        await bench.rule_book.put("x", draft("снова здесь"))
        await eventually(bench.in_step)
        await bench.rule_book.delete("x")
        await eventually(bench.in_step)
        assert await bench.stores.index.count() == 0


async def test_a_poison_event_is_set_aside_after_five_deliveries(bench: Bench) -> None:
    async with bench.worker(lease=0.3):
        await bench.rule_book.put("bad", draft(f"здесь {POISON}"))
        await bench.rule_book.put("good", draft("обычное правило"))

        async def good_is_there() -> bool:
            return "good" in await bench.stores.index.indexed_state(["good"])

        assert await eventually(good_is_there) < 2
        dead = counted("embed_dead_lettered_total", reason="max_deliveries")

        async def bad_is_aside() -> bool:
            status = await bench.stores.stream.status()
            return status.dead_letters == 1 and status.pending == 0

        await eventually(bad_is_aside, 30)
        assert counted("embed_dead_lettered_total", reason="max_deliveries") == dead + 1
    name = bench.settings.redis_stream_name
    (letter,) = await DeadLetters(bench.stores.redis, name).list()
    assert (letter.reason, letter.deliveries, letter.consumer) == ("max_deliveries", 6, "w")
    assert letter.fields["entity_id"] == "bad"
    assert "RuntimeError: poison" in letter.trace and letter.trace.splitlines()[0].endswith(" w")


async def test_malformed_entries_are_set_aside_at_once(bench: Bench) -> None:
    async with bench.worker():
        await bench.stores.redis.xadd(bench.settings.redis_stream_name, {"entity": "pupil"})
        await bench.rule_book.put("x", draft("правило"))
        await eventually(bench.in_step)
        assert (await bench.stores.stream.status()).dead_letters == 1


async def test_a_lost_group_is_made_anew(bench: Bench) -> None:
    name, group = bench.settings.redis_stream_name, bench.settings.redis_stream_group
    async with bench.worker() as encoder:
        await bench.rule_book.put("x", draft("правило"))
        await eventually(bench.in_step)
        before = encoder.texts
        await bench.stores.redis.xgroup_destroy(name, group)
        await bench.rule_book.put("y", draft("другое правило"))
        await eventually(bench.in_step)
        assert encoder.texts == before + 1


async def test_events_lost_with_the_whole_stream_come_back(bench: Bench) -> None:
    async with bench.worker():
        await bench.rule_book.put("x", draft("правило"))
        await eventually(bench.in_step)
        # Written, published, and gone with the stream before anybody read it.
        await bench.stores.repository.put("y", draft("другое правило"))
        await bench.stores.repository.clear_outbox("y", "none")
        await bench.stores.redis.delete(bench.settings.redis_stream_name)
        await eventually(bench.in_step)


@pytest.mark.parametrize("written_meanwhile", [True, False])
async def test_a_lost_collection_is_filled_again(
    bench: Bench, written_meanwhile: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "INDEX_INTERVAL", 0.3)
    async with bench.worker():
        for number in range(5):
            await bench.rule_book.put(f"t{number}", draft(f"правило {number}"))
        await eventually(bench.in_step)
        client = bench.stores.index._client
        await client.delete_collection(await bench.stores.index.collection_name() or "")
        if written_meanwhile:
            await bench.rule_book.put("t0", draft("новое правило"))
        await eventually(bench.in_step)


async def test_several_workers_share_the_load(bench: Bench) -> None:
    encoders = [ToyEncoder(seconds=0.005) for _ in range(3)]
    async with contextlib.AsyncExitStack() as stack:
        for number, encoder in enumerate(encoders):
            await stack.enter_async_context(bench.worker(encoder, name=f"w{number}"))
        for number in range(240):
            await bench.rule_book.put(f"t{number}", draft(f"правило {number}"))
        await eventually(bench.in_step, 30)
    shares = [encoder.texts for encoder in encoders]
    print(f"shares: {shares}")
    assert sum(shares) == 240
    assert min(shares) > 20


async def test_the_entries_of_a_dead_worker_are_taken_over(bench: Bench) -> None:
    await bench.stores.stream.ensure_group()
    for number in range(40):
        await bench.rule_book.put(f"t{number}", draft(f"правило {number}"))
    taken = await bench.stores.waiting_stream.read_new("dead", 40, 100)
    assert len(taken) == 40
    async with bench.worker(lease=0.5):
        await eventually(bench.in_step, 20)
    assert (await bench.stores.stream.status()).dead_letters == 0


async def test_a_worker_that_comes_back_takes_its_own_entries_at_once(bench: Bench) -> None:
    await bench.rule_book.put("x", draft("правило"))
    await bench.stores.stream.ensure_group()
    await bench.stores.waiting_stream.read_new("w", 10, 100)
    async with bench.worker(name="w"):
        assert await eventually(bench.in_step) < 5


class Cable:
    """A TCP proxy that can be pulled out."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.plugged = True
        self.refused = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def pull_out(self) -> None:
        self.plugged = False
        for writer in list(self._open):
            writer.transport.abort()

    def close(self) -> None:
        self.pull_out()
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.plugged:
            self.refused += 1
            writer.transport.abort()
            return
        back, forth = await asyncio.open_connection(*self._target)
        self._open |= {writer, forth}
        await asyncio.gather(_pump(reader, forth), _pump(back, writer))
        self._open -= {writer, forth}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.mark.parametrize("setting", ["redis_url", "mongodb_uri", "qdrant_url"])
async def test_a_store_that_goes_away_for_a_while_costs_nothing(bench: Bench, setting: str) -> None:
    address = urlsplit(getattr(bench.settings, setting))
    cable = Cable(address.hostname or "", address.port or 0)
    await cable.start()
    through = address._replace(netloc=f"127.0.0.1:{cable.port}").geturl()
    encoder = ToyEncoder(seconds=0.01)
    lease = 2.0

    async def at_work() -> bool:
        return await bench.stores.index.count() > 0

    async def missed() -> bool:
        return cable.refused >= 2

    try:
        async with bench.worker(encoder, lease=lease, **{setting: through}):
            for number in range(80):
                await bench.rule_book.put(f"t{number}", draft(f"правило {number}"))
            await eventually(at_work)
            cable.pull_out()
            await bench.rule_book.put("t0", draft("изменилось тем временем"))
            await eventually(missed, 30)
            # Longer than the leases would last by themselves.
            await asyncio.sleep(1.5 * lease)
            cable.plugged = True
            await eventually(bench.in_step, 30)
    finally:
        cable.close()
    assert (await bench.stores.stream.status()).dead_letters == 0
    # Nothing was embedded twice but what was in the encoder's hand.
    assert encoder.texts <= 81 + 32


@contextlib.contextmanager
def worker_process(
    settings: Settings,
    log: Path,
    program: list[str],
    model: Path | None = None,
    name: str | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        **python_environment(),
        "REDIS_URL": settings.redis_url,
        "REDIS_STREAM_NAME": settings.redis_stream_name,
        "REDIS_STREAM_GROUP": settings.redis_stream_group,
        "MONGODB_URI": settings.mongodb_uri,
        "MONGODB_DB": settings.mongodb_db,
        "QDRANT_URL": settings.qdrant_url,
        "QDRANT_COLLECTION": settings.qdrant_collection,
        "WORKER_HOST": "127.0.0.1",
        "WORKER_PORT": str(free_ports(1)[0]),
    }
    if model is not None:
        environment["EMBEDDING_MODEL_PATH"] = str(model)
    if name is not None:
        environment["REDIS_CONSUMER_NAME"] = name
    with log.open("wb") as errors:
        process = subprocess.Popen([sys.executable, *program], env=environment, stderr=errors)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(10)


REAL = ["-m", "explanation_service.indexing"]


def mixed(number: int) -> TemplateDraft:
    return draft(" ".join(f"Правило {number} пункт {n} о частицах." for n in range(number % 9 + 1)))


async def test_kill_9_in_the_middle_loses_and_doubles_nothing(
    bench: Bench, model_directory: Path, tmp_path: Path
) -> None:
    for number in range(150):
        await bench.rule_book.put(f"t{number}", mixed(number))

    async def half_way() -> bool:
        return await bench.stores.index.count() > 20

    with worker_process(bench.settings, tmp_path / "first", REAL, model_directory) as process:
        await eventually(half_way, 120)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert (await bench.stores.stream.status()).pending > 0
    await bench.rule_book.delete("t1")
    with worker_process(bench.settings, tmp_path / "second", REAL, model_directory):
        await eventually(bench.in_step, 180)
    assert (await bench.stores.stream.status()).dead_letters == 0


async def test_sigterm_under_load_ends_within_ten_seconds(
    bench: Bench, model_directory: Path, tmp_path: Path
) -> None:
    for number in range(150):
        await bench.rule_book.put(f"t{number}", mixed(number))

    async def at_work() -> bool:
        return await bench.stores.index.count() > 0

    with worker_process(bench.settings, tmp_path / "log", REAL, model_directory) as process:
        await eventually(at_work, 120)
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        status = await asyncio.to_thread(process.wait, 20)
        seconds = time.monotonic() - started
    print(f"SIGTERM to exit: {seconds:.2f} s")
    assert status == 0, (tmp_path / "log").read_text()
    assert seconds < 10
    stored = [f"t{number}" for number in range(150)]
    indexed = await bench.stores.index.indexed_state(stored)
    status_now = await bench.stores.stream.status()
    # What is acknowledged is in the index; the rest is still there for the others.
    assert len(indexed) + status_now.pending + status_now.lag >= 150


async def test_sigterm_hands_back_what_a_slow_model_holds(bench: Bench, tmp_path: Path) -> None:
    program = ["-m", "tests.integration.slow_worker", "120"]
    with worker_process(bench.settings, tmp_path / "log", program, name="slow") as slow:

        async def all_are_in_its_hand() -> bool:
            if slow.poll() is not None:
                raise AssertionError((tmp_path / "log").read_text())
            status = await bench.stores.stream.status()
            return status.pending >= 12 and status.lag == 0

        for number in range(12):
            await bench.rule_book.put(f"t{number}", draft(f"правило {number}"))
        await eventually(all_are_in_its_hand, 120)
        async with bench.worker(name="peer", lease=60.0, claim_interval=CLAIM_INTERVAL):
            started = time.monotonic()
            slow.send_signal(signal.SIGTERM)
            status = await asyncio.to_thread(slow.wait, 30)
            stopped = time.monotonic()
            # Far less than the peer's lease, which would have to run out for each of them.
            await eventually(bench.in_step, 30)
            print(
                f"SIGTERM to exit: {stopped - started:.2f} s, "
                f"to the peer's last: {time.monotonic() - stopped:.2f} s more"
            )
    assert status == 0, (tmp_path / "log").read_text()
    assert stopped - started < 10
    assert (await bench.stores.stream.status()).dead_letters == 0
