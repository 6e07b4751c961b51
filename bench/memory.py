"""Does the memory of the embedding engine stay flat?

    python -m bench.memory [--texts 50000] [--first 5000] [--model DIR]

Texts go through the worker's own chunker, tokenizer, batches and encode thread in rounds, with a
query now and then, and nothing is kept of them. Most are short, one in 50 is a page of up to 400
words, one in 1,000 a string without spaces of up to 100,000 characters. EMBEDDING_BACKEND and
FASTTEXT_MODEL_PATH choose the engine. Exit code 1 when the resident memory after all texts is more
than 5 % above that after the first ones.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import string
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from explanation_service.indexing.heap import limit_heaps
from explanation_service.indexing.threads import limit_math_threads

limit_heaps()
limit_math_threads()

from bench.mixed_texts import make_drafts  # noqa: E402
from explanation_service.indexing.backends.load import load_encoder  # noqa: E402
from explanation_service.indexing.batching import plan_batches  # noqa: E402
from explanation_service.indexing.chunker import Chunker, normalise_body  # noqa: E402
from explanation_service.indexing.encode_thread import EncodeThread  # noqa: E402
from explanation_service.indexing.encoder import PassageEncoder  # noqa: E402
from explanation_service.settings import load_settings  # noqa: E402
from explanation_service.telemetry.logging import configure_logging  # noqa: E402

MOST_GROWTH = 0.05
# As many as the worker reads at once in a large burst.
ROUND = 256
ONE_PAGE_IN, ONE_STRING_IN = 50, 1000
_SHORT_WORDS = 30
_LETTERS = "абвгдежзиклмнопрстуфхцчшщыьэюя" + string.ascii_letters + string.digits


class Texts:
    """An endless stream of (title, body)."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self._pages = make_drafts(500, seed)

    def next(self, count: int) -> list[tuple[str, str]]:
        return [self._one() for _ in range(count)]

    def _one(self) -> tuple[str, str]:
        page = self._draw.choice(self._pages)
        kind = self._draw.randrange(ONE_STRING_IN)
        if kind == 0:
            length = int(100_000 ** self._draw.uniform(0.6, 1))
            return page.title, "".join(self._draw.choices(_LETTERS, k=length))
        if kind % ONE_PAGE_IN == 1:
            return page.title, page.body
        words = page.body.split()
        return page.title, " ".join(words[: self._draw.randint(1, _SHORT_WORDS)])


class Engine:
    """Chunks, tokens, batches and vectors, as the worker makes them."""

    def __init__(self, encoder: PassageEncoder, thread: EncodeThread, max_batch: int) -> None:
        self._encoder = encoder
        self._thread = thread
        self._max_batch = max_batch
        frame = len(encoder.passage_ids([""])[0])
        self._chunker = Chunker(encoder.token_spans, encoder.info.max_tokens, frame)

    async def embed(self, texts: Sequence[tuple[str, str]]) -> int:
        """The number of passages."""
        ids = await asyncio.to_thread(self._tokens, texts)
        for batch in plan_batches([len(row) for row in ids], self._max_batch):
            await self._thread.embed_passages([ids[at] for at in batch.positions])
        title = texts[0][0]
        await self._thread.embed_queries(self._encoder.query_ids([title]))
        return len(ids)

    def _tokens(self, texts: Sequence[tuple[str, str]]) -> list[Sequence[int]]:
        chunks = [
            chunk.embedded_text
            for title, body in texts
            for chunk in self._chunker.split(title, normalise_body(body))
        ]
        return list(self._encoder.passage_ids(chunks))


def resident_megabytes() -> float:
    gc.collect()
    with open("/proc/self/status", encoding="ascii") as status:
        kilobytes = next(line.split()[1] for line in status if line.startswith("VmRSS"))
    return int(kilobytes) / 1024


async def run(engine: Engine, texts: Texts, total: int, first: int) -> float:
    """The growth after `first` texts, as a share; prints a line each `first` texts."""
    done, passages, started, after_first = 0, 0, time.monotonic(), 0.0
    while done < total:
        count = min(ROUND, total - done, first - done % first)
        passages += await engine.embed(texts.next(count))
        done += count
        if done % first and done < total:
            continue
        now = resident_megabytes()
        after_first = after_first or now
        seconds = time.monotonic() - started
        print(
            f"{done:6d} texts, {passages:6d} passages, {seconds:6.0f} s: {now:.1f} MB resident, "
            f"{now / after_first - 1:+.1%}",
            flush=True,
        )
    return now / after_first - 1


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=50_000)
    parser.add_argument("--first", type=int, default=5_000)
    parser.add_argument("--model", type=Path, default=os.environ.get("EXPLANATION_TEST_MODEL"))
    options = parser.parse_args()
    if not 0 < options.first < options.texts:
        parser.error("--first must be above 0 and below --texts")
    configure_logging("WARNING", "bench")
    settings = load_settings(embedding_model_path=options.model)
    encoder = load_encoder(settings)
    thread = EncodeThread(encoder)
    thread.start()
    engine = Engine(encoder, thread, settings.embedding_max_batch_tokens)
    print(f"{encoder.info.name} {encoder.info.revision}, loaded: {resident_megabytes():.1f} MB")
    growth = asyncio.run(run(engine, Texts(1), options.texts, options.first))
    thread.close()
    print(f"growth {growth:+.1%}, at most {MOST_GROWTH:.0%} wanted")
    return int(growth > MOST_GROWTH)


if __name__ == "__main__":
    sys.exit(main())
