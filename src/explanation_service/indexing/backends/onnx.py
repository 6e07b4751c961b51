"""The transformer in ONNX Runtime, in 32 bits or with weights of 8 bits; torch is not imported.

The files are made by tools/models/export_onnx.py: token ids and their mask in, pooled and
normalised vectors out. In 32 bits the vectors are those of torch (cosine at least 0.9999,
tests/unit/tools/test_export_onnx.py), so both share a revision and with it a collection; with
8 bits they are others, and have a revision of their own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from explanation_service.indexing.backends.subwords import Subwords, padded
from explanation_service.indexing.encoder import Tokens, Vectors
from explanation_service.indexing.model_directory import (
    ModelSource,
    ModelUnusable,
    read_model_info,
)
from explanation_service.indexing.threads import limit_math_threads
from explanation_service.stores.records import EmbeddingModelInfo

# Written into the files' metadata by tools/models/export_onnx.py.
REVISION_KEY = "revision"
SOURCE_REVISION_KEY = "source_revision"
OUTPUT = "sentence_embedding"
# A run cannot be interrupted, so passages run in slices of about 30 ms, with queries in between.
SLICE_TOKENS = 128


class Precision(Enum):
    """The values of EMBEDDING_BACKEND."""

    FLOAT32 = "onnx"
    INT8 = "onnx-int8"

    @property
    def file(self) -> str:
        """The file's path within the model's directory."""
        return "onnx/model.onnx" if self is Precision.FLOAT32 else "onnx/model_qint8.onnx"


class OnnxEncoder:
    """One file of an exported model on the CPU."""

    def __init__(self, source: ModelSource, precision: Precision) -> None:
        """Loads the model, about 1 s. Raises ModelUnusable with one sentence."""
        self.threads = limit_math_threads()
        try:
            import onnxruntime
            from tokenizers import Tokenizer
        except ImportError as error:
            raise ModelUnusable(
                f"EMBEDDING_BACKEND={precision.value} needs the extra `onnx`: "
                f"{error.name} is not installed."
            ) from error
        directory = _directory(source, precision)
        info = read_model_info(directory)
        if info is None:
            raise ModelUnusable(f"{directory} has no model_info.json; {_remedy(directory)}.")
        try:
            self._session = onnxruntime.InferenceSession(
                str(directory / precision.file),
                _options(onnxruntime, self.threads),
                providers=["CPUExecutionProvider"],
            )
            tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        except Exception as error:  # onnxruntime and tokenizers raise classes of their own
            why = " ".join(str(error).split())[:300]
            raise ModelUnusable(f"The model in {directory} cannot be loaded: {why}.") from error
        self.info = _describe(info, self._session, directory / precision.file, directory)
        self._subwords = Subwords(tokenizer, self.info)
        self._pad_id = _pad_id(directory)

    def passage_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """See PassageEncoder."""
        return self._subwords.passage_ids(texts)

    def query_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """See PassageEncoder."""
        return self._subwords.query_ids(texts)

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """See PassageEncoder."""
        return self._subwords.spans(text)

    def embed(
        self, ids: Sequence[Tokens], between_layers: Callable[[], None] | None = None
    ) -> Vectors:
        """See PassageEncoder; with `between_layers` the batch runs in slices of SLICE_TOKENS."""
        if between_layers is None:
            return self._run(ids)
        vectors = []
        for part in slices(ids):
            between_layers()
            vectors.append(self._run(part))
        return np.concatenate(vectors)

    def _run(self, ids: Sequence[Tokens]) -> Vectors:
        rows, mask = padded(ids, self._pad_id)
        feed = {"input_ids": rows, "attention_mask": mask}
        return np.asarray(self._session.run([OUTPUT], feed)[0], dtype=np.float32)


def slices(ids: Sequence[Tokens]) -> Iterator[Sequence[Tokens]]:
    """The batch in order, cut so that longest * count of a part is at most SLICE_TOKENS; a longer
    text makes a part of its own."""
    start = longest = 0
    for at, row in enumerate(ids):
        longest = max(longest, len(row))
        if at > start and longest * (at - start + 1) > SLICE_TOKENS:
            yield ids[start:at]
            start, longest = at, len(row)
    yield ids[start:]


def _options(onnxruntime: Any, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Patterns are kept for each shape, and here nearly every batch has another one.
    options.enable_mem_pattern = False
    # Threads that wait in a loop take the cores from whoever is beside them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def _directory(source: ModelSource, precision: Precision) -> Path:
    """The model's directory. Raises ModelUnusable without one that holds the file."""
    if source.path is None:
        raise ModelUnusable(
            f"EMBEDDING_BACKEND={precision.value} needs EMBEDDING_MODEL_PATH, "
            "the directory of an exported model."
        )
    if not (source.path / precision.file).is_file():
        raise ModelUnusable(
            f"EMBEDDING_BACKEND={precision.value} finds no {precision.file} in {source.path}; "
            f"{_remedy(source.path)}."
        )
    return source.path


def _remedy(directory: Path) -> str:
    return f"`python -m tools.models.export_onnx --model {directory}` makes it"


def _describe(
    info: EmbeddingModelInfo, session: Any, file: Path, directory: Path
) -> EmbeddingModelInfo:
    """The description, with the file's own revision. Raises ModelUnusable for a file that is of
    another model or was not made by the tool."""
    metadata = session.get_modelmeta().custom_metadata_map
    if REVISION_KEY not in metadata:
        raise ModelUnusable(f"{file} was not made by tools.models.export_onnx.")
    if metadata.get(SOURCE_REVISION_KEY) != info.revision:
        raise ModelUnusable(
            f"{file} was made from another revision of the model; {_remedy(directory)} anew."
        )
    return EmbeddingModelInfo(
        name=info.name,
        revision=metadata[REVISION_KEY],
        dimension=info.dimension,
        max_tokens=info.max_tokens,
        query_prefix=info.query_prefix,
        passage_prefix=info.passage_prefix,
    )


def _pad_id(directory: Path) -> int:
    try:
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        return int(config.get("pad_token_id") or 0)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ModelUnusable(f"{directory / 'config.json'} cannot be used: {error}.") from error
