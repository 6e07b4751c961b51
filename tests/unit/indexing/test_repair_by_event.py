"""Whatever the comparison of rule book and index finds, one ordinary event puts it right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from explanation_service.reconciliation.content_hash import content_hash
from explanation_service.reconciliation.findings import Finding, Kind, compare, orphan

BODY = " ".join(f"Слово {n} {'и так далее ' * 6}." for n in range(9))


@pytest.fixture
async def bench(toys: SimpleNamespace) -> SimpleNamespace:
    """One template of several chunks that is indexed as it should be."""
    steps = toys.Steps()
    repository, index, stream = toys.Repository(steps), toys.Index(steps), toys.Stream(steps)
    life = toys.Life(repository, index, stream)
    stream.publish("a", version=repository.write("a", BODY, topic="т"))
    while await life.work(1):
        pass
    assert len(index.points) > 2
    return SimpleNamespace(repository=repository, index=index, stream=stream, life=life, toys=toys)


async def found(bench: SimpleNamespace) -> Finding | None:
    """What the comparison says of the template."""
    stored = bench.repository.stored.get("a")
    state = (await bench.index.indexed_state(["a"])).get("a")
    if stored is None:
        return None if state is None else orphan("a")
    wanted = None
    if stored.template is not None:
        wanted = content_hash(stored.template, bench.toys.info.revision)
    return compare(stored, state, wanted)


def change(bench: SimpleNamespace, number: int, **fields: Any) -> None:
    """Damage one chunk."""
    bench.index.points["a", number] = replace(bench.index.points["a", number], **fields)


def add_strays(bench: SimpleNamespace, **fields: Any) -> None:
    """Chunks beyond the last one."""
    count = len(bench.index.points)
    for number in (count, count + 1):
        last = bench.index.points["a", count - 1]
        bench.index.points["a", number] = replace(last, chunk_index=number, **fields)


def misplace(bench: SimpleNamespace, number: int, **fields: Any) -> None:
    """A copy of a chunk under an id that is no chunk's."""
    copy = replace(bench.index.points["a", number], **fields)
    bench.index.points["somewhere else", 0] = copy


def older(bench: SimpleNamespace, **fields: Any) -> None:
    """All chunks are of something else."""
    for _, number in list(bench.index.points):
        change(bench, number, **fields)


DAMAGE: dict[str, tuple[Kind, Callable[[Any], object]]] = {
    "nothing there": (Kind.MISSING, lambda b: b.index.points.clear()),
    "another text": (Kind.STALE, lambda b: older(b, content_hash="0" * 32, text="?")),
    "an older version": (Kind.STALE, lambda b: older(b, version=0)),
    "a newer version": (Kind.STALE, lambda b: older(b, version=9)),
    "edited past the service": (Kind.STALE, lambda b: b.repository.edit_directly("a", "Иначе.")),
    "first chunk missing": (Kind.INCOMPLETE, lambda b: b.index.points.pop(("a", 0))),
    "second chunk missing": (Kind.INCOMPLETE, lambda b: b.index.points.pop(("a", 1))),
    "one of another text": (Kind.INCOMPLETE, lambda b: change(b, 1, content_hash="0" * 32)),
    "one of an older version": (Kind.INCOMPLETE, lambda b: change(b, 1, version=0)),
    "one that counts otherwise": (Kind.INCOMPLETE, lambda b: change(b, 1, chunks_total=1)),
    "chunks too many": (Kind.INCOMPLETE, add_strays),
    "newer chunks too many": (Kind.INCOMPLETE, lambda b: add_strays(b, version=9)),
    "strays of another text": (Kind.INCOMPLETE, lambda b: add_strays(b, content_hash="0" * 32)),
    "a second point of a chunk": (Kind.INCOMPLETE, lambda b: misplace(b, 1)),
    "an older second point": (Kind.INCOMPLETE, lambda b: misplace(b, 1, version=0)),
    "a newer second point": (Kind.INCOMPLETE, lambda b: misplace(b, 1, version=9)),
    "a chunk in another's place": (Kind.INCOMPLETE, lambda b: change(b, 1, chunk_index=40)),
    "one without a version": (Kind.INCOMPLETE, lambda b: change(b, 1, version=None)),
    "first without a version": (Kind.INCOMPLETE, lambda b: change(b, 0, version=None)),
    "one without a number": (Kind.INCOMPLETE, lambda b: change(b, 1, chunk_index=None)),
    "one without a hash": (Kind.INCOMPLETE, lambda b: change(b, 1, content_hash=None)),
    "one without a total": (Kind.INCOMPLETE, lambda b: change(b, 1, chunks_total=None)),
    "none with a version": (Kind.INCOMPLETE, lambda b: older(b, version=None)),
    "a stray without a version": (Kind.INCOMPLETE, lambda b: add_strays(b, version=None)),
    "now a draft": (Kind.ORPHANED, lambda b: b.repository.write("a", BODY, "draft")),
    "deleted": (Kind.ORPHANED, lambda b: b.repository.write("a", None)),
    "removed without a tombstone": (Kind.ORPHANED, lambda b: b.repository.stored.pop("a")),
}


@pytest.mark.parametrize(("kind", "damage"), DAMAGE.values(), ids=DAMAGE)
async def test_one_event_mends_it(bench: Any, kind: Kind, damage: Callable[[Any], object]) -> None:
    damage(bench)
    finding = await found(bench)
    assert finding is not None
    assert finding.kind is kind
    event = finding.event()
    assert event is not None

    bench.stream.add(event)
    assert await bench.life.work(1)

    assert await found(bench) is None
    assert not bench.stream.pending
    assert not bench.stream.failures
    assert not bench.stream.dead
    if kind is Kind.ORPHANED:
        assert not bench.index.points
