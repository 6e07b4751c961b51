from __future__ import annotations

from typing import Any

from explanation_service.retrieval.worker_presence import WORKERS_FRESH, WorkerPresence
from explanation_service.stores.records import WorkerState


class Client:
    def __init__(self) -> None:
        self.asked = 0
        self.workers = [WorkerState("w", "query", "r1", "m", 2, True)]

    async def live_workers(self) -> Any:
        self.asked += 1
        return self.workers


async def test_answers_are_good_for_a_while() -> None:
    client, now = Client(), [100.0]
    presence = WorkerPresence(client, lambda: now[0])  # type: ignore[arg-type]
    assert [await presence.serving("r1"), await presence.serving("r1")] == [True, True]
    assert client.asked == 1
    client.workers = []
    now[0] += WORKERS_FRESH
    assert not await presence.serving("r1")


async def test_each_model_has_workers_of_its_own() -> None:
    client = Client()
    client.workers.append(WorkerState("x", "index", "r2", "m", 2, True))
    presence = WorkerPresence(client, lambda: 100.0)  # type: ignore[arg-type]
    assert [await presence.serving("r1"), await presence.serving("r2")] == [True, False]


async def test_what_was_forgotten_is_asked_anew() -> None:
    client = Client()
    presence = WorkerPresence(client, lambda: 100.0)  # type: ignore[arg-type]
    assert await presence.serving("r1")
    client.workers = []
    presence.forget()
    assert not await presence.serving("r1")
