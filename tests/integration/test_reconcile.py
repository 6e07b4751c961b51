"""`explanation reconcile` on real stores that were damaged by hand."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from qdrant_client import models

from explanation_service.cli import main as command
from explanation_service.content.rule_book import RuleBook
from explanation_service.content.template import TemplateDraft
from explanation_service.indexing.connections import Connections, connect
from explanation_service.reconciliation.findings import Kind
from explanation_service.reconciliation.reconciler import Reconciler
from explanation_service.settings import Settings
from explanation_service.stores import vector_pages
from explanation_service.stores.dead_letters import DeadLetters
from explanation_service.stores.embedding_channel import QueryEmbeddingClient, QueryEmbeddingServer
from explanation_service.stores.vector_layout import point_id
from tests.integration.toy_worker import INFO, eventually, toy_worker

LONG = " ".join(f"Предложение номер {n} об одном и том же." for n in range(60))


@dataclass
class Outcome:
    code: int
    out: str
    err: str

    @property
    def counts(self) -> dict[str, int]:
        """What the JSON says is different."""
        differences = json.loads(self.out.splitlines()[-1])["differences"]
        return {kind: found["count"] for kind, found in differences.items() if found["count"]}


@pytest.fixture
def reconcile(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """`await reconcile("--repair")` is the outcome of the command with these arguments."""
    for name in (
        "redis_url",
        "redis_stream_name",
        "redis_stream_group",
        "mongodb_uri",
        "mongodb_db",
        "qdrant_url",
        "qdrant_collection",
    ):
        monkeypatch.setenv(name.upper(), str(getattr(settings, name)))
    monkeypatch.setattr(command, "configure_logging", lambda *_: None)

    async def run(*arguments: str) -> Outcome:
        code = await asyncio.to_thread(command.main, ["reconcile", *arguments])
        captured = capsys.readouterr()
        # The worker in this process logs to the same place.
        lines = [line for line in captured.out.splitlines() if not re.match(r"\d{4}-\d\d-", line)]
        return Outcome(code, "\n".join(lines), captured.err)

    return run


@pytest.fixture
async def stores(settings: Settings) -> AsyncIterator[Connections]:
    connections = connect(settings)
    yield connections
    await connections.close()


async def fill(stores: Connections) -> None:
    """Some templates, and the events for them."""
    rule_book = RuleBook(stores.repository, stores.stream)
    for number in range(8):
        await rule_book.put(f"t{number}", TemplateDraft(title="Правило", body=f"{number} {LONG}"))
    await rule_book.put("draft", TemplateDraft(title="Правило", body="черновик", status="draft"))
    await rule_book.delete("t7")


async def indexed(stores: Connections) -> None:
    """Until the worker has done it all, has said which model it has, and has itself compared
    rule book and index, as it does at its first start."""
    client = QueryEmbeddingClient(stores.redis, stores.redis)

    async def done() -> bool:
        status = await stores.stream.status()
        model = await client.current_model()
        notes = await stores.redis.hgetall(f"{stores.stream.name}:relay:notes")
        return status.lag == status.pending == 0 and model is not None and "position" in notes

    await eventually(done)


async def damage(stores: Connections) -> None:
    """Every kind of it, in both stores, past the service."""
    client, alias = stores.index._client, stores.index.alias
    templates = stores.mongodb.database["templates"]
    # missing
    await stores.index.delete(["t0"])
    # stale: another text, and another version of the same
    await templates.update_one({"_id": "t1"}, {"$set": {"body": "исправлено мимо службы"}})
    await templates.update_one({"_id": "t2"}, {"$set": {"version": 9}})
    # incomplete: a chunk in the middle, the first chunk, one too many
    await client.delete(alias, [point_id("t3", 2)], wait=True)
    await client.delete(alias, [point_id("t4", 0)], wait=True)
    await _copy(stores, ("t5", 1), ("t5", 40))
    # orphaned: removed, a draft, a stray without any document and without a first chunk
    await templates.delete_one({"_id": "t6"})
    await _copy(stores, ("t5", 0), ("draft", 0))
    await _copy(stores, ("t5", 3), ("stray", 3))


FOUND = {"missing": 1, "stale": 2, "orphaned": 3, "incomplete": 3}


async def _copy(stores: Connections, source: tuple[str, int], target: tuple[str, int]) -> None:
    """A point in another place."""
    client, alias = stores.index._client, stores.index.alias
    (point,) = await client.retrieve(alias, [point_id(*source)], with_payload=True)
    payload = {**(point.payload or {}), "template_id": target[0], "chunk_index": target[1]}
    vector = {"dense": [1.0] + [0.0] * (INFO.dimension - 1)}
    copy = models.PointStruct(id=point_id(*target), vector=vector, payload=payload)
    await client.upsert(alias, [copy], wait=True)


async def test_damage_of_every_kind_is_found_and_repaired(
    settings: Settings, stores: Connections, reconcile: Any
) -> None:
    await fill(stores)
    async with toy_worker(settings):
        await indexed(stores)
    outcome = await reconcile()
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("8 templates and ") and "no differences" in outcome.out
    before = await stores.redis.xinfo_stream(settings.redis_stream_name)
    await damage(stores)

    outcome = await reconcile("--json")
    assert (outcome.code, outcome.counts) == (1, FOUND)
    answer = json.loads(outcome.out)
    assert answer["compared"] == "content" and answer["events_sent"] == 0
    assert answer["differences"]["orphaned"]["examples"] == ["draft", "stray", "t6"]
    after = await stores.redis.xinfo_stream(settings.redis_stream_name)
    assert after["entries-added"] == before["entries-added"], "looking changes nothing"

    async with toy_worker(settings):
        outcome = await reconcile("--repair", "--wait", "90")
        assert outcome.code == 0, outcome
        assert "9 events were sent" in outcome.out and "After the workers" in outcome.out
    outcome = await reconcile("--json")
    assert (outcome.code, outcome.counts) == (0, {})
    assert (await stores.index.indexed_state(["t1"]))["t1"].chunks == 1


async def test_the_table_says_what_differs(
    settings: Settings, stores: Connections, reconcile: Any
) -> None:
    await fill(stores)
    async with toy_worker(settings):
        await indexed(stores)
    await damage(stores)
    outcome = await reconcile()
    assert outcome.code == 1
    lines = [line.split() for line in outcome.out.splitlines()]
    assert ["stale", "2", "t1,", "t2"] in lines and ["missing", "1", "t0"] in lines
    # Nobody is there to do the work.
    outcome = await reconcile("--repair")
    assert outcome.code == 0 and "9 events were sent" in outcome.out
    outcome = await reconcile("--repair", "--wait", "0.5")
    assert outcome.code == 1 and "events left" in outcome.err
    outcome = await reconcile("--json")
    assert json.loads(outcome.out)["events_with_workers"] == 18
    outcome = await reconcile("--wait", "5")
    assert outcome.code == 1 and "--repair" in outcome.err


async def test_before_the_first_worker_only_versions_are_compared(
    stores: Connections, reconcile: Any
) -> None:
    await fill(stores)
    outcome = await reconcile()
    assert outcome.code == 1 and "Only versions were compared" in outcome.out
    assert "missing" in outcome.out


async def test_a_template_in_several_pages_is_whole(
    settings: Settings, stores: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_pages, "POINTS_PER_PAGE", 3)
    await fill(stores)
    async with toy_worker(settings):
        await indexed(stores)
    reconciler = Reconciler(
        stores.repository, stores.scan, stores.stream, INFO.revision, settle=None
    )
    report = await reconciler.run(repair=False)
    assert (report.found, report.by_content) == (0, True)
    assert report.passages == await stores.index.count() > 30
    await damage(stores)
    report = await reconciler.run(repair=False)
    assert {kind.value: count for kind, count in report.counts.items()} == FOUND
    assert report.examples[Kind.INCOMPLETE] == ["t3", "t4", "t5"]


async def test_another_model_than_the_collections(
    settings: Settings, stores: Connections, reconcile: Any
) -> None:
    await fill(stores)
    async with toy_worker(settings):
        await indexed(stores)
    other = QueryEmbeddingServer(stores.redis, stores.redis)
    await other.publish_model(INFO.__class__("other", "r2", 8, 64))
    try:
        outcome = await reconcile()
        assert outcome.code == 0 and "Only versions were compared" in outcome.out
    finally:
        await other.publish_model(INFO)


async def test_what_the_dead_letters_are_about(stores: Connections) -> None:
    await stores.stream.ensure_group()
    await fill(stores)
    await stores.redis.xadd(stores.stream.name, {"entity": "pupil"})
    for delivery in await stores.waiting_stream.read_new("c", 50, 100):
        if delivery.fields.get("entity_id", "t7") in ("t1", "t7"):
            await stores.stream.dead_letter(delivery, "max_deliveries", "x")
    letters = DeadLetters(stores.redis, stores.stream.name)
    assert await letters.templates() == {("t1", 1), ("t7", 1), ("t7", 2)}
