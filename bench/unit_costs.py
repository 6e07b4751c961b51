"""What one passage, one event and one query cost: the figures that docs/scaling.md reckons with.

    ./bazelw run //bench:unit_costs [-- --model DIR]

Sizes are those of the sample rule book, cut as the worker cuts it; bytes in Redis are Redis's own
count; processor time is this process's on one thread, so that other programs disturb it little.
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
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from sentence_transformers import SentenceTransformer

from explanation_service.content.events import ContentEvent
from explanation_service.content.importer import read_jsonl
from explanation_service.content.sample import sample_rule_book_path
from explanation_service.indexing.chunker import Chunk, Chunker, normalise_body
from explanation_service.retrieval.lexical import encode_document
from explanation_service.settings import load_settings
from explanation_service.standalone.embedded_stores import (
    find_redis,
    redis_program,
)
from explanation_service.standalone.ports import free_ports
from explanation_service.standalone.process import running
from explanation_service.stores.embedding_channel import QueryEmbeddingClient
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.redis import connect_redis

PASSAGE, QUERY = "passage: ", "query: "
EVENTS = 10_000
# As pupils ask: 8 to 16 tokens.
QUERIES = (
    "когда пишется не слитно с глаголами",
    "как проверить безударную гласную в корне",
    "запятая перед союзом и в сложном предложении",
    "сколько н писать в причастиях",
)


def dimension_of(model: SentenceTransformer) -> int:
    return len(model.encode(QUERIES[0]))


def print_passages(model: SentenceTransformer) -> list[str]:
    """Sizes of the passages; the answer is what the model gets for them."""
    tokenizer = model.tokenizer

    def spans(text: str) -> list[tuple[int, int]]:
        encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return [(start, stop) for start, stop in encoded["offset_mapping"]]

    chunker = Chunker(spans, model.max_seq_length or 512, len(tokenizer(PASSAGE)["input_ids"]))
    drafts = [draft for _, draft in read_jsonl(sample_rule_book_path())]
    cut: list[tuple[str, Chunk]] = [
        (draft.title, chunk)
        for draft in drafts
        for chunk in chunker.split(draft.title, normalise_body(draft.body))
    ]
    texts = [len(chunk.text.encode()) for _, chunk in cut]
    terms = [len(encode_document(title, chunk.text).indices) for title, chunk in cut]
    tokens = [len(tokenizer(PASSAGE + chunk.embedded_text)["input_ids"]) for _, chunk in cut]
    dense = 4 * dimension_of(model)
    print(f"{len(drafts)} templates, {len(cut)} passages: {len(cut) / len(drafts):.1f} a template")
    print(f"a passage: {statistics.mean(tokens):.0f} tokens, text {statistics.mean(texts):.0f} B")
    print(f"its vectors: dense {dense} B, sparse {8 * statistics.mean(terms):.0f} B")
    return [PASSAGE + chunk.embedded_text for _, chunk in cut]


def processor_seconds(model: SentenceTransformer, texts: Sequence[str], batch: int) -> float:
    """Of one text, on one thread; the first batch warms up."""
    model.encode(texts[:batch], batch_size=batch)
    started = time.process_time()
    model.encode(texts, batch_size=batch)
    return (time.process_time() - started) / len(texts)


def print_processor_time(model: SentenceTransformer, passages: Sequence[str]) -> None:
    queries = [QUERY + text for text in QUERIES] * 10
    print(f"a query's vector: {1000 * processor_seconds(model, queries, 1):.0f} ms of one core")
    print(f"a passage's: {1000 * processor_seconds(model, passages, 4):.0f} ms of one core")


async def print_redis(url: str, dimension: int) -> None:
    redis = connect_redis(load_settings(redis_url=url))
    try:
        stream = EventStream(redis, "content:changes", "embedding-workers")
        events = [
            ContentEvent(
                event_id=f"{number:032x}",
                entity_id=f"rule-{number:08d}",
                op="upsert",
                version=7,
                occurred_at=datetime.now(UTC),
                traceparent=f"00-{number:032x}-{number:016x}-01",
            )
            for number in range(EVENTS)
        ]
        for start in range(0, EVENTS, 1000):
            await stream.append_many(events[start : start + 1000])
        size = await redis.memory_usage(stream.name, samples=0)
        print(f"an event in the stream: {(size or 0) / EVENTS:.0f} B")
        await QueryEmbeddingClient(redis, redis).put_cached("r1", QUERIES[0], [0.1] * dimension)
        (key,) = [key async for key in redis.scan_iter() if key != stream.name]
        print(f"a query's vector in the cache: {await redis.memory_usage(key)} B")
    finally:
        await redis.aclose()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, default=os.environ.get("EXPLANATION_TEST_MODEL"))
    options = parser.parse_args()
    if options.model is None:
        parser.error("--model or EXPLANATION_TEST_MODEL says where the model is")
    model = SentenceTransformer(str(options.model), device="cpu")
    print_processor_time(model, print_passages(model))
    with tempfile.TemporaryDirectory() as name:
        folder, (port,) = Path(name), free_ports(1)
        program = redis_program(find_redis(folder), port, folder, folder / "redis.log")
        with running(program):
            asyncio.run(print_redis(f"redis://127.0.0.1:{port}/0", dimension_of(model)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
