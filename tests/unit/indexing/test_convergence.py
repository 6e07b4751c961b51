"""The promise of the finisher: however events, workers and deaths interleave, the index ends as
the rule book is, and every entry is acknowledged."""

from __future__ import annotations

import asyncio
import random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from explanation_service.indexing.embedder import Embedder
from explanation_service.indexing.encode_thread import EncodeThread
from explanation_service.indexing.finisher import Finisher
from explanation_service.indexing.in_hand import InHand
from explanation_service.indexing.intake import Intake
from explanation_service.indexing.patience import Patience
from explanation_service.indexing.preparer import Preparer

# One sentence is a chunk or more of the toy model, so texts of several lengths leave several
# chunks; two texts come back, as edits that are taken back do.
BODIES = [
    " ".join(f"Слово {n} {letter} {'и так далее ' * 6}." for n in range(length))
    for letter, length in (("а", 1), ("б", 9), ("в", 20))
]


class InThisThread(EncodeThread):
    """No thread: hypothesis would see another interleaving each time."""

    async def embed_passages(self, ids: Any) -> Any:
        await asyncio.sleep(0)
        return self._encoder.embed(ids)


class Life:
    """One worker between its start and its death."""

    def __init__(self, toys: SimpleNamespace, repository: Any, index: Any, stream: Any) -> None:
        encoder = toys.Encoder()
        patience = Patience()
        self.in_hand = InHand()
        self.stream = stream
        self.intake = Intake(stream, patience)
        self.preparer = Preparer(repository, index, encoder, patience)
        self.embedder = Embedder(InThisThread(encoder), 64)
        self.finisher = Finisher(
            repository, index, stream, self.preparer, self.embedder, self.in_hand, patience
        )
        self.taken: list[str] = []

    async def work(self, count: int) -> bool:
        deliveries = self.stream.hand_out(count)
        self.taken = [one.entry_id for one in deliveries]
        works = self.in_hand.admit(await self.intake.sort_out(deliveries))
        plans = await self.preparer.prepare(works)
        async for group in self.embedder.embed(plans):
            await self.finisher.finish(group, lambda: False)
        return bool(deliveries)


async def play(toys: SimpleNamespace, seed: int, writes: int, workers: int, deaths: int) -> None:
    draw = random.Random(seed)
    steps = toys.Steps(seed, most=3)
    repository, stream = toys.Repository(steps), toys.Stream(steps)
    index = toys.Index(steps)

    async def edit() -> None:
        for _ in range(writes):
            template_id = draw.choice(["x", "y"])
            body = draw.choice([None, *BODIES])
            past_the_service = body is not None and draw.random() < 0.3
            if past_the_service and repository.edit_directly(template_id, body):
                # The change relay makes its event.
                version = repository.stored[template_id].version
            else:
                status = draw.choice(["published", "published", "draft"])
                version = repository.write(template_id, body, status)
            for _ in range(draw.choice([1, 1, 2])):
                stream.append(template_id, "delete" if body is None else "upsert", version)
            draw.shuffle(stream.waiting)
            for _ in range(draw.randint(0, 12)):
                await asyncio.sleep(0)

    deaths_left = [deaths]

    async def live() -> None:
        idle = 0
        while idle < 3:
            life = Life(toys, repository, index, stream)
            task = asyncio.create_task(life.work(draw.randint(1, 4)))
            if deaths_left[0] and draw.random() < 0.5:
                deaths_left[0] -= 1
                for _ in range(draw.randint(1, 40)):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                stream.give_back(life.taken)
                continue
            busy = await task
            idle = 0 if busy or not editing.done() else idle + 1

    editing = asyncio.create_task(edit())
    await asyncio.gather(editing, *(live() for _ in range(workers)))
    assert stream.dead == []
    assert stream.waiting == [] and stream.pending == {}
    expected = {}
    for template_id, stored in repository.stored.items():
        template = stored.template
        if template is None or template.status == "draft":
            continue
        fresh = toys.Index(toys.Steps())
        repository_now = toys.Repository(toys.Steps())
        repository_now.stored = {template_id: stored}
        alone_stream = toys.Stream(toys.Steps())
        alone_stream.append(template_id)
        await Life(toys, repository_now, fresh, alone_stream).work(1)
        expected.update(fresh.texts())
    assert index.texts() == expected


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 10**9),
    writes=st.integers(1, 8),
    workers=st.integers(1, 3),
    deaths=st.integers(0, 3),
)
def test_the_index_ends_as_the_rule_book_is(
    toys: SimpleNamespace, seed: int, writes: int, workers: int, deaths: int
) -> None:
    asyncio.run(play(toys, seed, writes, workers, deaths))


@pytest.mark.parametrize("repeat", range(3))
async def test_unchanged_content_is_not_embedded_again(toys: SimpleNamespace, repeat: int) -> None:
    steps = toys.Steps()
    repository, index, stream = toys.Repository(steps), toys.Index(steps), toys.Stream(steps)
    life = Life(toys, repository, index, stream)
    for _ in range(repeat + 2):
        stream.append("x", version=repository.write("x", BODIES[1]))
        await life.work(1)
    chunks = len(index.points)
    assert index.upserts == chunks
    assert {point.version for point in index.points.values()} == {repeat + 2}


async def test_a_shorter_version_leaves_no_chunk_behind(toys: SimpleNamespace) -> None:
    steps = toys.Steps()
    repository, index, stream = toys.Repository(steps), toys.Index(steps), toys.Stream(steps)
    life = Life(toys, repository, index, stream)
    for body in (BODIES[2], BODIES[0]):
        stream.append("x", version=repository.write("x", body))
        await life.work(1)
    assert {point.chunks_total for point in index.points.values()} == {len(index.points)}


async def test_what_qdrant_refuses_does_not_stop_its_neighbours(toys: SimpleNamespace) -> None:
    steps = toys.Steps()
    repository, index, stream = toys.Repository(steps), toys.Index(steps), toys.Stream(steps)
    index.refused = {"bad"}
    for template_id in ("a", "bad", "c"):
        stream.append(template_id, version=repository.write(template_id, BODIES[0]))
    life = Life(toys, repository, index, stream)
    await life.work(3)
    assert set(index.texts()) == {"a", "c"}
    assert list(stream.pending) == ["2-0"]
    assert len(life.in_hand) == 0


async def test_a_poison_text_does_not_stop_its_batch(toys: SimpleNamespace) -> None:
    steps = toys.Steps()
    repository, index, stream = toys.Repository(steps), toys.Index(steps), toys.Stream(steps)
    for template_id, body in (("a", "раз"), ("bad", "ЯД"), ("c", "два")):
        stream.append(template_id, version=repository.write(template_id, body))
    await Life(toys, repository, index, stream).work(3)
    assert set(index.texts()) == {"a", "c"}
    assert list(stream.pending) == ["2-0"]


async def test_an_event_that_comes_while_its_template_is_written_is_done_with_it(
    toys: SimpleNamespace,
) -> None:
    steps = toys.Steps()
    repository, index, stream = toys.Repository(steps), toys.Index(steps), toys.Stream(steps)
    life = Life(toys, repository, index, stream)
    stream.append("x", version=repository.write("x", BODIES[0]))
    works = life.in_hand.admit(await life.intake.sort_out(stream.hand_out(1)))
    plans = await life.preparer.prepare(works)
    stream.append("x", version=repository.write("x", BODIES[1]))
    assert life.in_hand.admit(await life.intake.sort_out(stream.hand_out(1))) == []
    async for group in life.embedder.embed(plans):
        await life.finisher.finish(group, lambda: False)
    assert stream.pending == {} and len(life.in_hand) == 0
    assert index.texts()["x"].startswith("2:")


async def test_a_work_whose_leases_were_lost_writes_nothing(toys: SimpleNamespace) -> None:
    steps = toys.Steps()
    repository, index, stream = toys.Repository(steps), toys.Index(steps), toys.Stream(steps)
    life = Life(toys, repository, index, stream)
    stream.append("x", version=repository.write("x", BODIES[0]))
    works = life.in_hand.admit(await life.intake.sort_out(stream.hand_out(1)))
    plans = await life.preparer.prepare(works)
    life.in_hand.lose(["1-0"])
    async for group in life.embedder.embed(plans):
        await life.finisher.finish(group, lambda: False)
    assert index.points == {} and stream.acked == [] and len(life.in_hand) == 0


async def test_a_direct_edit_that_keeps_its_version_is_not_lost_while_the_template_is_written(
    toys: SimpleNamespace,
) -> None:
    steps = toys.Steps()
    repository, index, stream = toys.Repository(steps), toys.Index(steps), toys.Stream(steps)
    life = Life(toys, repository, index, stream)
    stream.append("x", version=repository.write("x", BODIES[0]))
    works = life.in_hand.admit(await life.intake.sort_out(stream.hand_out(1)))
    plans = await life.preparer.prepare(works)
    assert repository.edit_directly("x", "Исправлено мимо службы.")
    stream.append("x", version=1)
    life.in_hand.admit(await life.intake.sort_out(stream.hand_out(1)))
    async for group in life.embedder.embed(plans):
        await life.finisher.finish(group, lambda: False)
    assert stream.pending == {}
    assert index.texts() == {"x": "1:Исправлено мимо службы."}


async def test_a_repair_writes_what_the_first_chunk_does_not_tell(toys: SimpleNamespace) -> None:
    steps = toys.Steps()
    repository, index, stream = toys.Repository(steps), toys.Index(steps), toys.Stream(steps)
    life = Life(toys, repository, index, stream)
    stream.append("x", version=repository.write("x", BODIES[2]))
    await life.work(1)
    whole = dict(index.points)
    last = len(whole) - 1
    index.points["x", last + 3] = index.points.pop(("x", last))
    stream.append("x")
    await life.work(1)
    assert set(index.points) != set(whole), "an ordinary event trusts the first chunk"
    stream.append("x", repair=True)
    await life.work(1)
    assert set(index.points) == set(whole)
