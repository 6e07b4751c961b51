"""A model that costs nothing, or as much as a test wants."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from explanation_service.stores.records import EmbeddingModelInfo

POISON = "ЯД"
MAX_TOKENS = 64
DIMENSION = 64


class ToyEncoder:
    """A token is a word, and a vector counts the words in some drawers; `noise` draws it by lot,
    so that a question and its answer have nothing in common.

    Each text that is embedded as a passage takes `seconds`, is counted in `texts` and leaves a line
    in `journal`; one with the word `poison` fails.
    """

    def __init__(
        self,
        revision: str = "r1",
        *,
        noise: bool = False,
        seconds: float = 0.0,
        journal: Path | None = None,
        poison: str = POISON,
    ) -> None:
        self.info = EmbeddingModelInfo(f"toy {revision}", revision, DIMENSION, MAX_TOKENS)
        self._noise = noise
        self._seconds = seconds
        self._journal = journal
        self._poison = self._id(poison)
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
            return draw.standard_normal(DIMENSION).astype(np.float32)
        vector = np.full(DIMENSION, 1e-3, dtype=np.float32)
        for token in row[1:]:
            vector[token % DIMENSION] += 1
        return vector
