"""Direct writes to a MongoDB that is a replica set, found by a change stream."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from explanation_service.content.rule_book import RuleBook
from explanation_service.content.template import TemplateDraft
from explanation_service.indexing.connections import Connections, connect
from explanation_service.settings import Settings
from explanation_service.standalone import embedded_stores, ports
from explanation_service.standalone.process import running
from explanation_service.standalone.program import python_environment
from explanation_service.stores.change_stream import ChangeStreamSource
from explanation_service.stores.changes import open_changes
from explanation_service.stores.errors import HistoryLost
from explanation_service.telemetry.metrics import REGISTRY
from tests.integration.toy_worker import eventually, toy_process, toy_worker

# Seconds. Long enough that a busy machine does not take it from who lives.
LEASE = 6.0


@contextlib.contextmanager
def replica_set(folder: Path, *options: str) -> Iterator[str]:
    """SecantusDB as a replica set of one. Only for tests of change streams: inserts decay."""
    try:
        embedded_stores.require_package("secantus", "TEST_MONGODB_URI")
    except embedded_stores.CannotStart as reason:
        pytest.skip(str(reason))
    port = ports.free_ports(1)[0]
    program = embedded_stores.mongodb_program(
        port, folder / "data", folder, folder / "log", python_environment()
    )
    command = [word for word in program.command if word != "--standalone"]
    with running(replace(program, command=(*command, *options))):
        yield f"mongodb://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def replica_set_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with replica_set(tmp_path_factory.mktemp("replica-set")) as uri:
        yield uri


@pytest.fixture
def on_replica_set(settings: Settings, replica_set_uri: str) -> Settings:
    return settings.model_copy(update={"mongodb_uri": replica_set_uri})


@pytest.fixture
async def stores(on_replica_set: Settings) -> AsyncIterator[Connections]:
    connections = connect(on_replica_set)
    await connections.repository.ensure_indexes()
    yield connections
    await connections.close()


@pytest.fixture
def templates(stores: Connections) -> Any:
    """The collection, as another program sees it."""
    return stores.mongodb.database["templates"]


@pytest.fixture
async def source(stores: Connections) -> AsyncIterator[ChangeStreamSource]:
    source = await open_changes(stores.mongodb)
    assert isinstance(source, ChangeStreamSource)
    await source.begin(await source.now())
    yield source
    await source.close()


async def ids_until(source: ChangeStreamSource, last: str) -> list[str]:
    """What the source tells, up to this id."""
    found: list[str] = []

    async def there() -> bool:
        found.extend((await source.next()).ids)
        return last in found

    await eventually(there)
    return found


async def test_what_others_write_is_told(source: ChangeStreamSource, templates: Any) -> None:
    await templates.insert_one({"_id": "a", "title": "т", "body": "б"})
    assert await ids_until(source, "a") == ["a"]
    await templates.update_one({"_id": "a"}, {"$set": {"body": "другое"}})
    await templates.replace_one({"_id": "a"}, {"title": "т", "body": "третье"})
    await templates.insert_one({"_id": 17})
    await templates.insert_one({"_id": "b"})
    assert set(await ids_until(source, "b")) == {"a", "b"}
    await templates.delete_one({"_id": "b"})
    assert await ids_until(source, "b") == ["b"]


async def test_writes_of_the_service_are_not_told(
    source: ChangeStreamSource, stores: Connections, templates: Any
) -> None:
    rule_book = RuleBook(stores.repository, stores.stream)
    for number in range(10):
        await rule_book.put(f"t{number}", TemplateDraft(title="т", body="б"))
    await rule_book.put("t2", TemplateDraft(title="т", body="другое"))
    await rule_book.delete("t1")
    # One whose event is still to be published, too.
    await stores.repository.put("t3", TemplateDraft(title="т", body="другое"))
    await stores.repository.put("t3", TemplateDraft(title="т", body="третье"))
    await templates.insert_one({"_id": "end"})
    assert await ids_until(source, "end") == ["end"]


async def test_a_position_is_where_another_process_goes_on(
    source: ChangeStreamSource, stores: Connections, templates: Any
) -> None:
    before = await source.now()
    for number in range(5):
        await templates.insert_one({"_id": f"t{number}"})
    await ids_until(source, "t4")
    after = (await source.next()).position
    await templates.insert_one({"_id": "t5"})
    other = ChangeStreamSource(stores.mongodb)
    await other.begin(before)
    assert await ids_until(other, "t5") == [f"t{number}" for number in range(6)]
    await other.begin(after)
    assert await ids_until(other, "t5") == ["t5"]
    await other.close()


@pytest.mark.parametrize("position", ["no JSON", '{"_data": "zz"}', "2026-01-01T00:00:00+00:00"])
async def test_a_position_that_the_server_does_not_know(
    source: ChangeStreamSource, position: str
) -> None:
    with pytest.raises(HistoryLost):
        await source.begin(position)
        await source.next()


async def test_a_collection_that_is_dropped(source: ChangeStreamSource, templates: Any) -> None:
    await templates.insert_one({"_id": "a"})
    await templates.drop()
    with pytest.raises(HistoryLost):
        await ids_until(source, "never")
    # The next stream sees what comes now.
    await source.begin(await source.now())
    await templates.insert_one({"_id": "b"})
    assert await ids_until(source, "b") == ["b"]


async def test_a_history_that_was_pruned(settings: Settings, tmp_path: Path) -> None:
    with replica_set(tmp_path, "--oplog-max-entries", "20") as uri:
        stores = connect(settings.model_copy(update={"mongodb_uri": uri}))
        templates = stores.mongodb.database["templates"]
        source = ChangeStreamSource(stores.mongodb)
        position = await source.now()

        async def is_lost() -> bool:
            for _ in range(100):
                await templates.insert_one({"title": "т"})
            try:
                await source.begin(position)
                await source.next()
            except HistoryLost:
                return True
            return False

        await eventually(is_lost)
        await source.close()
        await stores.close()


async def indexed(stores: Connections) -> dict[str, int]:
    """By template: the version that the index holds."""
    stored = [one.id async for one in stores.repository.iterate_all()]
    found = await stores.index.indexed_state(stored)
    return {template_id: state.version for template_id, state in found.items()}


def relayed() -> float:
    return REGISTRY.get_sample_value("embed_relayed_total", {"source": "change_stream"}) or 0.0


def document(template_id: str, **fields: Any) -> dict[str, Any]:
    return {"_id": template_id, "title": "Правило", "body": f"о {template_id}", **fields}


def _in_index(stores: Connections, wanted: dict[str, int]) -> Callable[[], Any]:
    async def check() -> bool:
        try:
            return await indexed(stores) == wanted and await stores.index.count() == len(wanted)
        except Exception as error:
            assert "collection" in str(error), error
            return False

    return check


async def _notes(stores: Connections, settings: Settings) -> dict[str, str]:
    notes: dict[str, str] = await stores.redis.hgetall(f"{settings.redis_stream_name}:relay:notes")
    return notes


async def _leader(stores: Connections, settings: Settings) -> str | None:
    token: str | None = await stores.redis.get(f"{settings.redis_stream_name}:relay:leader")
    return token


async def test_direct_writes_become_searchable(
    on_replica_set: Settings, stores: Connections, templates: Any
) -> None:
    rule_book = RuleBook(stores.repository, stores.stream)
    async with toy_worker(on_replica_set):

        async def following() -> bool:
            return "position" in await _notes(stores, on_replica_set)

        await eventually(following)
        before = relayed()
        await templates.insert_many([document("a"), document("b", version=4)])
        await eventually(_in_index(stores, {"a": 1, "b": 4}))
        await templates.delete_one({"_id": "a"})
        await eventually(_in_index(stores, {"b": 4}))
        # Neither version nor time move.
        hash_before = (await stores.index.indexed_state(["b"]))["b"].content_hash
        await templates.update_one({"_id": "b"}, {"$set": {"body": "иначе"}})

        async def says_otherwise() -> bool:
            state = (await stores.index.indexed_state(["b"])).get("b")
            return state is not None and state.content_hash != hash_before

        await eventually(says_otherwise)
        assert relayed() >= before + 4
        so_far = relayed()
        for number in range(10):
            await rule_book.put(f"t{number}", TemplateDraft(title="т", body="б"))
        await templates.delete_one({"_id": "b"})
        await eventually(_in_index(stores, {f"t{number}": 1 for number in range(10)}))
        assert relayed() == so_far + 1, "writes of the service bring their own events"


async def test_kill_9_of_the_leader_loses_nothing(
    on_replica_set: Settings, stores: Connections, templates: Any, tmp_path: Path
) -> None:
    wanted = {}
    with toy_process(on_replica_set, tmp_path / "one", "one", LEASE) as one:

        async def following() -> bool:
            assert one.poll() is None, (tmp_path / "one").read_text()
            return "position" in await _notes(stores, on_replica_set)

        await eventually(following)
        # An empty index would be filled whatever the relay does.
        await templates.insert_one(document("first"))
        wanted["first"] = 1
        await eventually(_in_index(stores, wanted))
        for number in range(20):
            await templates.insert_one(document(f"t{number}"))
            wanted[f"t{number}"] = 1
        one.send_signal(signal.SIGKILL)
        one.wait(30)
    first = await _leader(stores, on_replica_set)
    for number in range(20, 30):
        await templates.insert_one(document(f"t{number}"))
        wanted[f"t{number}"] = 1
    await templates.delete_one({"_id": "t0"})
    del wanted["t0"]
    reconciled = (await _notes(stores, on_replica_set))["reconciled_at"]
    with toy_process(on_replica_set, tmp_path / "two", "two", LEASE):
        await eventually(_in_index(stores, wanted))
        assert await _leader(stores, on_replica_set) not in (None, first)
    assert (await _notes(stores, on_replica_set))["reconciled_at"] == reconciled, (
        "the resume token alone brought them"
    )


async def test_a_second_worker_takes_over_within_the_lease(
    on_replica_set: Settings, stores: Connections, templates: Any, tmp_path: Path
) -> None:
    logs = {name: tmp_path / name for name in ("one", "two")}
    with contextlib.ExitStack() as stack:
        processes = {
            name: stack.enter_context(toy_process(on_replica_set, log, name, LEASE))
            for name, log in logs.items()
        }

        async def one_of_two_leads() -> bool:
            return (
                "position" in await _notes(stores, on_replica_set)
                and await _consumers(stores, on_replica_set) == 2
            )

        await eventually(one_of_two_leads)
        leaders = [name for name, log in logs.items() if "leads the change" in log.read_text()]
        assert len(leaders) == 1
        first = await _leader(stores, on_replica_set)
        processes[leaders[0]].send_signal(signal.SIGKILL)
        killed = time.monotonic()

        async def another_leads() -> bool:
            return await _leader(stores, on_replica_set) not in (None, first)

        await eventually(another_leads)
        print(f"taken over after {time.monotonic() - killed:.2f} s, lease {LEASE} s")
        await templates.insert_one(document("a"))
        await eventually(_in_index(stores, {"a": 1}))


async def _consumers(stores: Connections, settings: Settings) -> int:
    try:
        groups = await stores.redis.xinfo_consumers(
            settings.redis_stream_name, settings.redis_stream_group
        )
    except Exception as error:
        assert "no such key" in str(error) or "NOGROUP" in str(error), error
        return 0
    return len(groups)


async def test_a_leader_that_stops_lets_go_at_once(
    on_replica_set: Settings, stores: Connections
) -> None:
    async with toy_worker(on_replica_set, lease=600.0):

        async def led() -> bool:
            return await _leader(stores, on_replica_set) is not None

        await eventually(led)
    assert await _leader(stores, on_replica_set) is None


async def test_lost_history_leads_to_a_comparison(
    on_replica_set: Settings, stores: Connections, templates: Any
) -> None:
    notes = f"{on_replica_set.redis_stream_name}:relay:notes"
    async with toy_worker(on_replica_set):

        async def following() -> bool:
            return "position" in await _notes(stores, on_replica_set)

        await eventually(following)
        await templates.insert_one(document("a"))
        await eventually(_in_index(stores, {"a": 1}))
    await templates.insert_one(document("b"))
    await templates.delete_one({"_id": "a"})
    await stores.redis.hset(notes, mapping={"position": '{"_data": "82"}'})
    async with toy_worker(on_replica_set):
        await eventually(_in_index(stores, {"b": 1}))
        await templates.insert_one(document("c"))
        await eventually(_in_index(stores, {"b": 1, "c": 1}))
    assert (await _notes(stores, on_replica_set))["position"] != '{"_data": "82"}'


async def test_a_mongodb_that_restarts_is_waited_for(settings: Settings, tmp_path: Path) -> None:
    port = None
    async with asyncio.timeout(300):
        with replica_set(tmp_path) as uri:
            port = int(uri.rsplit(":", 1)[1])
            changed = settings.model_copy(update={"mongodb_uri": uri})
            stores = connect(changed)
            source = ChangeStreamSource(stores.mongodb)
            await source.begin(await source.now())
            await stores.mongodb.database["templates"].insert_one(document("a"))
            assert await ids_until(source, "a") == ["a"]
            position = (await source.next()).position
            await stores.mongodb.database["templates"].insert_one(document("b"))
            await source.close()
        # The token is good in the next life of the server.
        program = embedded_stores.mongodb_program(
            port, tmp_path / "data", tmp_path, tmp_path / "log", python_environment()
        )
        command = tuple(word for word in program.command if word != "--standalone")
        with running(replace(program, command=command)):
            await source.begin(position)
            assert await ids_until(source, "b") == ["b"]
            await source.close()
            await stores.close()
