"""What searches notice of all workers being killed, and of one coming back.

    ./bazelw run //bench:degraded_search [-- --rate 50 --workers 2]

A rule book is indexed and searched at a fixed rate; every worker is killed by SIGKILL; later one is
started again. Exit code 1 when a request failed, or when the first hybrid answer came later than
5 s after the new worker was ready. Bounded: the load lasts about 40 s, and 150 at most.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from bench.embedded_stores import embedded_stores
from bench.http_load import percentile
from bench.retrieval_questions import QUESTION_SETS, read_questions
from bench.search_load import Answer, SearchLoad
from bench.service_programs import ServicePrograms
from explanation_service.standalone.process import Process, running
from explanation_service.standalone.program import python_environment, python_module

MOST_SECONDS_BACK = 5.0
# Seconds of the load before the kill and after the return; without workers it lasts at least as
# long and until the new worker is ready.
PHASE = 8.0
_START = 100.0


def import_sample(stores: dict[str, str]) -> None:
    """The sample rule book into MongoDB and the stream."""
    environment = {name.upper(): value for name, value in stores.items()}
    subprocess.run(
        python_module("explanation_service.cli", "templates", "import", "sample"),
        env={**python_environment(), **environment},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def wait_until_indexed(url: str, seconds: float = 300.0) -> int:
    """The number of passages, when nothing is on its way any more. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    with httpx.Client(base_url=url, timeout=10) as client:
        while time.monotonic() < deadline:
            status = client.get("/v1/rag/status").json()
            if status["points"] and status["stream_lag"] == status["pending"] == 0:
                return int(status["points"])
            time.sleep(0.2)
    raise TimeoutError("the rule book is not indexed")


def line(name: str, answers: Sequence[Answer]) -> str:
    """Latency and share of hybrid answers."""
    times = [one.seconds * 1000 for one in answers]
    hybrid = sum(one.mode == "hybrid" for one in answers) / len(answers)
    return (
        f"{name:<28} {len(answers):5d} answers, {hybrid:4.0%} hybrid   p50 "
        f"{percentile(times, 0.5):6.1f} ms   p95 {percentile(times, 0.95):6.1f} ms   "
        f"longest {max(times):6.1f} ms"
    )


async def watch(
    url: str, rate: float, workers: Sequence[Process], programs: ServicePrograms, stack: ExitStack
) -> int:
    """The load with its events; the exit code."""
    questions = [question.text for question in read_questions(QUESTION_SETS[0])]
    async with SearchLoad.running(url, questions, rate) as load:
        begun = time.monotonic()
        await asyncio.sleep(PHASE)
        killed = time.monotonic()
        for worker in workers:
            worker.kill_group()
        await asyncio.sleep(PHASE)
        new = Process(programs.worker("returned"))
        stack.callback(new.stop)
        if not await asyncio.to_thread(new.wait_until_ready, _START):
            raise RuntimeError("the worker did not come back")
        returned = time.monotonic()
        await load.until(
            lambda: any(one.mode == "hybrid" for one in load.since(returned)), MOST_SECONDS_BACK * 4
        )
        await asyncio.sleep(PHASE)
    before = [one for one in load.since(begun) if one.at < killed]
    without = [one for one in load.since(killed) if one.at < returned]
    after = load.since(returned)
    for name, answers in (
        (f"{len(workers)} workers", before),
        ("all of them killed", without),
        ("one is back", after),
    ):
        print(line(name, answers))
    failed = [one for one in load.answers if one.status != 200]
    first = next(one for one in after if one.mode == "hybrid")
    seconds_back = first.at + first.seconds - returned
    print(f"failed requests: {len(failed)} of {len(load.answers)}")
    print(f"first hybrid answer {seconds_back:.1f} s after the worker was ready")
    return int(bool(failed) or seconds_back > MOST_SECONDS_BACK)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rate", type=float, default=50, help="searches a second")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
        stores = stack.enter_context(embedded_stores(folder))
        programs = ServicePrograms(stores, folder)
        stack.enter_context(running(programs.api()))
        workers = [
            stack.enter_context(running(programs.worker(f"worker-{number}"), _START))
            for number in range(options.workers)
        ]
        import_sample(stores)
        print(f"{wait_until_indexed(programs.url)} passages, {options.rate:.0f} searches a second")
        return asyncio.run(watch(programs.url, options.rate, workers, programs, stack))


if __name__ == "__main__":
    sys.exit(main())
