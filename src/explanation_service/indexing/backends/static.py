"""Static word vectors in place of a transformer: a text is the mean of its words' vectors.

No order, no context, and far less found than by the transformer; but some 10,000 texts a second on
one core. The file is a fastText model (.bin) or a navec archive (.tar), told apart by its content.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from explanation_service.indexing.backends.word_vectors import WordVectors, open_word_vectors
from explanation_service.indexing.encoder import MAX_TEXT_CHARACTERS, Tokens, Vectors
from explanation_service.indexing.threads import limit_math_threads
from explanation_service.stores.records import EmbeddingModelInfo
from explanation_service.telemetry.metrics import embed_cut_texts_total

# Words of one text. The mean has no limit of its own; chunks are far shorter.
MAX_WORDS = 512
# Raised with every change that alters the vector of some text; part of the revision.
METHOD = "mean-of-words-1"
_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
_HASH_BLOCK = 1 << 20


class StaticEncoder:
    """A token is a word. There are no prefixes: questions and passages are embedded alike.

    One dimension more than the file has: it is 1 for a text without any known word and 0 for all
    others. So every vector has the length 1, and such a text is like no other (a zero vector would
    make the cosine undefined).
    """

    def __init__(self, file: Path) -> None:
        """Loads the file, 1 s (navec) to half a minute (7 GB). Raises ModelUnusable."""
        limit_math_threads()
        self._words: WordVectors = open_word_vectors(file)
        self.info = EmbeddingModelInfo(
            name=file.name,
            revision=_revision(file),
            dimension=self._words.dimension + 1,
            max_tokens=MAX_WORDS,
        )

    def passage_ids(self, texts: Sequence[str]) -> list[list[str]]:
        """The words in lower case, as PassageEncoder has tokens."""
        return [self._cut("passage", text) for text in texts]

    def query_ids(self, texts: Sequence[str]) -> list[list[str]]:
        """See passage_ids."""
        return [self._cut("query", text) for text in texts]

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """See PassageEncoder; what is between words belongs to no token."""
        return [match.span() for match in _WORD.finditer(text)]

    def embed(
        self, ids: Sequence[Tokens], between_layers: Callable[[], None] | None = None
    ) -> Vectors:
        """See PassageEncoder."""
        vectors = np.zeros((len(ids), self.info.dimension), dtype=np.float32)
        for at, words in enumerate(ids):
            if between_layers is not None:
                between_layers()
            mean = _mean(self._vectors(words))
            if mean is None:
                vectors[at, -1] = 1.0
            else:
                vectors[at, :-1] = mean
        return vectors

    def _vectors(self, words: Tokens) -> Iterator[npt.NDArray[np.float32]]:
        for word in words:
            vector = self._words.get(word)
            if vector is None and "ё" in word:
                vector = self._words.get(word.replace("ё", "е"))
            if vector is not None:
                yield vector

    def _cut(self, kind: str, text: str) -> list[str]:
        words = [match.group() for match in _WORD.finditer(text[:MAX_TEXT_CHARACTERS].lower())]
        if len(words) > MAX_WORDS or len(text) > MAX_TEXT_CHARACTERS:
            embed_cut_texts_total.labels(kind).inc()
        return words[:MAX_WORDS]


def _mean(vectors: Iterator[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32] | None:
    """The mean of the vectors, each L2-normalised first as fastText's own sentence vector has it,
    normalised again; None where nothing is left."""
    total = None
    for vector in vectors:
        length = float(np.linalg.norm(vector))
        if length > 0:
            total = vector / length if total is None else total + vector / length
    length = 0.0 if total is None else float(np.linalg.norm(total))
    return None if total is None or length < 1e-6 else np.asarray(total / length, np.float32)


def _revision(file: Path) -> str:
    """16 hexadecimal digits over the file's content and what is done with it."""
    digest = hashlib.sha256(METHOD.encode())
    with file.open("rb") as stream:
        while block := stream.read(_HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()[:16]
