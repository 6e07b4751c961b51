"""A change of the model under way: killed half-way, taken up again, while searches go on over HTTP.

    ./bazelw run //bench:rebuild [-- --documents 5000] [--model DIR] [--toy]

The old index is made by a model of hashed words, which costs nothing; its worker and the API serve
all the time. `rebuild-embeddings` runs as a process with the real model (`--toy`: another one of
hashed words), is killed by SIGKILL when half of the templates are in, and started again. Exit code
1 when a search fails, a template is missing, or more is embedded twice than was in hand.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench.embedded_stores import embedded_stores
from bench.hashed_words import HashedWords
from bench.throughput import make_drafts, running_worker
from explanation_service.content.rule_book import RuleBook
from explanation_service.content.template import TemplateDraft
from explanation_service.indexing.connections import Connections, connect
from explanation_service.settings import Settings, load_settings
from explanation_service.standalone.ports import free_ports
from explanation_service.standalone.program import python_environment, python_module
from explanation_service.stores.collection_names import collection_for
from explanation_service.stores.errors import ModelMismatch, StoreError
from explanation_service.stores.mongodb import connect_mongodb
from explanation_service.stores.rebuild_states import RebuildState, RebuildStates
from explanation_service.telemetry.logging import configure_logging

# Texts that a killed run may have embedded without having written them: two groups of templates
# and a batch, see indexing.embedder.
IN_HAND = 200
# Seconds between two searches.
SEARCH_EVERY = 0.1


@dataclass
class Searches:
    """What a client saw."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    modes: dict[str, int] = field(default_factory=dict)

    async def run(self, url: str, titles: list[str]) -> None:
        """Ask for one title after another until cancelled."""
        async with httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as client:
            number = 0
            while True:
                number += 1
                body = {"query": titles[number % len(titles)], "limit": 3}
                started = time.monotonic()
                try:
                    answer = await client.post("/v1/rag/search", json=body)
                    answer.raise_for_status()
                    found = answer.json()
                    self.modes[found["mode"]] = self.modes.get(found["mode"], 0) + 1
                    if not found["hits"]:
                        self.errors.append("no hit")
                except (httpx.HTTPError, ValueError) as error:
                    self.errors.append(repr(error))
                self.seconds.append(time.monotonic() - started)
                await asyncio.sleep(SEARCH_EVERY)


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """For the processes of the service."""
    return {
        **os.environ,
        **python_environment(),
        "REDIS_URL": settings.redis_url,
        "MONGODB_URI": settings.mongodb_uri,
        "QDRANT_URL": settings.qdrant_url,
        "QDRANT_API_KEY": "",
        "API_KEYS": "",
        "ADMIN_API_KEYS": "",
        "LOG_LEVEL": "ERROR",
        **more,
    }


@asynccontextmanager
async def running_api(settings: Settings) -> AsyncIterator[str]:
    """The API as a process; its address."""
    (port,) = free_ports(1)
    process = subprocess.Popen(
        python_module("explanation_service.api"),
        env=environment(settings, API_HOST="127.0.0.1", API_PORT=str(port)),
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(base_url=url, timeout=2, trust_env=False) as client:
            while True:
                try:
                    (await client.get("/health/ready")).raise_for_status()
                    break
                except httpx.HTTPError:
                    if process.poll() is not None:
                        raise RuntimeError("the API ended") from None
                    await asyncio.sleep(0.1)
        yield url
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 10)


@asynccontextmanager
async def outdated() -> AsyncIterator[None]:
    """Around the old model's worker, which ends by itself once it sees that the index has moved."""
    with suppress(ModelMismatch):
        yield


async def fill(connections: Connections, drafts: list[TemplateDraft], old: str) -> None:
    """The rule book, and the index of the old model."""
    events = []
    for number, draft in enumerate(drafts):
        written = await connections.repository.put(f"t{number:06d}", draft)
        events.append(written.event)
        await connections.repository.clear_outbox(written.event.entity_id, written.event.event_id)
    await connections.stream.append_many(events)
    while await templates_in(connections, old, len(drafts)) < len(drafts):
        await asyncio.sleep(0.5)


async def templates_in(connections: Connections, collection: str, documents: int) -> int:
    """How many of the templates a collection holds."""
    index = connections.index.for_collection(collection)
    found = 0
    try:
        for start in range(0, documents, 500):
            ids = [f"t{n:06d}" for n in range(start, min(documents, start + 500))]
            found += len(await index.indexed_state(ids))
    except StoreError:
        return 0
    return found


def start_rebuild(settings: Settings, model: Path | None) -> subprocess.Popen[str]:
    """The command, with its progress on the terminal."""
    module = "bench.hashed_words" if model is None else "explanation_service.indexing.rebuild"
    chosen = [] if model is None else ["--model-path", str(model)]
    return subprocess.Popen(
        python_module(module, *chosen),
        env=environment(settings),
        stdout=subprocess.PIPE,
        text=True,
    )


async def measure(settings: Settings, documents: int, model: Path | None) -> bool:
    """Prints the table; whether everything was as it ought to be."""
    connections = connect(settings)
    store = connect_mongodb(settings)
    states, alias = RebuildStates(store), settings.qdrant_collection
    old_model = HashedWords("old")
    drafts = make_drafts(documents, 7)
    searches = Searches()
    runs: list[subprocess.Popen[str]] = []
    try:
        async with outdated(), running_worker(settings, old_model):  # type: ignore[arg-type]
            await fill(connections, drafts, collection_for(alias, "old"))
            async with running_api(settings) as url:
                asking = asyncio.create_task(searches.run(url, [one.title for one in drafts]))
                await asyncio.sleep(5)
                idle = searches.seconds[1:]
                searches.seconds = []
                begun = time.monotonic()
                first = start_rebuild(settings, model)
                runs.append(first)
                half = await _half_way(states, alias, documents, first)
                first.send_signal(signal.SIGKILL)
                first.wait(10)
                killed_after = time.monotonic() - begun
                present = await templates_in(connections, half.collection, documents)
                edited = await _edit(connections)
                second = start_rebuild(settings, model)
                runs.append(second)
                out, _ = await asyncio.to_thread(second.communicate)
                seconds = time.monotonic() - begun
                await asyncio.sleep(3)
                asking.cancel()
        final = await templates_in(connections, half.collection, documents)
        served = await connections.index.collection_name()
    finally:
        for process in runs:
            process.kill()
        await store.close()
        await connections.close()
    again = _number_before(out, " templates (") - (documents - present) - edited
    print(out, end="")
    rows = [
        ("documents", str(documents)),
        ("killed after", f"{killed_after:.1f} s, {half.done} noted, {present} in the collection"),
        ("resumed and switched", f"{seconds:.1f} s in all, exit code {second.returncode}"),
        ("embedded again", f"{max(0, again)} templates, {edited} edits beside them"),
        ("in the new collection", f"{final} of {documents}, served: {served}"),
        ("searches", f"{len(searches.seconds)}, errors {len(searches.errors)}, {searches.modes}"),
        ("search p50, p95 before", _quantiles(idle)),
        ("search p50, p95 during", _quantiles(searches.seconds)),
    ]
    for name, text in rows:
        print(f"{name:<24}{text}")
    for error in searches.errors[:5]:
        print(f"  {error}")
    return (
        second.returncode == 0
        and not searches.errors
        and final == documents
        and served == half.collection
        and again <= IN_HAND
    )


async def _half_way(
    states: RebuildStates, alias: str, documents: int, process: subprocess.Popen[Any]
) -> RebuildState:
    while True:
        state = await states.get(alias)
        if state is not None and state.done >= documents / 2:
            return state
        if process.poll() is not None:
            raise RuntimeError(f"the rebuild ended early with {process.returncode}")
        await asyncio.sleep(0.05)


async def _edit(connections: Connections) -> int:
    """Edits while nobody follows, as many as returned."""
    rule_book = RuleBook(connections.repository, connections.stream)
    for number, draft in enumerate(make_drafts(10, 8)):
        await rule_book.put(f"t{number:06d}", draft)
    return 10


def _number_before(text: str, mark: str) -> int:
    head = text.partition(mark)[0]
    return int(head.split()[-1])


def _quantiles(seconds: list[float]) -> str:
    if len(seconds) < 2:
        return "too few"
    p95 = statistics.quantiles(seconds, n=20)[-1]
    return f"{statistics.median(seconds) * 1000:.0f} ms, {p95 * 1000:.0f} ms"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=5000)
    parser.add_argument("--model", type=Path, default=os.environ.get("EXPLANATION_TEST_MODEL"))
    parser.add_argument("--toy", action="store_true", help="without the real model")
    options = parser.parse_args()
    if options.model is None and not options.toy:
        parser.error("--model or EXPLANATION_TEST_MODEL must name a model's directory")
    model = None if options.toy else options.model.absolute()
    configure_logging("ERROR", "bench")
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        embedded_stores(Path(folder)) as addresses,
    ):
        (port,) = free_ports(1)
        settings = load_settings(**addresses, worker_host="127.0.0.1", worker_port=port)
        return 0 if asyncio.run(measure(settings, options.documents, model)) else 1


if __name__ == "__main__":
    sys.exit(main())
