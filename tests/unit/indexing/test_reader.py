from __future__ import annotations

from typing import Any

from explanation_service.indexing.patience import Patience
from explanation_service.indexing.reader import Reader
from explanation_service.stores.errors import GroupMissing
from explanation_service.stores.records import Delivery


class Stream:
    """Three sources of entries; notes what it was asked for."""

    group = "g"

    def __init__(
        self, own: int = 0, stale: int = 0, new: int = 0, missing: int = 0, workers: int = 1
    ) -> None:
        self.left = {"own": own, "stale": stale, "new": new}
        self.workers = workers
        self.missing = missing
        self.calls: list[tuple[str, int]] = []

    def _take(self, source: str, count: int) -> list[Delivery]:
        if self.missing:
            self.missing -= 1
            raise GroupMissing("gone")
        self.calls.append((source, count))
        taken = min(count, self.left[source])
        self.left[source] -= taken
        return [Delivery(f"{source}-{self.left[source] + n}", {}, 2) for n in range(taken)]

    async def read_own_pending(self, consumer: str, after: str, count: int) -> list[Delivery]:
        return self._take("own", count)

    async def claim_stale(self, consumer: str, min_idle_ms: int, count: int) -> list[Delivery]:
        assert min_idle_ms == 15_000
        return self._take("stale", count)

    async def read_new(self, consumer: str, count: int, block_ms: int) -> list[Delivery]:
        return self._take("new", count)

    async def unread_each(self, active_ms: int) -> int | None:
        assert active_ms == 15_000
        return None if self.workers < 2 else self.left["new"] // self.workers


def reader(stream: Any, restored: list[int] | None = None) -> Reader:
    async def restore() -> None:
        if restored is not None:
            restored.append(1)

    return Reader(stream, "c", Patience(), restore)


async def test_own_entries_come_first_then_the_dead_ones_then_new_ones() -> None:
    stream = Stream(own=2, stale=2, new=2)
    subject = reader(stream)
    reads = [await subject.read() for _ in range(6)]
    kinds = [(one.deliveries[0].entry_id[:3] if one.deliveries else "", one.again) for one in reads]
    assert kinds[:2] == [("own", True), ("own", True)]
    assert ("sta", True) in kinds and kinds[-2:][0][0] in ("new", "")
    assert [k for k, _ in kinds if k].index("new") == len([k for k, _ in kinds if k]) - 1


async def test_what_was_delivered_before_is_taken_one_by_one_at_first() -> None:
    stream = Stream(stale=100)
    subject = reader(stream)
    for _ in range(4):
        await subject.read()
    assert [count for source, count in stream.calls if source == "stale"] == [1, 2, 4, 8]


async def test_claims_go_on_at_once_while_there_is_something_to_claim() -> None:
    stream = Stream(stale=5, new=1)
    subject = reader(stream)
    for _ in range(4):
        await subject.read()
    assert stream.calls == [("own", 1), *[("stale", n) for n in (1, 2, 4, 4)], ("new", 16)]


async def test_new_entries_are_taken_in_growing_numbers_while_there_are_many() -> None:
    stream = Stream(new=16 + 32 + 64 + 5)
    subject = reader(stream)
    for _ in range(5):
        await subject.read()
    assert [count for source, count in stream.calls if source == "new"] == [16, 32, 64, 128, 16]


async def test_several_workers_take_a_backlog_in_ever_smaller_parts() -> None:
    stream = Stream(new=1000, workers=3)
    subject = reader(stream)
    while stream.left["new"]:
        await subject.read()
    counts = [count for source, count in stream.calls if source == "new"]
    assert counts[:5] == [16, 32, 64, 128, (1000 - 240) // 6]
    # Not back to 16 by half: the largest part shrinks with what is left.
    assert counts[5:] == sorted(counts[5:], reverse=True)
    assert counts[5] > 100 and counts[-1] == 16


async def test_a_missing_group_is_restored() -> None:
    restored: list[int] = []
    subject = reader(Stream(new=1, missing=1), restored)
    assert (await subject.read()).deliveries == []
    assert restored == [1]
    assert len((await subject.read()).deliveries) == 1
