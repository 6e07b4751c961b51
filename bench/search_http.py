"""What the API adds to a search: over HTTP beside the bare query to Qdrant, on 10,000 passages.

    ./bazelw run //bench:search_http [-- --passages 10000 --queries 300 --qdrant-url URL]

The passages' texts are cut from the sample rule book, their dense vectors are drawn at random; the
queries' vectors lie in Redis, so no worker runs. All ways of asking take turns, query by query.
"Bare" is what the API asks of Qdrant for a search and nothing around it: which passages, then the
texts of those that are shown, whose ids are known beforehand here. Exit code 1 when the API's
hybrid search takes more than 5 ms longer than that at p50.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from qdrant_client import models

from bench.api_process import cpu_seconds, resident_megabytes
from bench.embedded_stores import embedded_stores
from bench.http_load import Connection, get, percentile, post, requests_a_second
from bench.service_programs import ServicePrograms
from bench.synthetic_index import Query, fill, make_queries
from explanation_service.retrieval.fusion import fuse
from explanation_service.retrieval.search import FUSION_DEPTH
from explanation_service.settings import Settings, load_settings
from explanation_service.standalone.ports import free_ports
from explanation_service.standalone.probes import tcp
from explanation_service.standalone.process import running
from explanation_service.standalone.program import Program, python_environment, python_module
from explanation_service.stores.qdrant import connect_qdrant
from explanation_service.stores.records import Candidate, SearchFilters
from explanation_service.stores.vector_layout import (
    DENSE,
    LEXICAL,
    PASSAGE_FIELDS,
    sparse_json,
    to_passage,
)
from explanation_service.stores.vector_search import (
    OVERFETCH,
    LaneHits,
    connect_vector_search,
    point_request,
    query_batch,
)

MOST_OVERHEAD_MS = 5.0
LIMIT = 10
CONNECTIONS = 8
SECONDS = 5.0

Ask = Callable[[Query], Awaitable[Any]]
# By mode, in the order of the queries: which passages, and their texts.
BareRequests = dict[str, list[tuple[bytes, bytes]]]


async def timed(ways: dict[str, Ask], queries: Sequence[Query]) -> dict[str, list[float]]:
    """Milliseconds of each way of asking; the first round only warms up."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    for query in queries[:20]:
        for ask in ways.values():
            await ask(query)
    for query in queries:
        for name, ask in ways.items():
            started = time.perf_counter()
            await ask(query)
            took[name].append((time.perf_counter() - started) * 1000)
    return took


def lanes_of(query: Query) -> dict[str, Any]:
    return {DENSE: query.dense, LEXICAL: sparse_json(query.lexical)}


def fused(settings: Settings, found: LaneHits) -> list[Candidate]:
    """As the API fuses them."""
    return fuse(found.dense, found.lexical, LIMIT, settings.search_weights, FUSION_DEPTH)


async def bare_requests(settings: Settings, queries: Sequence[Query]) -> BareRequests:
    """By mode, for each query: what the API asks of Qdrant, one after the other."""
    index = connect_vector_search(settings)
    everything = SearchFilters()
    path = f"/collections/{settings.qdrant_collection}/points"
    asked: BareRequests = {"hybrid": [], "lexical": []}
    for query in queries:
        hybrid = await index.search(query.dense, query.lexical, everything, FUSION_DEPTH)
        lexical = await index.search(None, query.lexical, everything, LIMIT)
        both = lanes_of(query)
        for mode, lanes, limit, shown in (
            ("hybrid", both, FUSION_DEPTH, fused(settings, hybrid)),
            ("lexical", {LEXICAL: both[LEXICAL]}, LIMIT, lexical.lexical),
        ):
            which = query_batch(lanes, everything, limit * OVERFETCH)
            asked[mode].append(
                (post(f"{path}/query/batch", which), post(path, point_request(shown)))
            )
    await index.close()
    return asked


async def latencies(
    settings: Settings, api_url: str, queries: Sequence[Query], bare_of: BareRequests
) -> dict[str, list[float]]:
    """Each way of asking, one question at a time."""
    api = await Connection.open(api_url)
    bare = await Connection.open(settings.qdrant_url)
    client = connect_qdrant(settings)
    index = connect_vector_search(settings)
    requests = {
        (mode, query.text): pair
        for mode, pairs in bare_of.items()
        for query, pair in zip(queries, pairs, strict=True)
    }
    everything = SearchFilters()

    async def bare_search(query: Query, mode: str) -> None:
        for request in requests[mode, query.text]:
            status, body = await bare.request(request)
            if status != 200:
                raise RuntimeError(f"{status}: {body[:300]!r}")

    async def through_client(query: Query) -> None:
        asked = [(DENSE, query.dense), (LEXICAL, models.SparseVector(**sparse_json(query.lexical)))]
        dense, lexical = await asyncio.gather(
            *(
                client.query_points(
                    settings.qdrant_collection,
                    query=vector,
                    using=name,
                    limit=FUSION_DEPTH * OVERFETCH,
                    with_payload=["template_id"],
                )
                for name, vector in asked
            )
        )
        ids = [hit.id for hit in (*dense.points, *lexical.points)][:LIMIT]
        texts = await client.retrieve(settings.qdrant_collection, ids, list(PASSAGE_FIELDS))
        _ = [to_passage(record.payload or {}, 1.0) for record in texts]

    async def lean(query: Query) -> None:
        found = await index.search(query.dense, query.lexical, everything, FUSION_DEPTH)
        await index.passages(fused(settings, found))

    async def http(query: Query, mode: str) -> None:
        body = {"query": query.text, "limit": LIMIT, "mode": mode}
        status, answer = await api.request(post("/v1/rag/search", body))
        if status != 200 or f'"mode":"{mode}"'.encode() not in answer:
            raise RuntimeError(f"{status}: {answer[-300:]!r}")

    try:
        return await timed(
            {
                "bare Qdrant, hybrid": lambda query: bare_search(query, "hybrid"),
                "bare Qdrant, lexical": lambda query: bare_search(query, "lexical"),
                "qdrant-client, hybrid": through_client,
                "VectorSearch, hybrid": lean,
                "API, hybrid": lambda query: http(query, "hybrid"),
                "API, lexical": lambda query: http(query, "lexical"),
            },
            queries,
        )
    finally:
        await client.close()
        await index.close()
        await api.close()
        await bare.close()


@dataclass(frozen=True)
class Server:
    """Who answers, and the process whose CPU time that takes."""

    url: str
    pid: int


async def throughput(
    api: Server,
    constant: Server,
    settings: Settings,
    queries: Sequence[Query],
    bare_of: BareRequests,
) -> dict[str, tuple[float, float | None]]:
    """Requests a second, and CPU milliseconds a request where the process is ours to look at."""
    bodies = {
        mode: [
            post("/v1/rag/search", {"query": query.text, "limit": LIMIT, "mode": mode})
            for query in queries
        ]
        for mode in ("hybrid", "lexical")
    }
    targets: dict[str, tuple[Server | str, list[bytes]]] = {
        "API, hybrid": (api, bodies["hybrid"]),
        "API, lexical": (api, bodies["lexical"]),
        "API, /health": (api, [get("/health")]),
        "bare Qdrant, halves of hybrid searches": (
            settings.qdrant_url,
            [request for pair in bare_of["hybrid"] for request in pair],
        ),
        "FastAPI route that returns a constant": (constant, [post("/constant", {})]),
    }
    rates: dict[str, tuple[float, float | None]] = {}
    for name, (server, requests) in targets.items():
        if isinstance(server, str):
            rates[name] = (await requests_a_second(server, requests, CONNECTIONS, SECONDS), None)
            continue
        before = cpu_seconds(server.pid)
        rate = await requests_a_second(server.url, requests, CONNECTIONS, SECONDS)
        rates[name] = (rate, (cpu_seconds(server.pid) - before) * 1000 / (rate * SECONDS))
    return rates


@contextmanager
def constant_route(folder: Path) -> Iterator[Server]:
    """The route that returns a constant."""
    (port,) = free_ports(1)
    program = Program(
        name="constant route",
        command=python_module("bench.constant_route", str(port)),
        log=folder / "constant.log",
        working_directory=folder,
        ready=tcp(port),
        environment=python_environment(),
    )
    with running(program) as process:
        yield Server(f"http://127.0.0.1:{port}", process.pid)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--passages", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--qdrant-url", help="else the embedded one is started")
    options = parser.parse_args()
    queries = make_queries(options.queries, random.Random(2))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
        stores = stack.enter_context(embedded_stores(folder))
        if options.qdrant_url:
            stores["qdrant_url"] = options.qdrant_url
        settings = load_settings(**stores, qdrant_collection=f"bench_{uuid4().hex[:8]}")
        started = time.monotonic()
        asyncio.run(fill(settings, options.passages, queries))
        print(f"{options.passages} passages written in {time.monotonic() - started:.0f} s")
        programs = ServicePrograms(stores, folder, settings.qdrant_collection)
        api = stack.enter_context(running(programs.api()))
        constant = stack.enter_context(constant_route(folder))
        bare_of = asyncio.run(bare_requests(settings, queries))
        took = asyncio.run(latencies(settings, programs.url, queries, bare_of))
        rates = asyncio.run(
            throughput(Server(programs.url, api.pid), constant, settings, queries, bare_of)
        )
        memory = resident_megabytes(api.pid)
    for name, milliseconds in took.items():
        p50, p95 = percentile(milliseconds, 0.5), percentile(milliseconds, 0.95)
        print(f"{name:<40} p50 {p50:6.1f} ms   p95 {p95:6.1f} ms")
    for name, (rate, cpu) in rates.items():
        own = "" if cpu is None else f"   {cpu:.2f} ms of CPU each"
        print(f"{name:<40} {rate:6.0f} requests/s, {CONNECTIONS} connections{own}")
    print(f"API after it: {memory:.0f} MB resident")
    overhead = percentile(took["API, hybrid"], 0.5) - percentile(took["bare Qdrant, hybrid"], 0.5)
    print(f"overhead of the API over the bare query at p50: {overhead:.1f} ms")
    return int(overhead > MOST_OVERHEAD_MS)


if __name__ == "__main__":
    sys.exit(main())
