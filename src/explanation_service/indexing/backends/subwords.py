"""Subword tokens, the same for every backend that runs the transformer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from explanation_service.indexing.encoder import MAX_TEXT_CHARACTERS
from explanation_service.stores.records import EmbeddingModelInfo
from explanation_service.telemetry.metrics import embed_cut_texts_total


class Subwords:
    """A tokenizer of the package `tokenizers`, with the model's prefixes; from any thread."""

    def __init__(self, tokenizer: Any, info: EmbeddingModelInfo) -> None:
        # Once: changing either per call fails with "Already borrowed" when two threads tokenise.
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer = tokenizer
        self._info = info
        self._before, self._after = _frame(tokenizer)
        self._room = info.max_tokens - len(self._before) - len(self._after)

    def passage_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """See PassageEncoder."""
        return self._ids("passage", self._info.passage_prefix, texts)

    def query_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """See PassageEncoder."""
        return self._ids("query", self._info.query_prefix, texts)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """See PassageEncoder.token_spans."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).offsets)

    def _ids(self, kind: str, prefix: str, texts: Sequence[str]) -> list[list[int]]:
        framed = [prefix + text[:MAX_TEXT_CHARACTERS] for text in texts]
        encodings = self._tokenizer.encode_batch_fast(framed, add_special_tokens=False)
        rows = []
        for text, encoding in zip(texts, encodings, strict=True):
            ids = encoding.ids
            if len(ids) > self._room or len(text) > MAX_TEXT_CHARACTERS:
                embed_cut_texts_total.labels(kind).inc()
            rows.append([*self._before, *ids[: self._room], *self._after])
        return rows


def padded(
    rows: Sequence[Sequence[int]], pad_id: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The rows as one array (count, longest), and its mask: 1 where there is a token."""
    longest = max(len(row) for row in rows)
    ids = np.full((len(rows), longest), pad_id, dtype=np.int64)
    mask = np.zeros((len(rows), longest), dtype=np.int64)
    for at, row in enumerate(rows):
        ids[at, : len(row)] = row
        mask[at, : len(row)] = 1
    return ids, mask


def _frame(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The special tokens that the tokenizer puts before and after a text."""
    encoding = tokenizer.encode("а", add_special_tokens=True)
    special = list(encoding.special_tokens_mask)
    first, last = special.index(0), len(special) - special[::-1].index(0)
    return tuple(encoding.ids[:first]), tuple(encoding.ids[last:])
