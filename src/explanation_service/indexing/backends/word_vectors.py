"""Files of word vectors: fastText models and navec archives behind one interface."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from explanation_service.indexing.backends.fasttext_file import MAGIC, why_unreadable
from explanation_service.indexing.model_directory import ModelUnusable

Vector = npt.NDArray[np.float32]


class WordVectors(Protocol):
    """Vectors of single words in lower case, of shape (dimension,)."""

    dimension: int

    def get(self, word: str) -> Vector | None:
        """The word's vector; None for a word about which the file knows nothing."""
        ...


def open_word_vectors(file: Path) -> WordVectors:
    """What FASTTEXT_MODEL_PATH names. Raises ModelUnusable with one sentence."""
    try:
        with file.open("rb") as stream:
            head = stream.read(len(MAGIC))
        if head == MAGIC:
            return _FastText(file)
        if tarfile.is_tarfile(file):
            return _Navec(file)
    except OSError as error:
        raise ModelUnusable(
            f"FASTTEXT_MODEL_PATH names no readable file: {file} ({error.strerror})."
        ) from error
    raise ModelUnusable(
        f"FASTTEXT_MODEL_PATH names neither a fastText model nor a navec archive: {file}."
    )


class _FastText:
    """Words that the training has not seen are put together from their subwords."""

    def __init__(self, file: Path) -> None:
        fault = why_unreadable(file)
        if fault is not None:
            raise ModelUnusable(f"The fastText model {file} cannot be loaded: {fault}.")
        fasttext = _library("fasttext")
        try:
            self._model: Any = fasttext.load_model(str(file))
        except (ValueError, MemoryError) as error:
            raise ModelUnusable(f"The fastText model {file} cannot be loaded: {error}.") from error
        self.dimension = int(self._model.get_dimension())

    def get(self, word: str) -> Vector | None:
        vector = np.asarray(self._model.get_word_vector(word), dtype=np.float32)
        return vector if vector.any() else None


class _Navec:
    def __init__(self, file: Path) -> None:
        navec = _library("navec")
        try:
            model: Any = navec.Navec.load(str(file))
        except Exception as error:  # KeyError, ValueError, EOFError, zlib.error, ...
            why = f"{type(error).__name__}: {error}"
            raise ModelUnusable(f"The navec archive {file} cannot be loaded: {why}.") from error
        self._ids: dict[str, int] = model.vocab.word_ids
        self._vectors: Any = model.pq
        self.dimension = int(model.pq.dim)

    def get(self, word: str) -> Vector | None:
        number = self._ids.get(word)
        return None if number is None else np.asarray(self._vectors[number], dtype=np.float32)


def _library(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ModelUnusable(
            f"FASTTEXT_MODEL_PATH needs the extra `worker`: {error.name} is not installed."
        ) from error
