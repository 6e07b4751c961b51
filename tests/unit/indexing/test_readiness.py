"""Alive is who moves: a loop that hangs is told from one that is idle, waits or encodes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from explanation_service.indexing import pulse as pulses
from explanation_service.indexing.encode_thread import EncodeThread
from explanation_service.indexing.patience import Patience
from explanation_service.indexing.pulse import Pulse
from explanation_service.indexing.readiness import STUCK_AFTER, Readiness
from explanation_service.stores.errors import StoreUnavailable


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def test_a_silent_loop_is_named_and_a_beat_revives_it() -> None:
    clock = Clock()
    pulse = Pulse("index", clock)
    clock.now += pulses.SILENT_AFTER - 1
    assert pulse.why_stuck() is None
    clock.now += 2
    assert (pulse.why_stuck() or "").startswith("the index loop")
    pulse.beat()
    assert pulse.why_stuck() is None


def test_each_loop_counts_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    readiness = Readiness()
    index, query = readiness.watch("index"), readiness.watch("query")
    assert readiness.why_stuck() is None
    monkeypatch.setattr(pulses, "SILENT_AFTER", 0.0)
    assert "index" in (readiness.why_stuck() or "")
    readiness.let_go(index)
    assert "query" in (readiness.why_stuck() or "")
    readiness.let_go(query)
    assert readiness.why_stuck() is None


def test_a_batch_that_takes_for_ever_is_a_reason_too() -> None:
    class Thread:
        def busy_seconds(self) -> float:
            return STUCK_AFTER

    thread: Any = Thread()
    readiness = Readiness()
    readiness.model_is_loaded(thread)
    assert "one batch" in (readiness.why_stuck() or "")


async def test_a_store_that_is_away_is_no_standstill(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    pulse = Pulse("index", clock)
    attempts: list[float] = []

    async def operation() -> str:
        attempts.append(clock.now)
        clock.now += pulses.SILENT_AFTER / 2
        if len(attempts) < 4:
            raise StoreUnavailable("redis", "away")
        return "there"

    async def no_time(_seconds: float) -> None:
        assert pulse.why_stuck() is None

    monkeypatch.setattr(asyncio, "sleep", no_time)
    assert await Patience(pulse=pulse).through(operation) == "there"
    assert clock.now > attempts[0] + pulses.SILENT_AFTER and pulse.why_stuck() is None


async def test_each_batch_of_passages_is_a_sign_of_life(toys: Any) -> None:
    clock = Clock()
    pulse = Pulse("index", clock)
    thread = EncodeThread(toys.Encoder())
    thread.tell(pulse)
    thread.start()
    try:
        clock.now += pulses.SILENT_AFTER + 1
        await thread.embed_queries([[1]])
        await thread.embed_late_queries([[1]])
        assert pulse.why_stuck() is not None, "queries say nothing of the index loop"
        await thread.embed_passages([[1]])
        assert pulse.why_stuck() is None
    finally:
        thread.close()
