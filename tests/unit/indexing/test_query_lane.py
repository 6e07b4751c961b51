from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from explanation_service.indexing import query_lane as module
from explanation_service.indexing.encode_thread import EncodeThread
from explanation_service.indexing.query_lane import QueryLane
from explanation_service.stores.errors import StoreUnavailable
from explanation_service.stores.records import QueryRequest


def request(name: str, text: str) -> QueryRequest:
    return QueryRequest(name, text, None, 2**60, "reply")


class Server:
    """Rounds of requests; the lane is stopped after the last."""

    def __init__(self, rounds: list[Any], stop: asyncio.Event) -> None:
        self.rounds = rounds
        self.stop = stop
        self.replies: list[str] = []
        self.batches = 0

    async def next_requests(self, count: int, block_s: float) -> list[QueryRequest]:
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
