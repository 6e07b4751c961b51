"""When the rule book is compared with the index, and what of that is measured."""

from __future__ import annotations

import asyncio
import random
import time

from explanation_service.indexing.quiet import Quiet
from explanation_service.reconciliation.reconciler import Reconciler
from explanation_service.reconciliation.report import Report
from explanation_service.stores.errors import StoreUnavailable
from explanation_service.stores.leader_lease import LeaderLease
from explanation_service.telemetry.logging import get_logger
from explanation_service.telemetry.metrics import (
    embed_reconcile_duration_seconds,
    embed_reconcile_findings_total,
    embed_reconcile_last_success_timestamp_seconds,
)

log = get_logger(__name__)

# Seconds, half as many to half as many again, between looks whether it is time. A new leader waits
# as long before its first, for the stores may just have come up, too.
LOOK_EVERY = 20.0


class ReconcileSchedule:
    """The leader's. The time of the last comparison is noted with the lease, so that a change of
    leader does not begin one."""

    def __init__(
        self, reconciler: Reconciler, quiet: Quiet, lease: LeaderLease, interval: float
    ) -> None:
        self._reconciler = reconciler
        self._quiet = quiet
        self._lease = lease
        self._interval = interval
        self._one_at_a_time = asyncio.Lock()

    async def reconcile(self) -> Report:
        """Compare and repair now. Raises StoreUnavailable and LeaseLost."""
        async with self._one_at_a_time:
            self._quiet.begin()
            report = await self._reconciler.run(repair=True)
            now = time.time()
            embed_reconcile_duration_seconds.set(report.seconds)
            embed_reconcile_last_success_timestamp_seconds.set(now)
            for kind, count in report.counts.items():
                embed_reconcile_findings_total.labels(kind.value).inc(count)
            _say(report)
            await self._lease.note(reconciled_at=f"{now:.3f}")
        return report

    async def run(self) -> None:
        """Compare whenever the interval has passed, never where it is 0; until cancelled. Raises
        LeaseLost."""
        if not self._interval:
            await asyncio.Event().wait()
        while True:
            await asyncio.sleep(min(LOOK_EVERY, self._interval) * random.uniform(0.5, 1.5))
            try:
                if await self._is_due():
                    await self.reconcile()
            except StoreUnavailable as error:
                log.warning("rule book and index were not compared", why=str(error))

    async def _is_due(self) -> bool:
        last = (await self._lease.notes()).get("reconciled_at")
        return last is None or time.time() >= float(last) + self._interval


def _say(report: Report) -> None:
    counts = {kind.value: count for kind, count in report.counts.items()}
    examples = {kind.value: ids for kind, ids in report.examples.items()}
    say = log.warning if report.found else log.info
    say(
        "rule book and index were compared",
        templates=report.templates,
        passages=report.passages,
        by_content=report.by_content,
        seconds=round(report.seconds, 3),
        **({"found": counts, "examples": examples, "events": report.events} if counts else {}),
    )
