from __future__ import annotations

from typing import Any

from explanation_service.retrieval.worker_presence import (
    REVISION_FRESH,
    WORKERS_FRESH,
    WorkerPresence,
)
from explanation_service.stores.records import EmbeddingModelInfo, WorkerState


class Client:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.model: Any = EmbeddingModelInfo("m", "r1", 2, 64)
        self.workers = [WorkerState("w", "query", "r1", "m", 2, True)]

    async def current_model(self) -> Any:
        self.asked.append("model")
        return self.model

    async def live_workers(self) -> Any:
        self.asked.append("workers")
        return self.workers


async def test_answers_are_good_for_a_while() -> None:
    client, now = Client(), [100.0]
    presence = WorkerPresence(client, lambda: now[0])  # type: ignore[arg-type]
    assert presence.revision is None
    assert [await presence.serving(), await presence.serving()] == [True, True]
    assert await presence.current_revision() == await presence.current_revision() == "r1"
    assert client.asked == ["workers", "model"]
    client.workers = []
    now[0] += max(WORKERS_FRESH, REVISION_FRESH)
    assert not await presence.serving()


async def test_what_was_forgotten_is_asked_anew_but_the_revision_stays_known() -> None:
    client = Client()
    presence = WorkerPresence(client, lambda: 100.0)  # type: ignore[arg-type]
    await presence.current_revision()
    presence.forget()
    assert presence.revision == "r1"
    client.model = None
    assert await presence.current_revision() is None
