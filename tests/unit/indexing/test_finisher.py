"""One worker's stages, step by step; test_histories.py plays whatever can happen to them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from explanation_service.content.events import ContentEvent
from explanation_service.indexing.finisher import MOST_UNSEEN
from explanation_service.telemetry.logging import configure_logging
from recorded_spans import recorded_spans, traceparent

# One sentence is a chunk or more of the toy model, so texts of several lengths leave several
# chunks.
BODIES = [
    " ".join(f"Слово {n} {letter} {'и так далее ' * 6}." for n in range(length))
    for letter, length in (("а", 1), ("б", 9), ("в", 20))
]


@pytest.fixture
def bench(toys: SimpleNamespace) -> SimpleNamespace:
    """Stores, and one worker on them."""
    steps = toys.Steps()
    repository, index, stream = toys.Repository(steps), toys.Index(steps), toys.Stream(steps)
    life = toys.Life(repository, index, stream)
    return SimpleNamespace(toys=toys, repository=repository, index=index, stream=stream, life=life)


def write(bench: SimpleNamespace, template_id: str, body: str | None, **fields: Any) -> None:
    """A write and its event."""
    version = bench.repository.write(template_id, body, **fields)
    bench.stream.publish(template_id, "delete" if body is None else "upsert", version)


async def prepared(bench: SimpleNamespace, life: Any, count: int = 1) -> Any:
    """Plans of the next entries, embedded."""
    deliveries = bench.stream.hand_out(count)
    works = life.in_hand.admit(await life.intake.sort_out(deliveries))
    plans = await life.preparer.prepare(works)
    return [plan async for group in life.embedder.embed(plans) for plan in group]


async def finish(life: Any, plans: Sequence[Any], give_up: bool = False) -> None:
    await life.finisher.finish(plans, lambda: give_up)


def other_worker(bench: SimpleNamespace) -> Any:
    """One that has taken over everything that was pending."""
    for entry in bench.stream.pending.values():
        entry.owner = "other"
    return bench.toys.Life(bench.repository, bench.index, bench.stream, "other")


@pytest.mark.parametrize("repeat", range(3))
async def test_unchanged_content_is_not_embedded_again(bench: SimpleNamespace, repeat: int) -> None:
    for _ in range(repeat + 2):
        write(bench, "x", BODIES[1])
        await bench.life.work(1)
    chunks = len(bench.index.points)
    assert bench.index.upserts == chunks
    assert {point.version for point in bench.index.points.values()} == {repeat + 2}


async def test_other_labels_are_written_without_embedding(bench: SimpleNamespace) -> None:
    write(bench, "x", BODIES[1], topic="тема", tags=("а", "б"))
    await bench.life.work(1)
    embedded = len(bench.life.encoder.embedded)
    write(bench, "x", BODIES[1], exam="ЕГЭ", tags=("б",))
    await bench.life.work(1)
    assert len(bench.life.encoder.embedded) == embedded
    shown = {(p.version, p.topic, p.exam, p.tags) for p in bench.index.points.values()}
    assert shown == {(2, None, "ЕГЭ", ("б",))}
    # The state that the next event finds is the one of the new labels.
    write(bench, "x", BODIES[1], exam="ЕГЭ", tags=("б",))
    await bench.life.work(1)
    assert bench.index.upserts == len(bench.index.points) and bench.stream.pending == {}


async def test_a_shorter_version_leaves_no_chunk_behind(bench: SimpleNamespace) -> None:
    for body in (BODIES[2], BODIES[0]):
        write(bench, "x", body)
        await bench.life.work(1)
    points = bench.index.points.values()
    assert {point.chunks_total for point in points} == {len(points)}


@pytest.mark.parametrize("status", ["draft", "deleted"])
async def test_what_is_not_published_any_more_leaves_the_index(
    bench: SimpleNamespace, status: str
) -> None:
    write(bench, "x", BODIES[1])
    await bench.life.work(1)
    assert bench.index.points
    write(bench, "x", None if status == "deleted" else BODIES[1], status="draft")
    await bench.life.work(1)
    assert bench.index.points == {} and bench.stream.pending == {}


async def test_what_qdrant_refuses_does_not_stop_its_neighbours(bench: SimpleNamespace) -> None:
    bench.index.refused = {"bad"}
    for template_id in ("a", "bad", "c"):
        write(bench, template_id, BODIES[0])
    await bench.life.work(3)
    assert set(bench.index.texts()) == {"a", "c"}
    assert list(bench.stream.pending) == ["2-0"]
    assert len(bench.life.in_hand) == 0
    assert "StoreRejected" in bench.stream.failures["2-0"]


async def test_a_poison_text_does_not_stop_its_batch(bench: SimpleNamespace) -> None:
    for template_id, body in (("a", "раз"), ("bad", "ЯД"), ("c", "два")):
        write(bench, template_id, body)
    await bench.life.work(3)
    assert set(bench.index.texts()) == {"a", "c"}
    assert list(bench.stream.pending) == ["2-0"]
    trace = bench.stream.failures["2-0"]
    assert "RuntimeError: poison" in trace and "in embed" in trace and " c\n" in trace


async def test_an_event_that_comes_while_its_template_is_written_is_done_with_it(
    bench: SimpleNamespace,
) -> None:
    write(bench, "x", BODIES[0])
    plans = await prepared(bench, bench.life)
    write(bench, "x", BODIES[1])
    assert await prepared(bench, bench.life) == []
    await finish(bench.life, plans)
    assert bench.stream.pending == {} and len(bench.life.in_hand) == 0
    assert bench.index.texts()["x"].startswith("2:")


async def test_a_work_whose_leases_were_lost_writes_nothing(bench: SimpleNamespace) -> None:
    write(bench, "x", BODIES[0])
    plans = await prepared(bench, bench.life)
    bench.life.in_hand.lose(["1-0"])
    await finish(bench.life, plans)
    assert bench.index.points == {} and bench.stream.acked == [] and len(bench.life.in_hand) == 0


async def test_a_worker_that_stood_still_asks_whether_it_still_has_the_entry(
    bench: SimpleNamespace,
) -> None:
    write(bench, "x", BODIES[0])
    plans = await prepared(bench, bench.life)
    other_worker(bench)
    for request in plans[0].work.requests:
        request.held_at -= 60
    await finish(bench.life, plans)
    assert bench.index.points == {} and list(bench.stream.pending) == ["1-0"]


async def test_an_older_version_never_replaces_a_newer_one(bench: SimpleNamespace) -> None:
    write(bench, "x", BODIES[1])
    stale = await prepared(bench, bench.life)
    write(bench, "x", BODIES[2])
    other = other_worker(bench)
    await other.work(1)
    newest = dict(bench.index.points)
    # Its lease is lost, it does not know, and it dies before it can look again.
    await bench.life.finisher._writer.write(stale)
    assert bench.index.points == newest


async def test_a_removal_spares_what_was_written_since(bench: SimpleNamespace) -> None:
    write(bench, "x", BODIES[1])
    await bench.life.work(1)
    write(bench, "x", None)
    stale = await prepared(bench, bench.life)
    write(bench, "x", BODIES[2])
    await other_worker(bench).work(1)
    newest = dict(bench.index.points)
    await bench.life.finisher._writer.write(stale)
    assert bench.index.points == newest


async def test_whoever_wrote_without_a_lease_sees_to_it_that_somebody_looks(
    bench: SimpleNamespace,
) -> None:
    write(bench, "x", BODIES[2])
    stale = await prepared(bench, bench.life)
    write(bench, "x", BODIES[0])
    other = other_worker(bench)
    await other.work(1)
    for one in bench.stream.pending:
        bench.life.in_hand.lose([one])
    # Chunks that the newer version does not have cannot be guarded.
    bench.life.in_hand._works["x"].abandoned = False
    await bench.life.finisher._writer.write(stale)
    assert len(bench.index.points) > 1
    bench.life.in_hand._works["x"].abandoned = True
    await finish(bench.life, stale)
    assert len(bench.stream.waiting) == 1
    await other.work(1)
    assert {point.version for point in bench.index.points.values()} == {2}


async def test_chunks_that_a_dead_worker_left_behind_are_seen(bench: SimpleNamespace) -> None:
    write(bench, "x", BODIES[0])
    await bench.life.work(1)
    write(bench, "other", BODIES[2])
    await bench.life.work(1)
    strays = [p for (name, n), p in bench.index.points.items() if name == "other" and n > 2]
    for point in strays:
        bench.index.points["x", point.chunk_index] = SimpleNamespace(
            **{name: getattr(point, name) for name in point.__slots__} | {"template_id": "x"}
        )
    write(bench, "x", BODIES[0])
    await bench.life.work(1)
    assert [n for name, n in bench.index.points if name == "x"] == [0]


async def test_a_version_that_was_set_back_is_followed(bench: SimpleNamespace) -> None:
    for body in (BODIES[0], BODIES[1], BODIES[2]):
        write(bench, "x", body)
    await bench.life.work(3)
    # Somebody put an old copy into MongoDB, past this service.
    del bench.repository.stored["x"]
    write(bench, "x", BODIES[0])
    await bench.life.work(1)
    assert bench.index.texts()["x"].startswith("1:") and bench.stream.pending == {}


async def test_a_write_that_does_not_show_ends_as_a_failure(bench: SimpleNamespace) -> None:
    calls = []

    async def lost(points: Any, up_to: Any) -> None:
        calls.append(points)

    bench.index.upsert = lost
    write(bench, "x", BODIES[0])
    await bench.life.work(1)
    assert len(calls) == MOST_UNSEEN + 1
    assert "does not show" in bench.stream.failures["1-0"]
    assert list(bench.stream.pending) == ["1-0"] and len(bench.life.in_hand) == 0


async def test_an_entry_that_is_another_workers_by_now_is_left_to_it(
    bench: SimpleNamespace,
) -> None:
    write(bench, "x", BODIES[0])
    plans = await prepared(bench, bench.life)
    other_worker(bench)
    await finish(bench.life, plans)
    assert list(bench.stream.pending) == ["1-0"] and bench.stream.acked == []


async def test_what_was_not_embedded_before_the_stop_is_handed_back(
    bench: SimpleNamespace,
) -> None:
    for name in ("a", "b"):
        write(bench, name, BODIES[0])
    works = bench.life.in_hand.admit(await bench.life.intake.sort_out(bench.stream.hand_out(2)))
    plans = await bench.life.preparer.prepare(works)
    await finish(bench.life, plans[:1], give_up=True)
    await bench.life.hand_back(suspects={"b"})
    entries = bench.stream.pending
    assert {one: (entry.stale, entry.times_delivered) for one, entry in entries.items()} == {
        "1-0": (True, 0),
        "2-0": (True, 1),
    }
    assert len(bench.life.in_hand) == 0 and bench.stream.failures == {}


async def test_a_direct_edit_that_keeps_its_version_is_not_lost_while_the_template_is_written(
    bench: SimpleNamespace,
) -> None:
    write(bench, "x", BODIES[0])
    plans = await prepared(bench, bench.life)
    assert bench.repository.edit_directly("x", "Исправлено мимо службы.")
    bench.stream.publish("x", version=1)
    bench.life.in_hand.admit(await bench.life.intake.sort_out(bench.stream.hand_out(1)))
    await finish(bench.life, plans)
    assert bench.stream.pending == {}
    assert bench.index.texts() == {"x": "1:Исправлено мимо службы."}


async def test_the_log_has_each_event_under_the_trace_of_its_request(
    bench: SimpleNamespace, capsys: pytest.CaptureFixture[str], restored_logging: None
) -> None:
    configure_logging("INFO", "worker")
    traceparent = f"00-{'a' * 32}-{'b' * 16}-01"
    version = bench.repository.write("x", BODIES[0])
    bench.stream.add(
        ContentEvent(
            event_id="e",
            entity_id="x",
            op="upsert",
            version=version,
            occurred_at=datetime.now(UTC),
            traceparent=traceparent,
        )
    )
    # One that nobody asked for is not worth a line.
    write(bench, "y", BODIES[0])
    await bench.life.work(2)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (line,) = [line for line in lines if line["event"] == "event finished"]
    assert (line["template_id"], line["op"], line["version"]) == ("x", "upsert", version)
    assert (line["outcome"], line["traceparent"]) == ("embedded", traceparent)
    assert line["age_seconds"] >= 0


async def test_an_event_of_a_request_leaves_a_span_below_it_and_others_none(
    bench: SimpleNamespace, capsys: pytest.CaptureFixture[str], restored_logging: None
) -> None:
    configure_logging("INFO", "worker")
    version = bench.repository.write("x", BODIES[0])
    event = ContentEvent(
        event_id="e",
        entity_id="x",
        op="upsert",
        version=version,
        occurred_at=datetime.now(UTC),
        traceparent=f"00-{'a' * 32}-{'b' * 16}-01",
    )
    bench.stream.add(event)
    write(bench, "y", BODIES[0])
    with recorded_spans() as spans:
        await bench.life.work(2)
    (span,) = spans
    assert (span.name, span.kind.name) == ("index template", "CONSUMER")
    assert (f"{span.context.trace_id:x}", f"{span.parent.span_id:x}") == ("a" * 32, "b" * 16)
    assert dict(span.attributes) == {"template_id": "x", "op": "upsert", "outcome": "embedded"}
    # It began when the template was read, before it was embedded.
    assert span.end_time > span.start_time
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["traceparent"] for line in lines if line["event"] == "event finished"] == [
        traceparent(span)
    ]


@pytest.fixture
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()
