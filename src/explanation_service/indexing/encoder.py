"""What the worker needs of an embedding model; `backends` holds the models themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from explanation_service.stores.records import EmbeddingModelInfo

Vectors = npt.NDArray[np.float32]

# The tokens of one text as its model takes them: numbers of a vocabulary, or words. Outside of the
# model only their count means something.
Tokens: TypeAlias = Sequence[Any]

# Characters of one text that the tokenizer gets to see. 512 tokens of Russian are about 2,000
# characters; a longer string costs memory and is cut by the model anyway.
MAX_TEXT_CHARACTERS = 20_000


class PassageEncoder(Protocol):
    """One abstract model. `embed` is called by one thread at a time, the others by any thread."""

    info: EmbeddingModelInfo

    def passage_ids(self, texts: Sequence[str]) -> Sequence[Tokens]:
        """Tokens of each text with prefix and special tokens, at most info.max_tokens."""
        ...

    def query_ids(self, texts: Sequence[str]) -> Sequence[Tokens]:
        """The same with the prefix of queries."""
        ...

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        """(start, stop) characters of each token of the bare text, without special tokens."""
        ...

    def embed(
        self, ids: Sequence[Tokens], between_layers: Callable[[], None] | None = None
    ) -> Vectors:
        """One batch: vectors of shape (len(ids), info.dimension), float32, L2-normalised.

        `between_layers` is called wherever the model can be interrupted (before each layer, or
        between parts of the batch) and may call `embed` itself.
        """
        ...
