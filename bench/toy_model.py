"""A deterministic stand-in for the embedding model: its time is slept, so that it costs no core."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Sequence
from zlib import crc32

import numpy as np

from explanation_service.indexing.encoder import Vectors
from explanation_service.stores.records import EmbeddingModelInfo

# A text with the first fails in the model, one with the second takes the whole process with it.
POISON = "ЯД"
LETHAL_POISON = "ГИБЕЛЬ"

_DIMENSION = 16
_MAX_TOKENS = 64
_START, _POISON_ID, _LETHAL_ID, _FIRST_WORD = 1, 2, 3, 4
_WORDS = 30_000
_WORD = re.compile(r"\S+")


class ToyModel:
    """A PassageEncoder. A token is a word; a vector counts the words by their hashes."""

    def __init__(self, seconds_per_text: float = 0.0) -> None:
        self.info = EmbeddingModelInfo("toy", "toy-1", _DIMENSION, _MAX_TOKENS)
        self._seconds_per_text = seconds_per_text

    def passage_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """See PassageEncoder."""
        return [[_START, *map(_word_id, text.split())][:_MAX_TOKENS] for text in texts]

    query_ids = passage_ids

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """See PassageEncoder."""
        return [word.span() for word in _WORD.finditer(text)]

    def embed(
        self, ids: Sequence[Sequence[int]], between_layers: Callable[[], None] | None = None
    ) -> Vectors:
        """See PassageEncoder; raises ValueError for a poisoned text."""
        if any(_LETHAL_ID in row for row in ids):
            os.kill(os.getpid(), signal.SIGKILL)
        if any(_POISON_ID in row for row in ids):
            raise ValueError("a poisoned text")
        if between_layers is not None:
            between_layers()
        time.sleep(self._seconds_per_text * len(ids))
        vectors = np.zeros((len(ids), _DIMENSION), dtype=np.float32)
        for place, row in enumerate(ids):
            np.add.at(vectors[place], np.asarray(row) % _DIMENSION, 1)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors


def _word_id(word: str) -> int:
    if word == POISON:
        return _POISON_ID
    if word == LETHAL_POISON:
        return _LETHAL_ID
    return _FIRST_WORD + crc32(word.encode()) % _WORDS
