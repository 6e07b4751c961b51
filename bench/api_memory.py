"""Does the API's memory stay where it is under an hour's requests?

    ./bazelw run //bench:api_memory [-- --requests 36000 --warm-up 9000]

36,000 requests are 10 a second for an hour, sent as fast as they are answered: searches with
vectors out of Redis, explanations and streams (the fake YandexGPT answers, refuses, breaks off and
recovers in turns), reads and writes of templates, probes, and mistakes of all kinds. What is
bounded and fills up (connections, the memory of vectors and of words) does so in the warm-up. Exit
code 1 when the resident memory is above 130 MB at any look, has grown by more than 5 % since the
warm-up, or an answer was none of those that were to be expected.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from bench.api_process import cpu_seconds, resident_megabytes
from bench.embedded_stores import embedded_stores
from bench.explanations import yandexgpt_program, yandexgpt_variables
from bench.http_load import Connection
from bench.mixed_requests import MixedRequest, RequestMix
from bench.service_programs import ServicePrograms
from bench.synthetic_index import fill, make_queries
from explanation_service.settings import load_settings
from explanation_service.standalone.ports import free_ports
from explanation_service.standalone.process import running
from yandexgpt_fake.behaviours import Behaviour

MOST_GROWTH = 0.05
MOST_MEGABYTES = 130.0
CONNECTIONS = 16
# Looks at the memory, in equal parts of the requests; the model changes its behaviour with each.
LOOKS = 12
MOODS = (
    Behaviour(),
    Behaviour(kind="refusal"),
    Behaviour(),
    Behaviour(kind="reset", after=300),
    Behaviour(),
    Behaviour(kind="error", status=429),
)


@dataclasses.dataclass(frozen=True)
class Service:
    """Addresses of an API and of its YandexGPT, and the process id of the API."""

    url: str
    yandexgpt_url: str
    pid: int


@contextmanager
def service(folder: Path, passages: int, questions: int) -> Iterator[tuple[Service, list[str]]]:
    """A service without a worker, and the questions whose vectors lie in Redis."""
    queries = make_queries(questions, random.Random(2))
    (fake,) = free_ports(1)
    with ExitStack() as stack:
        stores = stack.enter_context(embedded_stores(folder))
        asyncio.run(fill(load_settings(**stores), passages, queries))
        programs = ServicePrograms(stores, folder)
        program = programs.api()
        environment = {**program.environment, **yandexgpt_variables(fake)}
        stack.enter_context(running(yandexgpt_program(fake, folder)))
        api = stack.enter_context(running(dataclasses.replace(program, environment=environment)))
        yield (
            Service(programs.url, f"http://127.0.0.1:{fake}", api.pid),
            [query.text for query in queries],
        )


async def send(url: str, requests: Iterator[MixedRequest], faults: Counter[str]) -> None:
    """All of them over several connections; what is answered wrongly is counted."""

    async def work() -> None:
        connection = await Connection.open(url)
        for request in requests:
            status, _ = await connection.request(request.content)
            if status not in request.statuses:
                faults[f"{request.kind} {status}"] += 1
        await connection.close()

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))


async def load(subject: Service, mix: RequestMix, count: int, faults: Counter[str]) -> list[float]:
    """Resident megabytes at each look, the first one before the first request."""
    seen = [resident_megabytes(subject.pid)]
    async with httpx.AsyncClient(base_url=subject.yandexgpt_url, trust_env=False) as fake:
        for look in range(LOOKS):
            mood = MOODS[look % len(MOODS)]
            await fake.post("/_control/reset")
            await fake.post("/_control/script", json={"default": mood.model_dump()})
            await send(subject.url, mix.requests(count // LOOKS), faults)
            seen.append(resident_megabytes(subject.pid))
            print(f"  {(look + 1) * (count // LOOKS):6} requests: {seen[-1]:6.1f} MB", flush=True)
    return seen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=36_000)
    parser.add_argument("--warm-up", type=int, default=9_000)
    parser.add_argument("--passages", type=int, default=2_000)
    parser.add_argument("--questions", type=int, default=5_000)
    options = parser.parse_args()
    faults: Counter[str] = Counter()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
        parts = service(folder, options.passages, options.questions)
        subject, questions = stack.enter_context(parts)
        mix = RequestMix(questions)
        print(f"warm-up, from {resident_megabytes(subject.pid):.1f} MB:")
        asyncio.run(load(subject, mix, options.warm_up, faults))
        print("measured:")
        started, used = time.monotonic(), cpu_seconds(subject.pid)
        seen = asyncio.run(load(subject, mix, options.requests, faults))
        seconds, used = time.monotonic() - started, cpu_seconds(subject.pid) - used
    growth = seen[-1] / seen[0] - 1
    each = used * 1000 / options.requests
    print(
        f"{options.requests} requests in {seconds:.0f} s, {each:.1f} ms of CPU each; "
        f"{seen[0]:.1f} MB before, {seen[-1]:.1f} MB after ({growth:+.1%}), "
        f"{max(seen):.1f} MB at most"
    )
    for fault, times in faults.most_common():
        print(f"not to be expected: {fault}, {times} times")
    return int(growth > MOST_GROWTH or max(seen) > MOST_MEGABYTES or bool(faults))


if __name__ == "__main__":
    sys.exit(main())
