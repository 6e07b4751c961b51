"""A model that costs nothing, or as much as a test wants."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from explanation_service.stores.records import EmbeddingModelInfo

POISON = "ЯД"


class ToyEncoder:
    """A token is a word, its vector a hash of its words; a text with POISON fails."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.info = EmbeddingModelInfo("toy", "r1", 8, 64)
        self.seconds = seconds
        self.texts = 0

    def passage_ids(self, texts: Sequence[str]) -> list[list[int]]:
        return [[1, *(self._id(word) for word in text.split())][:64] for text in texts]

    query_ids = passage_ids

    def _id(self, word: str) -> int:
        return 666 if word == POISON else 2 + sum(map(ord, word)) % 500

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
        if any(666 in row for row in ids):
            raise RuntimeError("poison")
        self.texts += len(ids)
        time.sleep(self.seconds * len(ids))
        vectors = np.zeros((len(ids), 8), dtype=np.float32)
        for at, row in enumerate(ids):
            for token in row:
                vectors[at, token % 8] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
