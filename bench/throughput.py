"""How much of the model's own speed is left when the whole worker stands around it?

    python -m bench.throughput [--texts 200] [--rounds 3] [--model DIR] [--precision float32]
        [--redis-url URL --mongodb-uri URI --qdrant-url URL]

Events of mixed lengths (5 to 400 words) lie in the stream; the clock runs until all of their
templates are searchable. Compared with `SentenceTransformer.encode` on the very same passages,
which sorts them by length itself and computes in the same precision, and with the loop of the old
monolith (one event, one encode, one upsert), where each passage is an event and the model computes
in float32, as it did; in this process and with as many threads. All take turns, for the machine may
be shared. Exit code 1 when the median of the rounds is below 0.95 of the bare
encode, or below 1.8 times the loop.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from explanation_service.indexing.threads import limit_math_threads

limit_math_threads()

from sentence_transformers import SentenceTransformer  # noqa: E402

from bench.embedded_stores import embedded_stores  # noqa: E402
from bench.mixed_texts import make_drafts, store  # noqa: E402
from bench.plain_loop import PlainLoop  # noqa: E402
from explanation_service.content.events import ContentEvent  # noqa: E402
from explanation_service.content.template import TemplateDraft  # noqa: E402
from explanation_service.indexing.backends.torch import TorchEncoder  # noqa: E402
from explanation_service.indexing.chunker import Chunker, normalise_body  # noqa: E402
from explanation_service.indexing.connections import Connections, connect  # noqa: E402
from explanation_service.indexing.model_directory import ModelSource  # noqa: E402
from explanation_service.indexing.worker import Worker  # noqa: E402
from explanation_service.settings import Settings, load_settings  # noqa: E402
from explanation_service.standalone.ports import free_ports  # noqa: E402
from explanation_service.telemetry.logging import configure_logging  # noqa: E402

LEAST_OF_BARE = 0.95
LEAST_OF_LOOP = 1.8


@dataclass(frozen=True)
class Round:
    """The worker's speed as a multiple of the bare model's and of the plain loop's."""

    of_bare: float
    of_loop: float


def passages(encoder: TorchEncoder, drafts: Sequence[TemplateDraft]) -> list[str]:
    """What the worker embeds for these drafts, prefix included."""
    frame = len(encoder.passage_ids([""])[0])
    chunker = Chunker(encoder.token_spans, encoder.info.max_tokens, frame)
    return [
        encoder.info.passage_prefix + chunk.embedded_text
        for draft in drafts
        for chunk in chunker.split(draft.title, normalise_body(draft.body))
    ]


@asynccontextmanager
async def running_worker(settings: Settings, encoder: TorchEncoder) -> AsyncIterator[None]:
    """A worker that is ready, in this process."""
    stop = asyncio.Event()
    worker = Worker(settings, stop, encoder)
    task = asyncio.create_task(worker.run())
    try:
        while not worker.readiness.ready:
            if task.done():
                task.result()
            await asyncio.sleep(0.05)
        # Its first look for entries makes the group.
        await asyncio.sleep(1.5)
        yield
    finally:
        stop.set()
        await task


async def index(connections: Connections, drafts: Sequence[TemplateDraft], mark: str) -> float:
    """Seconds from the events in the stream to the last template in the index."""
    events = await store(connections.repository, drafts, mark)
    started = time.perf_counter()
    await connections.stream.append_many(events)
    await _until_indexed(connections, events)
    return time.perf_counter() - started


async def _until_indexed(connections: Connections, events: Sequence[ContentEvent]) -> None:
    missing = [event.entity_id for event in events]
    while missing:
        await asyncio.sleep(0.1)
        # One look at one template, until it is there: a look at all would be a load of its own.
        if await connections.index.indexed_state(missing[:1]):
            found = await connections.index.indexed_state(missing)
            missing = [one for one in missing if one not in found]


def encode(model: SentenceTransformer, texts: Sequence[str]) -> float:
    """Seconds of the bare model."""
    started = time.perf_counter()
    # As tensors: numpy has no bfloat16.
    model.encode(
        list(texts), normalize_embeddings=True, show_progress_bar=False, convert_to_tensor=True
    )
    return time.perf_counter() - started


def load_bare(directory: Path, precision: str) -> SentenceTransformer:
    """The model without anything of ours around it."""
    return SentenceTransformer(
        str(directory), device="cpu", local_files_only=True, model_kwargs={"dtype": precision}
    )


async def compare(settings: Settings, directory: Path, texts: int, rounds: int) -> list[Round]:
    """The ratios of the speeds for each round; prints a line for each."""
    encoder = TorchEncoder(ModelSource(directory.name, directory), settings.embedding_precision)
    bare = load_bare(directory, encoder.precision)
    print(
        f"{encoder.info.name}, {encoder.precision}, {encoder.threads} threads, "
        f"{texts} templates a round"
    )
    encode(bare, passages(encoder, make_drafts(64, 0)))
    connections = connect(settings)
    loop = PlainLoop(settings, load_bare(directory, "float32"))
    found = []
    try:
        async with running_worker(settings, encoder):
            await index(connections, make_drafts(64, 0), "warm")
            for number in range(1, rounds + 1):
                drafts = make_drafts(texts, number)
                chunks = passages(encoder, drafts)
                before = await asyncio.to_thread(encode, bare, chunks)
                worker = await index(connections, drafts, f"r{number}")
                after = await asyncio.to_thread(encode, bare, chunks)
                one_by_one = await asyncio.to_thread(loop.run, chunks)
                model = (before + after) / 2
                found.append(Round(model / worker, one_by_one / worker))
                print(
                    f"round {number}: {len(chunks)} passages, bare {len(chunks) / model:.1f}/s "
                    f"({before:.2f} s before, {after:.2f} s after), worker "
                    f"{len(chunks) / worker:.1f}/s ({worker:.2f} s), loop "
                    f"{len(chunks) / one_by_one:.1f}/s; worker/bare {found[-1].of_bare:.3f}, "
                    f"worker/loop {found[-1].of_loop:.2f}"
                )
    finally:
        loop.close()
        await connections.close()
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", type=Path, default=os.environ.get("EXPLANATION_TEST_MODEL"))
    parser.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto")
    parser.add_argument("--redis-url")
    parser.add_argument("--mongodb-uri")
    parser.add_argument("--qdrant-url")
    options = parser.parse_args()
    if options.model is None:
        parser.error("--model or EXPLANATION_TEST_MODEL must name a model's directory")
    return options


def main() -> int:
    """See the module."""
    options = _options()
    configure_logging("WARNING", "bench")
    given: dict[str, Any] = {
        name: value
        for name in ("redis_url", "mongodb_uri", "qdrant_url")
        if (value := getattr(options, name))
    }
    mark = uuid4().hex[:8]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        if len(given) < 3:
            given = {**stack.enter_context(embedded_stores(folder)), **given}
        settings = load_settings(
            **given,
            embedding_precision=options.precision,
            redis_stream_name=f"bench:{mark}",
            mongodb_db=f"bench_{mark}",
            qdrant_collection=f"bench_{mark}",
            worker_host="127.0.0.1",
            worker_port=free_ports(1)[0],
        )
        found = asyncio.run(compare(settings, options.model, options.texts, options.rounds))
    of_bare = statistics.median(one.of_bare for one in found)
    of_loop = statistics.median(one.of_loop for one in found)
    print(f"worker/bare {of_bare:.3f} (median), at least {LEAST_OF_BARE} wanted")
    print(f"worker/loop {of_loop:.2f} (median), at least {LEAST_OF_LOOP} wanted")
    return 0 if of_bare >= LEAST_OF_BARE and of_loop >= LEAST_OF_LOOP else 1


if __name__ == "__main__":
    sys.exit(main())
