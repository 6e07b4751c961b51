"""How long does an explanation take whatever YandexGPT does, and is it ever an error?

    ./bazelw run //bench:explanations [-- --requests 20 --clients 4 --crowd 200]

One API before embedded stores and the fake YandexGPT, the sample rule book in the index. For each
fault the requests of several clients, each another question, as JSON and as a stream; healthy
requests between them keep the circuit breaker closed, and are not counted. After that the faults
once more with the breaker left alone, and a crowd that asks at once while the model hangs. Beside
each line the CPU time that a request took of the API's process. Exit code 1 when one request was no
200 or took longer than YANDEXGPT_TIMEOUT_SECONDS and 100 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from bench.api_process import cpu_seconds
from bench.embedded_stores import embedded_stores
from bench.http_load import Connection, post
from explanation_service.content.importer import read_jsonl
from explanation_service.content.sample import sample_rule_book_path
from explanation_service.retrieval.lexical import encode_document
from explanation_service.settings import load_settings
from explanation_service.standalone.ports import free_ports
from explanation_service.standalone.probes import http_ok
from explanation_service.standalone.process import running
from explanation_service.standalone.program import Program, python_environment, python_module
from explanation_service.stores.records import EmbeddingModelInfo, PassagePoint
from explanation_service.stores.vector_index import connect_vector_index
from yandexgpt_fake.behaviours import Behaviour

BUDGET = 2.0
SLACK = 0.1
FAULTS: dict[str, Behaviour] = {
    "healthy, 0.4 s": Behaviour(delay=0.4),
    "healthy, 4 s": Behaviour(delay=4),
    "slow drip": Behaviour(kind="drip", interval=0.05),
    "hang": Behaviour(kind="hang"),
    "hang in the body": Behaviour(kind="hang", after=300),
    "429": Behaviour(kind="error", status=429),
    "503": Behaviour(kind="error", status=503),
    "reset": Behaviour(kind="reset"),
    "reset in the body": Behaviour(kind="reset", after=300),
    "HTML": Behaviour(kind="html", status=502),
    "JSON cut off": Behaviour(kind="cut", after=300),
    "refusal": Behaviour(kind="refusal"),
}


@contextmanager
def service(folder: Path) -> Iterator[tuple[str, str, int]]:
    """Addresses of an API and of its YandexGPT, and the process id of the API."""
    api, fake = free_ports(2)
    environment = python_environment()
    with ExitStack() as stack:
        addresses = stack.enter_context(embedded_stores(folder))
        asyncio.run(fill_index(addresses["qdrant_url"]))
        api_program = Program(
            name="api",
            command=python_module("explanation_service.api"),
            log=folder / "api.log",
            working_directory=folder,
            ready=http_ok(api, "/health"),
            environment={
                **environment,
                **{name.upper(): address for name, address in addresses.items()},
                "API_HOST": "127.0.0.1",
                "API_PORT": str(api),
                "API_KEYS": "",
                **yandexgpt_variables(fake),
                "YANDEXGPT_TIMEOUT_SECONDS": str(BUDGET),
                # A hang holds a slot this long.
                "EXPLANATION_BACKGROUND_SECONDS": str(BUDGET),
                "LOG_LEVEL": "WARNING",
            },
            stop_seconds=10,
        )
        stack.enter_context(running(yandexgpt_program(fake, folder)))
        process = stack.enter_context(running(api_program))
        yield f"http://127.0.0.1:{api}", f"http://127.0.0.1:{fake}", process.pid


def yandexgpt_program(port: int, folder: Path) -> Program:
    """The fake, which answers at once until it is told otherwise."""
    return Program(
        name="yandexgpt",
        command=python_module("yandexgpt_fake", "--port", str(port), "--delay", "0"),
        log=folder / "yandexgpt.log",
        working_directory=folder,
        ready=http_ok(port, "/health"),
        environment=python_environment(),
    )


def yandexgpt_variables(port: int) -> dict[str, str]:
    """What an API must be told to ask the fake."""
    return {
        "YANDEXGPT_API_KEY": "bench",
        "YANDEXGPT_FOLDER_ID": "bench",
        "YANDEXGPT_BASE_URL": f"http://127.0.0.1:{port}",
    }


async def fill_index(qdrant_url: str) -> None:
    """The rules with a vector of nothing: there is no worker, the lexical lane finds them."""
    settings = load_settings(qdrant_url=qdrant_url)
    index = connect_vector_index(settings)
    await index.ensure_collection(EmbeddingModelInfo("bench", "bench", 4, 512))
    dense = [1.0, 0.0, 0.0, 0.0]
    await index.upsert(
        [
            PassagePoint(
                template_id=str(template_id),
                chunk_index=0,
                chunks_total=1,
                version=1,
                content_hash="bench",
                title=draft.title,
                text=draft.body,
                topic=draft.topic,
                exam=draft.exam,
                tags=draft.tags,
                dense=dense,
                lexical=encode_document(draft.title, draft.body),
            )
            for template_id, draft in read_jsonl(sample_rule_book_path())
        ]
    )
    await index.close()


class Bench:
    """Asks, and remembers whether anything went wrong."""

    def __init__(self, api_url: str, fake: httpx.AsyncClient, api_process: int) -> None:
        self._api_url = api_url
        self._fake = fake
        self._api_process = api_process
        self.failed = False

    async def measure(
        self, name: str, fault: Behaviour, requests: int, clients: int, *, reset: bool
    ) -> None:
        """Print one line of figures each for JSON and for streams."""
        for streamed in (False, True):
            seconds: list[float] = []
            outcomes: Counter[str] = Counter()
            used = 0.0
            while len(seconds) < requests:
                await self._script(fault)
                before = cpu_seconds(self._api_process)
                batch = [self._ask(streamed) for _ in range(clients)]
                for taken, outcome in await asyncio.gather(*batch):
                    seconds.append(taken)
                    outcomes[outcome] += 1
                used += cpu_seconds(self._api_process) - before
                if reset:
                    await self.recover()
            title = f"{name}{', stream' if streamed else ''}"
            self._report(title, seconds, used / len(seconds), outcomes)

    async def _ask(self, streamed: bool) -> tuple[float, str]:
        body = {"question": f"Какую гласную писать в корне? {uuid4().hex}", "stream": streamed}
        started = time.perf_counter()
        # httpx would let 100 of a crowd in at a time, and take more of the machine than the API.
        connection = await Connection.open(self._api_url)
        status, answer = await connection.request(post("/v1/explanations", body))
        taken = time.perf_counter() - started
        await connection.close()
        if status != 200:
            return taken, f"status {status}"
        # The last event of a stream is the same object, on a line of its own.
        line = answer.rstrip().rsplit(b"\n", 1)[-1].removeprefix(b"data: ")
        explanation: dict[str, Any] = json.loads(line)
        return taken, str(explanation["source"])

    async def _script(self, fault: Behaviour) -> None:
        body = {"default": fault.model_dump()}
        (await self._fake.post("/_control/script", json=body)).raise_for_status()

    async def recover(self) -> None:
        """Until the model answers again and nothing of the fault is under way."""
        await self._script(Behaviour())
        while (await self._ask(False))[1] != "llm":
            await asyncio.sleep(0.2)
        while (await self._fake.get("/_control/journal")).json()["running"]:
            await asyncio.sleep(0.05)
        (await self._fake.post("/_control/reset")).raise_for_status()

    def _report(self, name: str, seconds: list[float], cpu: float, outcomes: Counter[str]) -> None:
        worst = max(seconds)
        wrong = worst > BUDGET + SLACK or any(one.startswith("status") for one in outcomes)
        self.failed = self.failed or wrong
        sources = ", ".join(f"{count} {source}" for source, count in outcomes.most_common())
        p50, p95 = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
        print(
            f"{name:28} {p50:7.3f} {min(p95, worst):7.3f} {worst:7.3f}"
            f" {cpu * 1000:7.1f}  {'OVER ' if wrong else ''}{sources}",
            flush=True,
        )


async def run(
    api_url: str, fake_url: str, api_process: int, requests: int, clients: int, crowd: int
) -> bool:
    async with httpx.AsyncClient(base_url=fake_url, timeout=30, trust_env=False) as fake:
        bench = Bench(api_url, fake, api_process)
        await bench.recover()
        print(f"budget {BUDGET} s + {SLACK} s; {requests} requests, {clients} clients; seconds:")
        print(f"{'':28} {'p50':>7} {'p95':>7} {'p100':>7} {'CPU ms':>7}  sources")
        if requests:
            for name, fault in FAULTS.items():
                await bench.measure(name, fault, requests, clients, reset=True)
            for name in ("hang", "503"):
                fault = FAULTS[name]
                await bench.measure(f"{name}, breaker", fault, requests, clients, reset=False)
        if crowd:
            await bench.recover()
            await bench.measure(f"hang, {crowd} at once", FAULTS["hang"], crowd, crowd, reset=True)
        return bench.failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--crowd", type=int, default=200, help="clients that ask at once")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, service(Path(folder)) as parts:
        return int(asyncio.run(run(*parts, options.requests, options.clients, options.crowd)))


if __name__ == "__main__":
    sys.exit(main())
