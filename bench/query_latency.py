"""How long does a query wait for its vector while the workers index?

    python -m bench.query_latency [--documents 5000] [--queries 200] [--model DIR]

Workers as processes of their own: first one with WORKER_ROLE=all, then one for the index and one
for queries. Questions that no cache knows are asked over Redis, one every 50 ms: on idle workers,
then while they index the documents. Exit code 1 when the 95th
percentile while indexing is above 4 times that of the idle worker with one worker for all, or above
2 times with separate roles.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from bench.embedded_stores import embedded_stores
from bench.mixed_texts import make_drafts, store
from explanation_service.content.sample import sample_rule_book_path
from explanation_service.indexing.connections import Connections, connect
from explanation_service.settings import Settings, load_settings
from explanation_service.standalone import probes
from explanation_service.standalone.ports import free_ports
from explanation_service.standalone.process import running
from explanation_service.standalone.program import Program, python_environment, python_module
from explanation_service.stores.embedding_channel import QueryEmbeddingClient
from explanation_service.stores.redis import close, connect_redis
from explanation_service.telemetry.logging import configure_logging

ARRANGEMENTS = {"all": ("all",), "split": ("index", "query")}
# Times the 95th percentile of the idle workers.
LIMITS = {"all": 4.0, "split": 2.0}
_PAUSE = 0.05
_PATIENCE = 30.0
# The first ones pay for connections and for shapes that the model has not seen.
_UNCOUNTED = 20


@dataclass(frozen=True)
class Latency:
    """Milliseconds."""

    p50: float
    p95: float
    longest: float

    def __str__(self) -> str:
        return f"p50 {self.p50:.1f} ms, p95 {self.p95:.1f} ms, longest {self.longest:.1f} ms"


def summary(seconds: Sequence[float]) -> Latency:
    """Of at least two measurements."""
    p95 = statistics.quantiles(seconds, n=20, method="inclusive")[-1]
    return Latency(statistics.median(seconds) * 1000, p95 * 1000, max(seconds) * 1000)


class Asker:
    """Asks for the vectors of questions that nobody has asked before."""

    def __init__(self, client: QueryEmbeddingClient, revision: str) -> None:
        self._client = client
        self._revision = revision
        self._asked = 0
        text = sample_rule_book_path().read_text(encoding="utf-8")
        self._words = [word for word in text.split() if word.isalpha()]

    async def ask(self, count: int) -> list[float]:
        """Seconds from the question to its vector, one after the other. Raises TimeoutError."""
        return [await self._one() for _ in range(count)]

    async def _one(self) -> float:
        await asyncio.sleep(_PAUSE)
        # 4 to 12 words, as pupils ask; the number makes each another one.
        start, length = self._asked * 13 % len(self._words), 4 + self._asked % 9
        self._asked += 1
        text = " ".join([*self._words[start : start + length], str(self._asked)])
        started = time.perf_counter()
        deadline_ms = int((time.time() + _PATIENCE) * 1000)
        asked = await self._client.send_request(text, self._revision, deadline_ms)
        while time.perf_counter() - started < _PATIENCE:
            reply = await self._client.next_reply(1.0)
            if reply is not None and reply.id == asked:
                return time.perf_counter() - started
        raise TimeoutError(f"no vector within {_PATIENCE:.0f} s")


def worker(settings: Settings, model: Path, role: str, folder: Path) -> Program:
    """One worker as a program."""
    (port,) = free_ports(1)
    log = folder / f"{settings.qdrant_collection}-{role}.log"
    environment = {
        **python_environment(),
        "MONGODB_URI": settings.mongodb_uri,
        "MONGODB_DB": settings.mongodb_db,
        "REDIS_URL": settings.redis_url,
        "REDIS_STREAM_NAME": settings.redis_stream_name,
        "QDRANT_URL": settings.qdrant_url,
        "QDRANT_COLLECTION": settings.qdrant_collection,
        "EMBEDDING_MODEL_PATH": str(model.absolute()),
        "WORKER_ROLE": role,
        "WORKER_HOST": "127.0.0.1",
        "WORKER_PORT": str(port),
        "LOG_LEVEL": "WARNING",
    }
    command = python_module("explanation_service.indexing")
    return Program(
        name=role,
        command=command,
        log=log,
        working_directory=folder,
        ready=probes.http_ok(port, "/health/ready"),
        environment=environment,
        stop_seconds=15,
    )


async def measure(settings: Settings, documents: int, queries: int) -> tuple[Latency, Latency]:
    """Idle, and while the documents are indexed. Raises RuntimeError when the indexing ended
    before the queries did."""
    connections = connect(settings)
    redis, blocking = connect_redis(settings), connect_redis(settings, blocking=True)
    try:
        client = QueryEmbeddingClient(redis, blocking)
        asker = Asker(client, await _served_revision(client))
        await asker.ask(_UNCOUNTED)
        idle = summary(await asker.ask(queries))
        events = await store(connections.repository, make_drafts(documents, 1), "d")
        await connections.stream.append_many(events)
        await _until_indexing(connections)
        busy = summary(await asker.ask(queries))
        left = (await connections.stream.status()).pending
        if not left:
            raise RuntimeError("the documents were indexed before the queries ended: give more")
        return idle, busy
    finally:
        await close(redis)
        await close(blocking)
        await connections.close()


async def _served_revision(client: QueryEmbeddingClient) -> str:
    """Once a worker has said that it takes queries: its health page is faster."""
    async with asyncio.timeout(30):
        while True:
            for one in await client.live_workers():
                if one.ready and one.role in ("all", "query"):
                    return one.revision
            await asyncio.sleep(0.1)


async def _until_indexing(connections: Connections) -> None:
    async with asyncio.timeout(60):
        while not await connections.index.count():
            await asyncio.sleep(0.1)


def compare(
    stores: dict[str, str], arrangement: str, options: argparse.Namespace, folder: Path
) -> float:
    """How many times longer the 95th percentile is while indexing; prints both."""
    mark = f"bench_{uuid4().hex[:8]}"
    settings = load_settings(
        **stores, redis_stream_name=mark, mongodb_db=mark, qdrant_collection=mark
    )
    with ExitStack() as stack:
        for role in ARRANGEMENTS[arrangement]:
            stack.enter_context(running(worker(settings, options.model, role, folder)))
        idle, busy = asyncio.run(measure(settings, options.documents, options.queries))
    ratio = busy.p95 / idle.p95
    print(f"{arrangement}, idle:     {idle}")
    print(f"{arrangement}, indexing: {busy}")
    print(f"{arrangement}: p95 {ratio:.2f} times, at most {LIMITS[arrangement]:.0f} wanted")
    return ratio


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=5000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--model", type=Path, default=os.environ.get("EXPLANATION_TEST_MODEL"))
    parser.add_argument("--only", choices=sorted(ARRANGEMENTS), help="one of the two arrangements")
    options = parser.parse_args()
    if options.model is None:
        parser.error("--model or EXPLANATION_TEST_MODEL must name a model's directory")
    configure_logging("WARNING", "bench")
    failed = False
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        folder = Path(path)
        with embedded_stores(folder) as stores:
            for name in [options.only] if options.only else ARRANGEMENTS:
                failed |= compare(stores, name, options, folder) > LIMITS[name]
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
