"""A model that costs nothing: a vector counts a text's words in 64 drawers."""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from explanation_service.stores.records import EmbeddingModelInfo

DIMENSION = 64
MAX_TOKENS = 256
_WORD = re.compile(r"\S+")


class HashedWords:
    """A PassageEncoder; a token is a word."""

    def __init__(self, revision: str) -> None:
        self.info = EmbeddingModelInfo(f"hashed words {revision}", revision, DIMENSION, MAX_TOKENS)

    def passage_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """See PassageEncoder."""
        return [[1, *map(_number, text.split())][:MAX_TOKENS] for text in texts]

    query_ids = passage_ids

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """See PassageEncoder."""
        return [match.span() for match in _WORD.finditer(text)]

    def embed(
        self, ids: Sequence[Sequence[int]], between_layers: Callable[[], None] | None = None
    ) -> Any:
        """See PassageEncoder."""
        vectors = np.full((len(ids), DIMENSION), 1e-3, dtype=np.float32)
        for at, row in enumerate(ids):
            np.add.at(vectors[at], np.asarray(row[1:], dtype=np.int64) % DIMENSION, 1)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _number(word: str) -> int:
    return 2 + zlib.crc32(word.lower().encode()) % 100_000


if __name__ == "__main__":
    from explanation_service.indexing.rebuild.main import main

    main(sys.argv[1:], lambda _settings: HashedWords("new"))
