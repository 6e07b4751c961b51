"""`rebuild-embeddings` against real stores: killed and taken up again, with edits and searches all
the time, refused, rolled back. The command runs as a process of its own, with a toy model; its 30
processes are forked from one that has imported everything, which takes 2 s each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from explanation_service.content.rule_book import RuleBook
from explanation_service.content.template import TemplateDraft
from explanation_service.indexing.connections import Connections, connect
from explanation_service.indexing.worker import Worker
from explanation_service.reconciliation.content_hash import content_hash
from explanation_service.retrieval.lexical import encode_query
from explanation_service.settings import Settings
from explanation_service.standalone.ports import free_ports
from explanation_service.standalone.program import python_environment
from explanation_service.stores.embedding_channel import QueryEmbeddingClient
from explanation_service.stores.errors import CollectionMissing, ModelMismatch
from explanation_service.stores.forgotten_groups import rebuild_stream
from explanation_service.stores.index_collections import IndexCollections
from explanation_service.stores.qdrant import connect_qdrant
from explanation_service.stores.rebuild_states import RebuildStates
from explanation_service.stores.records import SearchFilters
from tests.integration import toy_rebuild
from tests.integration.toy_encoder import POISON, ToyEncoder
from tests.integration.toy_rebuild import run_command

# The two cores are shared with whatever else runs there.
PATIENCE = 240.0
FORKS = multiprocessing.get_context("forkserver")


def draft(number: int, text: str = "") -> TemplateDraft:
    """Rules with words of their own, so that a title finds its template by any sane model."""
    words = " ".join(f"слово{number}х{n}" for n in range(number % 7 + 3))
    return TemplateDraft(title=f"Правило тема{number}", body=f"тема{number} {words} {text}".strip())


async def eventually(
    check: Callable[[], Awaitable[object]], seconds: float = PATIENCE, pause: float = 0.05
) -> None:
    started = time.monotonic()
    while not await check():
        assert time.monotonic() - started < seconds, "it did not come to pass in time"
        await asyncio.sleep(pause)


@dataclass
class Run:
    """A process of the command, and the files that it writes to."""

    process: BaseProcess
    out: Path
    err: Path

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def runs(self) -> bool:
        return self.process.is_alive()

    def says(self) -> str:
        return self.err.read_text()

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)


@dataclass
class Ended:
    code: int
    out: str
    err: str


@dataclass
class House:
    """A rule book, its stores, and whoever works there."""

    settings: Settings
    stores: Connections
    collections: IndexCollections
    states: RebuildStates
    folder: Path
    runs: list[Run] = field(default_factory=list)

    @property
    def alias(self) -> str:
        return self.settings.qdrant_collection

    @property
    def rule_book(self) -> RuleBook:
        return RuleBook(self.stores.repository, self.stores.stream)

    def start(
        self,
        *arguments: str,
        revision: str = "r2",
        seconds: float = 0.0,
        noise: bool = False,
        poison: str = POISON,
    ) -> Run:
        """The command, as a process that can be killed."""
        environment = {
            "REDIS_URL": self.settings.redis_url,
            "REDIS_STREAM_NAME": self.settings.redis_stream_name,
            "REDIS_STREAM_GROUP": self.settings.redis_stream_group,
            "MONGODB_URI": self.settings.mongodb_uri,
            "MONGODB_DB": self.settings.mongodb_db,
            "QDRANT_URL": self.settings.qdrant_url,
            "QDRANT_COLLECTION": self.alias,
            "TOY_REVISION": revision,
            "TOY_SECONDS": str(seconds),
            "TOY_NOISE": "1" if noise else "",
            "TOY_POISON": poison,
            "TOY_JOURNAL": str(self.folder / "journal"),
        }
        out, err = (self.folder / f"{len(self.runs)}.{name}" for name in ("out", "err"))
        process = FORKS.Process(target=run_command, args=(arguments, environment, out, err))
        process.start()
        self.runs.append(Run(process, out, err))
        return self.runs[-1]

    async def run(self, *arguments: str, **model: object) -> Ended:
        return await self.end_of(self.start(*arguments, **model))  # type: ignore[arg-type]

    async def end_of(self, run: Run) -> Ended:
        await asyncio.to_thread(run.process.join, PATIENCE)
        assert run.process.exitcode is not None, f"it did not end\n{run.says()}"
        return Ended(run.process.exitcode, run.out.read_text(), run.says())

    def embedded(self) -> int:
        """Texts that the command's processes have embedded so far."""
        journal = self.folder / "journal"
        return len(journal.read_text().splitlines()) if journal.exists() else 0

    @contextlib.asynccontextmanager
    async def worker(
        self, encoder: ToyEncoder, name: str = "old", role: str = "all"
    ) -> AsyncIterator[asyncio.Task[None]]:
        changed = {
            "redis_consumer_name": name,
            "worker_host": "127.0.0.1",
            "worker_port": free_ports(1)[0],
            "worker_role": role,
        }
        stop = asyncio.Event()
        worker = Worker(self.settings.model_copy(update=changed), stop, encoder, 2.0, 0.5, 0.5)
        task = asyncio.create_task(worker.run())
        try:
            while not (worker.readiness.ready and await self.is_announced(name)):
                if task.done():
                    task.result()
                await asyncio.sleep(0.02)
            yield task
        finally:
            stop.set()
            await asyncio.wait({task}, timeout=15)
            assert task.done(), "the worker did not stop"
            with contextlib.suppress(ModelMismatch):
                task.result()

    async def is_announced(self, name: str) -> bool:
        """Whether others know that this worker answers: the gate asks those that it sees."""
        client = QueryEmbeddingClient(self.stores.redis, self.stores.redis)
        return any(one.consumer == name and one.ready for one in await client.live_workers())

    async def holds_the_rule_book(self, collection: str, revision: str) -> bool:
        """Whether a collection is what MongoDB says, hash by hash, and nothing more."""
        index = self.stores.index.for_collection(collection)
        stored = [one async for one in self.stores.repository.iterate_all()]
        wanted = {
            one.id: (one.version, content_hash(one.template, revision))
            for one in stored
            if one.template is not None and one.template.status == "published"
        }
        try:
            found = await index.indexed_state([one.id for one in stored])
        except CollectionMissing:
            return False
        chunks = sum(state.chunks for state in found.values())
        return {
            key: (state.version, state.content_hash) for key, state in found.items()
        } == wanted and chunks == await index.count()

    async def fill(self, count: int, revision: str = "r1") -> None:
        """Templates t0 ... in the rule book, and in the index by a worker that then goes on."""
        for number in range(count):
            await self.rule_book.put(f"t{number:04d}", draft(number))

        async def there() -> bool:
            # First what costs nothing: comparing all of it takes the cores from the worker.
            status = await self.stores.stream.status()
            return status.lag == status.pending == 0 and await self.holds_the_rule_book(
                f"{self.alias}_{revision}", revision
            )

        await eventually(there)


@pytest.fixture(scope="module", autouse=True)
def forks() -> None:
    """The process that the command's are forked from."""
    FORKS.set_forkserver_preload([toy_rebuild.__name__])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in python_environment().items():
            patch.setenv(name, value)
        forkserver.ensure_running()


@pytest.fixture
async def house(settings: Settings, tmp_path: Path) -> AsyncIterator[House]:
    connections = connect(settings)
    collections = IndexCollections(connect_qdrant(settings), settings.qdrant_collection)
    house = House(settings, connections, collections, RebuildStates(connections.mongodb), tmp_path)
    yield house
    for run in house.runs:
        run.process.kill()
        await asyncio.to_thread(run.process.join)
    for name in await collections.names():
        await collections.drop(name)
    await collections.close()
    await connections.close()


@dataclass
class Searches:
    """Searches through the alias, one after another, until the block ends."""

    house: House
    count: int = 0
    failures: list[str] = field(default_factory=list)

    async def run(self) -> None:
        words = encode_query("Правило тема7")
        while True:
            try:
                found = await self.house.stores.index.search(None, words, SearchFilters(), 3)
                hits = found.lexical
                if not hits or hits[0].template_id != "t0007":
                    self.failures.append(f"found {[hit.template_id for hit in hits]}")
            except Exception as error:
                self.failures.append(repr(error))
            self.count += 1
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def searching(house: House) -> AsyncIterator[Searches]:
    searches = Searches(house)
    task = asyncio.create_task(searches.run())
    try:
        yield searches
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_killed_at_half_it_goes_on_and_loses_no_edit(house: House) -> None:
    count = 400
    new = f"{house.alias}_r2"
    async with house.worker(ToyEncoder("r1")):
        await house.fill(count)
        async with searching(house) as searches:
            first = house.start(seconds=0.01)

            async def half_way() -> bool:
                assert first.runs(), first.says()
                return house.embedded() >= count / 2

            await eventually(half_way)
            first.send_signal(signal.SIGKILL)
            await house.end_of(first)
            before_kill = house.embedded()
            # While nobody follows: an edit of what was brought in, one of what was not, one gone.
            await house.rule_book.put("t0000", draft(0, "изменено без присмотра"))
            await house.rule_book.put("t0399", draft(399, "изменено без присмотра"))
            await house.rule_book.delete("t0001")
            second = house.start(seconds=0.01)

            async def goes_on() -> bool:
                assert second.runs(), second.says()
                return house.embedded() > before_kill + 10

            await eventually(goes_on)
            # While it runs, behind it and before it.
            await house.rule_book.put("t0002", draft(2, "изменено во время работы"))
            await house.rule_book.put("t0398", draft(398, "изменено во время работы"))
            await house.rule_book.put("t9999", draft(9999))
            await house.rule_book.delete("t0150")
            ended = await house.end_of(second)
            assert ended.code == 0, ended.err
    assert "going on with" in ended.err
    assert await house.collections.served() == new
    assert await house.holds_the_rule_book(new, "r2")
    assert searches.count > 50 and not searches.failures, searches.failures[:3]
    # Once more: the seven edits, and what was in hand when it was killed, which is two groups of
    # templates and a batch (indexing.embedder). Without resuming it would be 200 more.
    assert house.embedded() <= count + 7 + 2 * (32 + 36), "embedded again what was there"
    # Its group holds the stream no longer.
    groups = await house.stores.redis.xinfo_groups(house.settings.redis_stream_name)
    assert [group["name"] for group in groups] == [house.settings.redis_stream_group]


async def test_edits_between_the_switch_and_the_new_workers_are_not_lost(house: House) -> None:
    async with house.worker(ToyEncoder("r1")) as old:
        await house.fill(30)
        ended = await house.run()
        assert ended.code == 0, ended.err
        await house.rule_book.put("t0003", draft(3, "после переключения"))
        await house.rule_book.delete("t0004")
        # The worker of the old model ends by itself, and acknowledges nothing of these.
        await asyncio.wait({old}, timeout=PATIENCE)
        with pytest.raises(ModelMismatch):
            old.result()
    with pytest.raises(ModelMismatch, match="rebuild-embeddings"):
        async with house.worker(ToyEncoder("r1"), "old again"):
            pass
    async with house.worker(ToyEncoder("r2"), "new"):

        async def in_step() -> bool:
            return await house.holds_the_rule_book(f"{house.alias}_r2", "r2")

        await eventually(in_step)


async def test_a_worse_model_is_refused_and_can_be_given_up(house: House) -> None:
    async with house.worker(ToyEncoder("r1")):
        await house.fill(60)
        ended = await house.run(revision="bad", noise=True)
        assert ended.code == 3, ended.err
        assert "dense" in ended.out and "too few" in ended.out
        assert await house.collections.served() == f"{house.alias}_r1"
        # Judged again without being embedded again, with another yardstick.
        embedded = house.embedded()
        ended = await house.run("--at-least", "0", revision="other", noise=True)
        assert ended.code == 1 and "--abandon" in ended.err
        ended = await house.run(revision="bad", noise=True)
        assert ended.code == 3 and house.embedded() == embedded
        ended = await house.run("--abandon")
        assert ended.code == 0, ended.err
        assert await house.collections.names() == [f"{house.alias}_r1"]
        assert (await house.run("--abandon")).code == 1


async def test_questions_of_a_file_decide(house: House) -> None:
    file = house.folder / "questions.jsonl"
    async with house.worker(ToyEncoder("r1")):
        await house.fill(20)
        file.write_text('{"question": "тема5", "template_id": "t0005"}\n{"question": 5}\n')
        ended = await house.run("--questions", str(file))
        assert ended.code == 1 and "line 2" in ended.err
        file.write_text('{"question": "слово6х1", "template_id": "t0006", "kind": "example"}\n')
        ended = await house.run("--questions", str(file))
        assert ended.code == 0, ended.err
        assert ended.out.startswith("1 questions")


async def test_without_a_worker_of_the_old_model_the_gate_wants_a_yardstick(house: House) -> None:
    async with house.worker(ToyEncoder("r1")):
        await house.fill(20)
    # Nothing is cached, and nobody answers.
    for key in await house.stores.redis.keys("embedding:vector:r1:*"):
        await house.stores.redis.delete(key)
    ended = await house.run()
    assert ended.code == 1 and "--at-least" in ended.err
    assert await house.collections.served() == f"{house.alias}_r1"
    ended = await house.run("--at-least", "0.9")
    assert ended.code == 0, ended.err


async def test_rollback_and_the_end_of_the_old_collection(house: House) -> None:
    old, new = f"{house.alias}_r1", f"{house.alias}_r2"
    ended = await house.run("--rollback")
    assert ended.code == 1 and "nothing to go back to" in ended.err
    async with house.worker(ToyEncoder("r1")):
        await house.fill(30)
        assert (await house.run()).code == 0
    async with house.worker(ToyEncoder("r2"), "new") as newer:
        await house.rule_book.put("t0003", draft(3, "после переключения"))
        await house.rule_book.delete("t0004")

        async def in_step() -> bool:
            return await house.holds_the_rule_book(new, "r2")

        await eventually(in_step)
        ended = await house.run("--rollback")
        assert ended.code == 0 and "2 templates" in ended.out, ended
        assert await house.collections.served() == old
        await asyncio.wait({newer}, timeout=PATIENCE)
        with pytest.raises(ModelMismatch):
            newer.result()
    ended = await house.run("--rollback")
    assert ended.code == 1 and "already" in ended.err
    async with house.worker(ToyEncoder("r1")):

        async def back_in_step() -> bool:
            return await house.holds_the_rule_book(old, "r1")

        await eventually(back_in_step)
        embedded = house.embedded()
        # Forward again: only what changed is embedded.
        ended = await house.run()
        assert ended.code == 0, ended.err
        assert house.embedded() <= embedded + 2
    assert await house.collections.served() == new
    ended = await house.run("--drop-old")
    assert ended.code == 0 and old in ended.out
    assert await house.collections.names() == [new]
    assert (await house.run("--drop-old")).code == 1
    assert (await house.run("--rollback")).code == 1


async def test_a_dry_run_changes_nothing(house: House) -> None:
    async with house.worker(ToyEncoder("r1")):
        await house.fill(40)
        await house.stores.repository.put(
            "draft", TemplateDraft(title="ч", body="ч", status="draft")
        )
        ended = await house.run("--dry-run")
    assert ended.code == 0, ended.err
    assert "41 in MongoDB, 40 searchable, 40 to embed" in ended.out
    assert f"{house.alias}_r2" in ended.out and "passages a second" in ended.out
    assert await house.collections.names() == [f"{house.alias}_r1"]
    assert await house.states.get(house.alias) is None
    groups = await house.stores.redis.xinfo_groups(house.settings.redis_stream_name)
    assert len(groups) == 1


async def test_two_at_once_and_no_index_and_the_same_model(house: House) -> None:
    ended = await house.run()
    assert ended.code == 1 and "no index" in ended.err
    async with house.worker(ToyEncoder("r1")):
        await house.fill(60)
        ended = await house.run(revision="r1")
        assert ended.code == 1 and "--force" in ended.err
        # Two minutes of work, of which it sees a few seconds.
        first = house.start(seconds=2.0)

        async def at_work() -> bool:
            assert first.runs(), first.says()
            return await house.states.get(house.alias) is not None

        await eventually(at_work)
        ended = await house.run(revision="r3")
        assert ended.code == 1
        assert f"being rebuilt by process {first.pid} on " in ended.err
        first.send_signal(signal.SIGINT)
        ended = await house.end_of(first)
        assert ended.code == 130 and "goes on from here" in ended.err
        # The same model once more makes a second generation, and its workers go over to it.
        ended = await house.run("--abandon")
        assert ended.code == 0, ended.err
        ended = await house.run("--force", revision="r1")
        assert ended.code == 0, ended.err
        assert await house.collections.served() == f"{house.alias}_r1_2"
        await house.rule_book.put("t0003", draft(3, "во втором поколении"))

        async def in_step() -> bool:
            return await house.holds_the_rule_book(f"{house.alias}_r1_2", "r1")

        await eventually(in_step)


async def test_what_the_new_model_cannot_embed_is_named_and_nothing_is_switched(
    house: House,
) -> None:
    async with house.worker(ToyEncoder("r1")):
        await house.fill(20)
        await house.rule_book.put("bad", draft(500, "отрава"))

        async def there() -> bool:
            return await house.holds_the_rule_book(f"{house.alias}_r1", "r1")

        await eventually(there)
        ended = await house.run(poison="отрава")
        assert ended.code == 1 and "1 templates" in ended.err and "(bad)" in ended.err
        assert await house.collections.served() == f"{house.alias}_r1"
        # What no search finds now, either, is no reason.
        await house.rule_book.put(
            "bad", draft(500, "отрава").model_copy(update={"status": "draft"})
        )
        ended = await house.run(poison="отрава")
        assert ended.code == 0, ended.err


async def test_a_run_that_died_just_after_the_switch_is_brought_to_its_end(house: House) -> None:
    new = f"{house.alias}_r2"
    async with house.worker(ToyEncoder("r1")):
        await house.fill(20)
        assert (await house.run()).code == 0
    # As if it had died there: its group is still there, with an edit that it did not take over.
    state = await house.states.get(house.alias)
    assert state is not None
    await house.states.put(house.alias, replace(state, phase="switching"))
    group = rebuild_stream(house.stores.stream, new)
    await group.ensure_group()
    await house.rule_book.put("t0005", draft(5, "в последний момент"))
    ended = await house.run()
    assert ended.code == 0 and "1 templates (1 passages)" in ended.out, ended
    assert await house.holds_the_rule_book(new, "r2")
    assert not await group.has_group()
    state = await house.states.get(house.alias)
    assert state is not None and state.phase == "switched"
