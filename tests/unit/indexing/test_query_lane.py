from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from explanation_service.indexing import query_lane as module
from explanation_service.indexing.encode_thread import EncodeThread
from explanation_service.indexing.query_lane import QueryLane
from explanation_service.stores.errors import StoreUnavailable
from explanation_service.stores.records import QueryRequest


def request(name: str, text: str, seconds: float = 3600) -> QueryRequest:
    return QueryRequest(name, text, "r1", int((time.time() + seconds) * 1000), "reply")


class Server:
    """Rounds of requests; the lane is stopped after the last."""

    def __init__(self, rounds: list[Any], stop: asyncio.Event) -> None:
        self.rounds = rounds
        self.stop = stop
        self.replies: list[str] = []
        self.batches = 0

    async def next_requests(self, revision: str, count: int, block_s: float) -> list[QueryRequest]:
        assert revision == "r1"
        if not self.rounds:
            self.stop.set()
            return []
        found = self.rounds.pop(0)
        if isinstance(found, Exception):
            raise found
        return list(found)

    async def reply_many(
        self, answers: Sequence[tuple[QueryRequest, Sequence[float]]], revision: str
    ) -> None:
        assert revision == "r1"
        self.batches += 1
        self.replies += [one.id for one, _ in answers]


async def serve(toys: SimpleNamespace, rounds: list[Any]) -> tuple[Server, Any]:
    stop = asyncio.Event()
    server, encoder = Server(rounds, stop), toys.Encoder()
    thread = EncodeThread(encoder)
    thread.start()
    await asyncio.wait_for(QueryLane(server, encoder, thread, stop).run(), 10)  # type: ignore[arg-type]
    thread.close()
    return server, encoder


async def test_the_same_question_is_computed_once(toys: SimpleNamespace) -> None:
    asked = [request("1", "не с  глаголом"), request("2", " не с глаголом"), request("3", "ни")]
    server, encoder = await serve(toys, [asked])
    assert sorted(server.replies) == ["1", "2", "3"]
    assert len(encoder.embedded) == 2


async def test_a_pasted_page_does_not_hold_up_a_short_question(toys: SimpleNamespace) -> None:
    page = " ".join(["слово"] * 60)
    server, _ = await serve(
        toys, [[request("page1", page + " а"), request("page2", page), request("short", "ни")]]
    )
    assert server.replies[0] == "short"


async def test_a_question_that_fails_takes_no_other_along(toys: SimpleNamespace) -> None:
    server, _ = await serve(toys, [[request("bad", "ЯД")], [request("good", "ни")]])
    assert server.replies == ["good"]


async def test_a_lost_connection_is_taken_up_again(
    toys: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.001)
    server, _ = await serve(toys, [StoreUnavailable("redis", "x"), [request("1", "ни")]])
    assert server.replies == ["1"]


class Stopped:
    """The toy encoder, whose batches of passages wait for the test between two layers."""

    def __init__(self, encoder: Any) -> None:
        self.info, self.query_ids, self._embed = encoder.info, encoder.query_ids, encoder.embed
        self.in_batch, self.go_on = threading.Event(), threading.Event()
        self.order: list[str] = []

    def embed(self, ids: Any, between_layers: Any = None) -> Any:
        if between_layers is not None:
            self.in_batch.set()
            self.go_on.wait(10)
            between_layers()
        self.order.append("passages" if between_layers else "queries")
        return self._embed(ids)


class Open(Server):
    """Goes on after the last round, until the test sets the stop."""

    async def next_requests(self, revision: str, count: int, block_s: float) -> list[QueryRequest]:
        if self.rounds:
            return await super().next_requests(revision, count, block_s)
        await asyncio.sleep(0.001)
        return []


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def test_a_request_past_its_deadline_gets_the_place_of_passages(
    toys: SimpleNamespace,
) -> None:
    stop = asyncio.Event()
    server, encoder = Open([[request("late", "не", -0.5)]], stop), Stopped(toys.Encoder())
    thread = EncodeThread(encoder)  # type: ignore[arg-type]
    thread.start()
    lane = asyncio.create_task(QueryLane(server, encoder, thread, stop).run())  # type: ignore[arg-type]
    assert await asyncio.to_thread(encoder.in_batch.wait, 10)
    # The late one is in work; one in time is served between two of its layers.
    server.rounds.append([request("live", "ни")])
    await until(lambda: bool(thread._queries))
    encoder.go_on.set()
    await until(lambda: len(server.replies) == 2)
    stop.set()
    await asyncio.wait_for(lane, 10)
    thread.close()
    assert encoder.order == ["queries", "passages"]
    assert server.replies == ["live", "late"]


async def test_a_request_that_gets_late_while_others_are_computed_steps_back(
    toys: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    late: set[str] = set()
    monkeypatch.setattr(module, "is_late", lambda one, seconds=0.0: not seconds and one.id in late)

    class Slow(Open):
        async def reply_many(self, answers: Any, revision: str) -> None:
            await super().reply_many(answers, revision)
            late.add("page1")

    page = " ".join(["слово"] * 62)
    asked = [request("page1", page), request("page2", page + " а"), request("short", "ни")]
    stop = asyncio.Event()
    server, encoder = Slow([asked], stop), Stopped(toys.Encoder())
    encoder.go_on.set()
    thread = EncodeThread(encoder)  # type: ignore[arg-type]
    thread.start()
    lane = asyncio.create_task(QueryLane(server, encoder, thread, stop).run())  # type: ignore[arg-type]
    await until(lambda: len(server.replies) == 3)
    stop.set()
    await asyncio.wait_for(lane, 10)
    thread.close()
    assert server.replies[0] == "short"
    assert encoder.order.count("passages") == 1 and encoder.in_batch.is_set()


def test_few_late_requests_are_kept_and_not_for_long(toys: SimpleNamespace) -> None:
    lane = QueryLane(None, toys.Encoder(), None, asyncio.Event())  # type: ignore[arg-type]
    many = [request(str(number), "не", -1) for number in range(module.MOST_LATE + 10)]
    live = request("live", "ни")
    assert lane._in_time([*many, live]) == [live]
    assert list(lane._late.values()) == many[10:]
    assert module._of_use([many[0], request("stale", "ни", -60)]) == [many[0]]
