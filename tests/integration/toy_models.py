"""Models without torch, for tests that measure the pipeline and not the model; and the command
`rebuild-embeddings` with one of them."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from explanation_service.indexing.rebuild.main import main
from explanation_service.settings import Settings
from explanation_service.stores.records import EmbeddingModelInfo

MAX_TOKENS = 64


class ToyEncoder:
    """A token is a word, and a vector counts the words in 64 drawers; `noise` draws it by lot, so
    that a question and its answer have nothing in common.

    Each text that is embedded as a passage takes `seconds`, and leaves a line in `journal`; one
    with the word `poison` fails.
    """

    def __init__(
        self,
        revision: str,
        *,
        noise: bool = False,
        seconds: float = 0.0,
        journal: Path | None = None,
        poison: str = "",
        dimension: int = 64,
    ) -> None:
        self.info = EmbeddingModelInfo(f"toy {revision}", revision, dimension, MAX_TOKENS)
        self._noise = noise
        self._seconds = seconds
        self._journal = journal
        self._poison = self._id(poison) if poison else -1
        self.texts = 0

    def passage_ids(self, texts: Sequence[str]) -> list[list[int]]:
        return [[1, *map(self._id, text.split())][:MAX_TOKENS] for text in texts]

    def query_ids(self, texts: Sequence[str]) -> list[list[int]]:
        return [[0, *map(self._id, text.split())][:MAX_TOKENS] for text in texts]

    def _id(self, word: str) -> int:
        return 2 + zlib.crc32(word.strip(".,").lower().encode()) % 100_000

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        spans, at = [], 0
        for word in text.split():
            start = text.index(word, at)
            at = start + len(word)
            spans.append((start, at))
        return spans

    def embed(
        self, ids: Sequence[Sequence[int]], between_layers: Callable[[], None] | None = None
    ) -> Any:
        passages = [row for row in ids if row[0] == 1]
        if any(self._poison in row for row in ids):
            raise RuntimeError("poison")
        self.texts += len(passages)
        time.sleep(self._seconds * len(passages))
        if between_layers is not None:
            between_layers()
        if self._journal is not None and passages:
            with self._journal.open("a") as journal:
                journal.write("text\n" * len(passages))
        vectors = np.stack([self._vector(row) for row in ids])
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _vector(self, row: Sequence[int]) -> Any:
        if self._noise:
            draw = np.random.default_rng(zlib.crc32(repr(row).encode()))
            return draw.standard_normal(self.info.dimension).astype(np.float32)
        vector = np.full(self.info.dimension, 1e-3, dtype=np.float32)
        for token in row[1:]:
            vector[token % self.info.dimension] += 1
        return vector


def toy_of_environment(_settings: Settings) -> ToyEncoder:
    """The model that TOY_REVISION, TOY_NOISE, TOY_SECONDS, TOY_JOURNAL and TOY_POISON describe."""
    journal = os.environ.get("TOY_JOURNAL")
    return ToyEncoder(
        os.environ["TOY_REVISION"],
        noise=bool(os.environ.get("TOY_NOISE")),
        seconds=float(os.environ.get("TOY_SECONDS", "0")),
        journal=Path(journal) if journal else None,
        poison=os.environ.get("TOY_POISON", ""),
    )


def run_command(
    arguments: Sequence[str], environment: Mapping[str, str], out: Path, err: Path
) -> None:
    """`rebuild-embeddings` with these arguments, in a process made for it, which it ends."""
    os.environ.update(environment)
    for file, number in ((out, 1), (err, 2)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    main(arguments, toy_of_environment)
