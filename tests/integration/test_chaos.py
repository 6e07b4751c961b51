"""A small chaos run: one fault of each kind against real processes, and nothing is wrong after it.

`bench:chaos` is the same at full length.
"""

from __future__ import annotations

from pathlib import Path

from bench.chaos_faults import WORKER_KILLED, Timing
from bench.chaos_report import summary, table
from bench.chaos_run import ChaosRun, Options
from bench.toy_model import ToyModel
from bench.worker_processes import toy_kind

EVENTS = 300
# Long enough that a busy machine does not lose leases all the time, short enough for poison, which
# waits for four of them.
LEASE = 2.0
TIMING = Timing(kill_every=4.0, gap=1.5, outage=2.0, stall=1.5, freeze=LEASE + 1.0)
FAULTS = {
    WORKER_KILLED,
    "redis killed (-9)",
    "redis restarted (SIGTERM)",
    "qdrant killed (-9)",
    "mongodb killed (-9)",
    "qdrant stalled (SIGSTOP)",
    "worker stalled (SIGSTOP)",
}


async def test_nothing_is_lost_stale_or_back_from_the_dead(tmp_path: Path) -> None:
    options = Options(
        events=EVENTS,
        templates=60,
        workers=2,
        seed=1,
        timing=TIMING,
        kind=toy_kind(seconds_per_text=0.01, lease=LEASE),
        encoder=ToyModel,
        vectors=True,
    )
    outcome = await ChaosRun(tmp_path, options, print, lambda _: None).run()
    report = "\n".join([*table(outcome.recoveries), *summary(outcome.totals, outcome.verdict)])
    print(report)
    assert outcome.clean, report
    assert {one.fault for one in outcome.recoveries} == FAULTS
    assert outcome.totals.events == EVENTS
    assert outcome.totals.dead_letters >= outcome.totals.poison == EVENTS // 100
    assert outcome.totals.points > 0
