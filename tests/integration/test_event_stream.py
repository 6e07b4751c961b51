"""The stream of events and its group on a real Redis."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
import pytest_asyncio

from explanation_service.content.events import ContentEvent, parse_event
from explanation_service.settings import load_settings
from explanation_service.stores.consumer_janitor import ConsumerJanitor
from explanation_service.stores.dead_letters import DeadLetters
from explanation_service.stores.embedding_channel import WORKERS_KEY
from explanation_service.stores.errors import GroupMissing, StoreRejected, StoreUnavailable
from explanation_service.stores.event_stream import Delivery, EventStream
from explanation_service.stores.redis import BLOCKING_TIMEOUT, close, connect_redis
from explanation_service.telemetry.metrics import REGISTRY

# Milliseconds.
HOUR = 3_600_000


@pytest_asyncio.fixture
async def stream(redis_url: str) -> AsyncIterator[EventStream]:
    redis = connect_redis(load_settings(redis_url=redis_url), blocking=True)
    stream = EventStream(redis, f"t:{uuid4().hex}", "g")
    await stream.ensure_group()
    yield stream
    await redis.delete(stream.name, stream.dead_name)
    await close(redis)


def event(number: int = 1) -> ContentEvent:
    return ContentEvent(
        event_id=f"e{number}",
        entity_id=f"t{number}",
        op="upsert",
        version=number,
        occurred_at=datetime.now(UTC),
    )


def ids_of(deliveries: list[Delivery]) -> list[str]:
    return [delivery.entry_id for delivery in deliveries]


def _order(entry_id: str) -> tuple[int, ...]:
    return tuple(int(part) for part in entry_id.split("-"))


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + 30
    while not await check():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        await asyncio.sleep(0.005)


async def blocked(stream: EventStream) -> None:
    """Returns when a client waits in a blocking read."""

    async def one_is() -> bool:
        return int((await stream._redis.info("clients"))["blocked_clients"]) > 0

    await eventually(one_is)


async def untouched(stream: EventStream, ids: list[str], milliseconds: int) -> None:
    """Returns when nobody has touched these pending entries for so long."""

    async def all_are() -> bool:
        rows = await stream._redis.xpending_range(
            stream.name, stream.group, "-", "+", 1000, idle=milliseconds
        )
        return set(ids) <= {row["message_id"] for row in rows}

    await eventually(all_are)


async def age(stream: EventStream, consumer: str, ids: list[str]) -> None:
    """Make entries look as if nobody had touched them for an hour."""
    await stream._redis.xclaim(stream.name, stream.group, consumer, 0, ids, idle=HOUR, justid=True)


def deleted_entries_counted() -> float:
    return REGISTRY.get_sample_value("embed_skipped_total", {"reason": "entry_deleted"}) or 0.0


async def test_events_go_round_and_are_acknowledged(stream: EventStream) -> None:
    sent = [event(n) for n in (1, 2, 3)]
    ids = await stream.append_many(sent)
    got = await stream.read_new("c", 2, 100) + await stream.read_new("c", 2, 100)
    assert ids_of(got) == ids
    assert [parse_event(delivery.fields).event_id for delivery in got] == ["e1", "e2", "e3"]
    assert {delivery.times_delivered for delivery in got} == {1}
    assert await stream.ack(ids[:2]) == 2
    assert await stream.ack(ids[:2]) == 0
    status = await stream.status()
    assert (status.length, status.lag, status.pending, status.consumers) == (3, 0, 1, 1)


async def test_ensure_group_starts_at_the_first_entry_and_may_be_repeated(
    stream: EventStream,
) -> None:
    other = EventStream(stream._redis, stream.name, "later")
    entry = await stream.append(event())
    assert await other.ensure_group() is True
    assert await other.ensure_group() is False
    assert ids_of(await other.read_new("c", 10, 100)) == [entry]


async def test_an_empty_stream_is_waited_for(stream: EventStream) -> None:
    started = time.monotonic()
    assert await stream.read_new("c", 1, 300) == []
    # It ends by itself, long before the connection's own time-out.
    assert 0.25 < time.monotonic() - started < BLOCKING_TIMEOUT
    waiting = asyncio.create_task(stream.read_new("c", 1, 2000))
    await blocked(stream)
    entry = await stream.append(event())
    assert ids_of(await waiting) == [entry]
    with pytest.raises(ValueError):
        await stream.read_new("c", 1, 10_000)


async def test_a_lost_group_is_named_by_every_call_that_needs_it(stream: EventStream) -> None:
    entry = await stream.append(event())
    await stream._redis.delete(stream.name)
    calls = (
        stream.read_new("c", 1, 50),
        stream.read_own_pending("c", "0", 1),
        stream.claim_stale("c", 0, 1),
        stream.renew("c", [entry]),
        stream.delivery_counts([entry]),
        stream.dead_letter(Delivery(entry, {"a": "b"}), "poison", ""),
    )
    for call in calls:
        with pytest.raises(GroupMissing):
            await call
    # XACK alone answers 0 where there is no group.
    assert await stream.ack([entry]) == 0
    status = await stream.status()
    assert (status.length, status.lag, status.pending, status.consumers) == (0, 0, 0, 0)
    assert await stream.trim() == 0
    assert await stream.ensure_group() is True
    assert await stream.read_new("c", 1, 50) == []


async def test_a_group_lost_while_a_reader_waits(stream: EventStream) -> None:
    waiting = asyncio.create_task(stream.read_new("c", 1, 2000))
    await blocked(stream)
    await stream._redis.delete(stream.name)
    with pytest.raises(GroupMissing):
        await waiting


async def test_own_pending_entries_come_back_in_pages_with_their_counts(
    stream: EventStream,
) -> None:
    ids = await stream.append_many([event(n) for n in range(1, 6)])
    await stream.read_new("c", 10, 100)
    await stream.append(event(9))
    await stream.read_new("other", 10, 100)
    first = await stream.read_own_pending("c", "0", 3)
    second = await stream.read_own_pending("c", first[-1].entry_id, 3)
    assert ids_of(first) == ids[:3] and ids_of(second) == ids[3:]
    assert {delivery.times_delivered for delivery in first} == {2}
    assert await stream.read_own_pending("c", second[-1].entry_id, 3) == []
    assert [one.times_delivered for one in await stream.read_own_pending("c", "0", 1)] == [3]


async def test_entries_deleted_while_pending_are_acknowledged_and_counted(
    stream: EventStream,
) -> None:
    ids = await stream.append_many([event(n) for n in range(1, 7)])
    await stream.read_new("c", 10, 100)
    await stream._redis.xdel(stream.name, *ids[:4])
    before = deleted_entries_counted()
    # A whole page of deleted entries must not look like the end.
    assert ids_of(await stream.read_own_pending("c", "0", 2)) == ids[4:6]
    assert deleted_entries_counted() == before + 4
    assert (await stream.status()).pending == 2
    await stream._redis.xdel(stream.name, ids[4])
    assert ids_of(await stream.claim_stale("d", 0, 10)) == [ids[5]]
    assert deleted_entries_counted() == before + 5
    assert (await stream.status()).pending == 1


async def test_stale_entries_change_hands_once(stream: EventStream) -> None:
    ids = await stream.append_many([event(n) for n in range(1, 31)])
    await stream.read_new("dead", 30, 100)
    assert await stream.claim_stale("c", 60_000, 10) == []
    await untouched(stream, ids, 50)
    first, second = await asyncio.gather(
        stream.claim_stale("c", 50, 20), stream.claim_stale("d", 50, 20)
    )
    assert sorted(ids_of(first) + ids_of(second)) == sorted(ids)
    assert {delivery.times_delivered for delivery in first + second} == {2}
    assert first[0].fields["entity_id"].startswith("t")


async def test_claims_look_past_entries_that_are_not_stale(stream: EventStream) -> None:
    # XAUTOCLAIM looks at 10 entries for each one asked for, then hands out a cursor.
    ids = await stream.append_many([event(n) for n in range(1, 41)])
    await stream.read_new("c", 40, 100)
    await age(stream, "c", ids[39:])
    assert ids_of(await stream.claim_stale("d", HOUR, 1)) == [ids[39]]


async def test_what_is_delivered_again_and_again_comes_with_ever_less_company(
    stream: EventStream,
) -> None:
    ids = await stream.append_many([event(number) for number in range(1, 21)])
    await stream.read_new("a", 20, 100)
    for consumer, expected in (("b", 20), ("c", 8), ("d", 1)):
        await age(stream, "a", ids)
        assert ids_of(await stream.claim_stale(consumer, HOUR, 20)) == ids[:expected]
    await age(stream, "own", ids)
    # The first was delivered four times, the next seven three times, the rest twice.
    reads, after = [], "0"
    while read := await stream.read_own_pending("own", after, 20):
        reads.append(len(read))
        after = read[-1].entry_id
    assert reads == [1] * 8 + [8, 4]


async def test_a_look_for_stale_entries_is_one_command(
    stream: EventStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stream.append_many([event(n) for n in range(1, 200)])
    await stream.read_new("c", 200, 100)
    monkeypatch.setattr(stream._redis, "xautoclaim", None)
    assert await stream.claim_stale("d", HOUR, 1) == []


async def test_a_renewed_lease_is_not_taken_and_counts_no_delivery(stream: EventStream) -> None:
    ids = await stream.append_many([event(1), event(2), event(3)])
    await stream.read_new("c", 10, 100)
    await age(stream, "c", ids)
    assert await stream.renew("c", ids[:1]) == ids[:1]
    assert ids_of(await stream.claim_stale("d", HOUR, 10)) == ids[1:]
    await stream.ack(ids[2:])
    # The second is d's now and the third is done: neither may come back.
    assert await stream.renew("c", ids) == ids[:1]
    assert await stream.delivery_counts(ids) == {ids[0]: 1, ids[1]: 2}
    assert ids_of(await stream.read_own_pending("d", "0", 10)) == [ids[1]]
    assert await stream.renew("c", []) == [] and await stream.delivery_counts([]) == {}


async def test_a_dead_letter_keeps_the_fields_and_is_written_once(stream: EventStream) -> None:
    source = await stream._redis.xadd(stream.name, {"entity": "template", "reason": "mine"})
    (delivery,) = await stream.read_new("c", 1, 100)
    letter = await stream.dead_letter(delivery, "malformed", "ы" * 5000)
    assert await stream.dead_letter(delivery, "malformed", "again") is None
    letters = await stream._redis.xrange(stream.dead_name)
    assert letters == [
        (
            letter,
            {
                "entity": "template",
                "reason": "malformed",
                "detail": "ы" * 2000,
                "source_id": source,
                "deliveries": "1",
                "consumer": "c",
                "trace": "",
            },
        )
    ]
    status = await stream.status()
    assert (status.pending, status.dead_letters) == (0, 1)


async def test_an_entry_with_thousands_of_fields_can_be_set_aside(stream: EventStream) -> None:
    await stream._redis.xadd(stream.name, {f"f{n}": "x" for n in range(9000)})
    (delivery,) = await stream.read_new("c", 1, 500)
    assert await stream.dead_letter(delivery, "malformed", "") is not None
    ((_, letter),) = await stream._redis.xrange(stream.dead_name)
    assert len(letter) == 106 and letter["reason"] == "malformed"


async def test_a_dead_letter_that_cannot_be_written_leaves_the_entry_pending(
    stream: EventStream,
) -> None:
    await stream.append(event())
    (delivery,) = await stream.read_new("c", 1, 100)
    await stream._redis.set(stream.dead_name, "no stream")
    with pytest.raises(StoreRejected):
        await stream.dead_letter(delivery, "poison", "")
    await stream._redis.delete(stream.dead_name)
    assert (await stream.status()).pending == 1


async def test_broken_text_does_not_stop_the_reader(stream: EventStream) -> None:
    await stream._redis.xadd(stream.name, {b"entity": b"\xff\xfe"})
    (delivery,) = await stream.read_new("c", 1, 100)
    assert delivery.fields == {"entity": "\ufffd\ufffd"}


async def test_status_tells_lag_and_age(stream: EventStream) -> None:
    ids = await stream.append_many([event(n) for n in range(1, 5)])
    await stream.read_new("c", 1, 100)
    await untouched(stream, ids[:1], 200)
    status = await stream.status()
    assert (status.length, status.lag, status.pending) == (4, 3, 1)
    assert 0.15 < status.oldest_pending_seconds < 60.0
    # An unread entry is deleted: Redis gives no lag any more, so the rest is counted.
    await stream._redis.xdel(stream.name, ids[2])
    assert (await stream.status()).lag == 2
    await stream.ack(ids[:1])
    assert (await stream.status()).oldest_pending_seconds == 0.0


async def test_unread_entries_are_shared_among_those_who_were_seen(stream: EventStream) -> None:
    await stream.append_many([event(number) for number in range(1, 12)])
    await stream.read_new("a", 1, 100)
    assert await stream.unread_each(HOUR) is None
    await stream.read_new("b", 1, 100)
    assert await stream.unread_each(HOUR) == 9 // 2

    async def nobody_was_seen() -> bool:
        return await stream.unread_each(1) is None

    await eventually(nobody_was_seen)
    await stream._redis.delete(stream.name)
    assert await stream.unread_each(HOUR) is None


async def test_trimming_spares_what_any_group_still_needs(stream: EventStream) -> None:
    slow = EventStream(stream._redis, stream.name, "slow")
    await slow.ensure_group()
    ids = await stream.append_many([event(n) for n in range(1, 501)])
    await stream.read_new("c", 500, 500)
    await stream.ack(ids)
    assert await stream.trim() == 0, "the slow group has read nothing"
    await slow.read_new("c", 450, 500)
    await slow.ack(ids[:400])
    assert await stream.trim() > 0
    left = [entry_id for entry_id, _ in await stream._redis.xrange(stream.name)]
    assert set(ids[400:]) <= set(left)
    assert ids_of(await slow.read_own_pending("c", "0", 1)) == [ids[400]]
    assert len(await slow.read_new("c", 500, 100)) == 50


async def test_trimming_leaves_a_group_that_has_read_nothing_everything(
    stream: EventStream,
) -> None:
    ids = await stream.append_many([event(n) for n in range(1, 301)])
    assert await stream.trim() == 0
    await stream.read_new("c", 300, 500)
    assert await stream.trim() == 0
    await stream.ack(ids)
    # A group made later, from the first entry on, needs all of them again.
    await EventStream(stream._redis, stream.name, "later").ensure_group()
    assert await stream.trim() == 0
    await stream._redis.xgroup_destroy(stream.name, "later")
    assert await stream.trim() > 0


@pytest.mark.parametrize("seed", range(4))
async def test_trimming_never_takes_what_somebody_still_needs(
    stream: EventStream, seed: int
) -> None:
    """Two groups at their own pace, acknowledgements in any order, deletions in between."""
    draw = random.Random(seed)
    groups = [stream, EventStream(stream._redis, stream.name, "slow")]
    await groups[1].ensure_group()
    unread: list[set[str]] = [set(), set()]
    pending: list[set[str]] = [set(), set()]
    deleted: set[str] = set()
    trimmed = 0
    for _ in range(40):
        for entry_id in await stream.append_many([event()] * draw.randint(1, 150)):
            for needed in unread:
                needed.add(entry_id)
        for at, group in enumerate(groups):
            got = ids_of(await group.read_new("c", draw.randint(1, 250), 1))
            unread[at] -= set(got)
            pending[at] |= set(got)
            few = draw.random() < 0.3
            # In the order of the stream, which is not that of the ids as text: what is drawn must
            # not depend on how many entries came in one millisecond.
            open_ones = sorted(pending[at], key=_order)
            done = [one for one in open_ones if draw.random() < (0.2 if few else 0.95)]
            await group.ack(done)
            pending[at] -= set(done)
        if draw.random() < 0.2 and pending[0]:
            gone = draw.choice(sorted(pending[0], key=_order))
            await stream._redis.xdel(stream.name, gone)
            # Who has it pending must still acknowledge it, and holds up the trimming until then.
            deleted.add(gone)
        trimmed += await stream.trim()
        left = {entry_id for entry_id, _ in await stream._redis.xrange(stream.name)}
        for needed in (*unread, *pending):
            assert needed - deleted <= left
    assert trimmed > 0


async def test_only_ones_own_entries_are_acknowledged(stream: EventStream) -> None:
    ids = await stream.append_many([event(n) for n in range(1, 4)])
    await stream.read_new("c", 3, 100)
    await age(stream, "c", ids[1:2])
    await stream.claim_stale("d", HOUR, 1)
    assert await stream.ack_own("c", ids) == 2
    assert list(await stream.delivery_counts(ids)) == [ids[1]]
    assert await stream.ack_own("d", ids) == 1
    assert await stream.ack_own("c", []) == 0
    await stream._redis.delete(stream.name)
    assert await stream.ack_own("c", ids) == 0


async def test_entries_that_are_handed_back_are_taken_at_once(stream: EventStream) -> None:
    ids = await stream.append_many([event(n) for n in range(1, 5)])
    await stream.read_new("c", 4, 100)
    await age(stream, "c", ids[3:])
    await stream.claim_stale("e", HOUR, 1)
    assert await stream.hand_back("c", [ids[0], ids[3]], forgive=True) == 1
    assert await stream.hand_back("c", [ids[1]], forgive=False) == 1
    taken = await stream.claim_stale("d", HOUR, 10)
    # The first counts this delivery alone, the second that one, too; the others stay.
    assert {one.entry_id: one.times_delivered for one in taken} == {ids[0]: 1, ids[1]: 2}
    assert await stream.hand_back("c", [ids[0]], forgive=True) == 0
    assert await stream.hand_back("c", [], forgive=True) == 0


async def test_a_dead_letter_tells_the_last_failure(stream: EventStream) -> None:
    ids = await stream.append_many([event(1), event(2)])
    first, second = await stream.read_new("c", 2, 100)
    await stream.note_failure(ids[:1], "the first time")
    await stream.note_failure(ids[:1], "Traceback" + "." * 9000 + "ValueError: no")
    (again,) = await stream.read_own_pending("c", "0", 1)
    await stream.dead_letter(again, "max_deliveries", "", "nothing was said")
    await stream.dead_letter(second, "max_deliveries", "", "nothing was said")
    told, silent = await DeadLetters(stream._redis, stream.name).list()
    assert (told.deliveries, told.consumer) == (2, "c") and again.entry_id == first.entry_id
    assert told.trace.endswith("ValueError: no") and len(told.trace) == 4000
    assert (silent.deliveries, silent.trace) == (1, "nothing was said")
    assert told.fields == event(1).to_fields() | {"occurred_at": told.fields["occurred_at"]}
    assert [key async for key in stream._redis.scan_iter(f"{stream.name}:failure:*")] == []


async def test_a_replayed_letter_is_the_event_alone(stream: EventStream) -> None:
    await stream.append(event(1))
    (delivery,) = await stream.read_new("c", 1, 100)
    await stream.dead_letter(delivery, "max_deliveries", "", "-")
    letters = DeadLetters(stream._redis, stream.name)
    (letter,) = await letters.list()
    await letters.replay(letter)
    (back,) = await stream.read_new("c", 1, 100)
    assert back.fields == delivery.fields


async def test_the_janitor_spares_whoever_has_work_or_lives(stream: EventStream) -> None:
    await stream.append_many([event(n) for n in range(1, 3)])
    await stream.read_new("working", 1, 100)
    gone = await stream.read_new("gone", 1, 100)
    await stream.ack(ids_of(gone))
    await stream.read_new("alive", 1, 1)
    mark = uuid4().hex
    alive = f"alive-{mark}"
    await stream._redis.xgroup_createconsumer(stream.name, stream.group, alive)
    await stream._redis.set(f"{WORKERS_KEY}:{alive}", "{}", px=60_000)
    janitor = ConsumerJanitor(stream._redis, stream.name, stream.group)
    assert await janitor.sweep() == [], "all of them were there a moment ago"
    assert sorted(await janitor.sweep(idle=0)) == ["alive", "gone"]
    rows = await stream._redis.xinfo_consumers(stream.name, stream.group)
    assert {row["name"] for row in rows} == {"working", alive}
    assert (await stream.status()).pending == 1
    await stream._redis.delete(stream.name, f"{WORKERS_KEY}:{alive}")
    assert await janitor.sweep(idle=0) == []


async def test_a_redis_that_is_away_fails_in_time() -> None:
    for blocking in (False, True):
        redis = connect_redis(load_settings(redis_url="redis://127.0.0.1:1/0"), blocking=blocking)
        away = EventStream(redis, "s", "g")
        started = time.monotonic()
        for call in (away.append(event()), away.read_new("c", 1, 2000), away.status()):
            with pytest.raises(StoreUnavailable) as caught:
                await call
            assert caught.value.name == "redis"
        assert time.monotonic() - started < 2.0
        await close(redis)


async def test_a_redis_that_hangs_fails_in_time() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    redis = connect_redis(load_settings(redis_url=f"redis://127.0.0.1:{port}/0"))
    started = time.monotonic()
    with pytest.raises(StoreUnavailable):
        await EventStream(redis, "s", "g").append(event())
    # Two tries of 2 s each; redis-py's own defaults would take over 50 s.
    assert time.monotonic() - started < 6.0
    await close(redis)
    server.close()
