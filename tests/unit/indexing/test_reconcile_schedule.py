from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from explanation_service.indexing import reconcile_schedule as module
from explanation_service.indexing.reconcile_schedule import ReconcileSchedule
from explanation_service.indexing.tasks import end
from explanation_service.reconciliation.findings import Finding, Kind
from explanation_service.reconciliation.report import Report
from explanation_service.stores.errors import StoreUnavailable
from explanation_service.telemetry.metrics import REGISTRY


class Parts:
    """The reconciler, its waiting, and the lease's notes."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.runs: list[float] = []
        self.away = 0

    async def run(self, repair: bool) -> Report:
        assert repair
        self.runs.append(time.time())
        if self.away:
            self.away -= 1
            raise StoreUnavailable("qdrant", "x")
        report = Report(by_content=True, seconds=0.25)
        report.note(Finding(Kind.STALE, "x"))
        return report

    def begin(self) -> None:
        """Quiet's."""

    async def notes(self) -> dict[str, str]:
        return dict(self.kept)

    async def note(self, **fields: str) -> None:
        self.kept |= fields

    def schedule(self, interval: float) -> ReconcileSchedule:
        parts: Any = self
        return ReconcileSchedule(parts, parts, parts, interval)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY", 0.002)


async def run_until(schedule: ReconcileSchedule, check: Any) -> None:
    task = asyncio.create_task(schedule.run())
    try:
        async with asyncio.timeout(20):
            while not check():
                await asyncio.sleep(0.001)
    finally:
        await end(task)


async def test_it_compares_soon_and_then_each_interval() -> None:
    parts = Parts()
    await run_until(parts.schedule(0.2), lambda: len(parts.runs) == 3)
    assert min(b - a for a, b in zip(parts.runs, parts.runs[1:], strict=False)) >= 0.19


async def test_a_new_leader_does_not_begin_anew() -> None:
    parts = Parts()
    parts.kept = {"reconciled_at": str(time.time())}
    looks = 0
    notes = parts.notes

    async def counted() -> dict[str, str]:
        nonlocal looks
        looks += 1
        return await notes()

    parts.notes = counted  # type: ignore[method-assign]
    await run_until(parts.schedule(3600), lambda: looks == 10)
    assert parts.runs == []


async def test_a_store_that_is_away_is_tried_again() -> None:
    parts = Parts()
    parts.away = 2
    await run_until(parts.schedule(3600), lambda: "reconciled_at" in parts.kept)
    assert len(parts.runs) == 3


async def test_what_was_found_is_measured() -> None:
    parts = Parts()
    labels = {"kind": "stale"}
    before = REGISTRY.get_sample_value("embed_reconcile_findings_total", labels) or 0
    started = time.time()
    await parts.schedule(3600).reconcile()
    assert REGISTRY.get_sample_value("embed_reconcile_findings_total", labels) == before + 1
    assert REGISTRY.get_sample_value("embed_reconcile_duration_seconds") == 0.25
    last = REGISTRY.get_sample_value("embed_reconcile_last_success_timestamp_seconds")
    assert last is not None and last >= started
