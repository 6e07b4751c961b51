"""Do three workers do three times the work of one, and each its share?

    python -m bench.scaling [--events 300] [--workers 3] [--rounds 3]

Worker processes with a model that sleeps 50 ms a text (work that waits, so that this machine's
cores are no limit) against real servers. Events of templates with one passage each lie in the
stream at once; the clock runs from the first of them to the last acknowledgement. Exit code 1 when
the median ratio of the rounds is below 2.5 (of three workers), or a worker's share in any round is
outside of 20 to 46 % (of three; for another number as far from the even share).
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import httpx

from bench.embedded_stores import embedded_stores
from bench.worker_processes import WorkerProcess, stop_all, toy_kind
from explanation_service.content.template import TemplateDraft
from explanation_service.indexing.connections import Connections, connect
from explanation_service.settings import Settings, load_settings
from explanation_service.telemetry.logging import configure_logging

SECONDS_PER_TEXT = 0.05
# Of the ideal ratio: 2.5 for three workers.
LEAST_EFFICIENCY = 2.5 / 3
# Of the even share: 20 and 46 % for three workers.
LEAST_SHARE, LARGEST_SHARE = 0.2 * 3, 0.46 * 3
_TIMEOUT_SECONDS = 300
_EMBEDDED = re.compile(r'^embed_events_total\{[^}]*outcome="embedded"[^}]*\} (\S+)$', re.MULTILINE)


async def run_burst(
    stores: Connections, workers: Sequence[WorkerProcess], events: int, mark: str
) -> tuple[float, list[float]]:
    """Seconds that the workers take for a burst of events, and the share of each."""
    burst = []
    for number in range(events):
        draft = TemplateDraft(title="Правило", body=f"Правило {mark} номер {number} о частицах.")
        written = await stores.repository.put(f"{mark}-{number}", draft)
        await stores.repository.clear_outbox(written.event.entity_id, written.event.event_id)
        burst.append(written.event)
    before = [await _embedded(worker) for worker in workers]
    started = time.perf_counter()
    await stores.stream.append_many(burst)
    async with asyncio.timeout(_TIMEOUT_SECONDS):
        while (status := await stores.stream.status()).lag or status.pending:
            await asyncio.sleep(0.02)
    seconds = time.perf_counter() - started
    after = [await _embedded(worker) for worker in workers]
    return seconds, [(late - early) / events for early, late in zip(before, after, strict=True)]


async def _embedded(worker: WorkerProcess) -> float:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{worker.port}/metrics")
    return sum(float(value) for value in _EMBEDDED.findall(answer.text))


async def measure(settings: Settings, folder: Path, options: argparse.Namespace) -> bool:
    """Whether the goals are reached; prints a line for each burst."""
    kind = toy_kind(SECONDS_PER_TEXT)
    print(f"{options.events} events a burst, {kind.what}")
    stores = connect(settings)
    workers = [
        WorkerProcess(number, kind, settings, folder, steady=True)
        for number in range(options.workers)
    ]
    alone, together, shares = [], [], []
    try:
        workers[0].start()
        await workers[0].until_ready()
        for number in range(options.rounds):
            seconds, _ = await run_burst(stores, workers[:1], options.events, f"one-{number}")
            alone.append(seconds)
            print(f"1 worker: {seconds:.2f} s, {options.events / seconds:.1f} events/s")
        for worker in workers[1:]:
            worker.start()
        for worker in workers[1:]:
            await worker.until_ready()
        for number in range(options.rounds):
            seconds, parts = await run_burst(stores, workers, options.events, f"all-{number}")
            together.append(seconds)
            shares += parts
            print(
                f"{options.workers} workers: {seconds:.2f} s, {options.events / seconds:.1f} "
                f"events/s, shares {', '.join(f'{part:.0%}' for part in parts)}"
            )
    finally:
        await stores.close()
        await stop_all([worker for worker in workers if worker.consumer])
    return _judge(statistics.median(alone) / statistics.median(together), shares, options.workers)


def _judge(ratio: float, shares: Sequence[float], workers: int) -> bool:
    wanted = LEAST_EFFICIENCY * workers
    least, largest = LEAST_SHARE / workers, min(1.0, LARGEST_SHARE / workers)
    print(
        f"ratio {ratio:.2f} (medians), at least {wanted:.2f} wanted; shares from {min(shares):.0%} "
        f"to {max(shares):.0%}, {least:.0%} to {largest:.0%} wanted"
    )
    return ratio >= wanted and least <= min(shares) and max(shares) <= largest


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    configure_logging("WARNING", "bench")
    mark = uuid4().hex[:8]
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with embedded_stores(folder) as addresses:
            settings = load_settings(
                **addresses,
                redis_stream_name=f"bench:{mark}",
                mongodb_db=f"bench_{mark}",
                qdrant_collection=f"bench_{mark}",
                qdrant_api_key=None,
            )
            reached = asyncio.run(measure(settings, folder, options))
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
