"""The transformer in PyTorch: the default.

Texts are tokenised once, for the chunks' borders and for the model alike, so this feeds the
modules of a SentenceTransformer itself where `SentenceTransformer.encode` would tokenise again.

In bfloat16 the transformer's layers take half the time and memory. The vectors are those of float32
within the cosine that ONNX has, too (at least 0.9999), so workers of both share a revision.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from explanation_service.indexing.backends.subwords import Subwords, padded
from explanation_service.indexing.encoder import Tokens, Vectors
from explanation_service.indexing.model_directory import (
    ModelSource,
    ModelUnusable,
    directory_revision,
    read_model_info,
    text_revision,
)
from explanation_service.indexing.threads import limit_math_threads
from explanation_service.stores.records import EmbeddingModelInfo

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


# Instructions that multiply bfloat16: AVX-512 and AMX on x86, the extension of Arm v8.6. Without
# them torch converts, and is slower than in float32.
BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")

# torch and oneDNN beneath it each keep what they prepared to multiply bfloat16 for the last 1,024
# shapes, and nearly every batch has another one: after 20,000 texts that was 640 MB. A batch needs
# three shapes; preparing them again is below what can be measured.
SHAPE_CACHES = ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY")
KEPT_SHAPES = 16


class TorchEncoder:
    """A sentence-transformers model on the CPU; what the weights are stored as does not matter."""

    def __init__(
        self, source: ModelSource, precision: Literal["auto", "float32", "bfloat16"] = "auto"
    ) -> None:
        """Loads the model, 2 to 5 s. Raises ModelUnusable with one sentence."""
        self.threads = limit_math_threads()
        for variable in SHAPE_CACHES:
            os.environ.setdefault(variable, str(KEPT_SHAPES))
        try:
            import torch
            from sentence_transformers import SentenceTransformer
            from transformers.utils.logging import disable_progress_bar
        except ImportError as error:
            raise ModelUnusable(
                f"The embedding worker needs the extra `worker`: {error.name} is not installed."
            ) from error
        torch.set_num_threads(self.threads)
        # The log is one JSON object a line; a bar for two seconds of loading is none.
        quiet: Callable[[], None] = disable_progress_bar
        quiet()
        self._torch = torch
        self.precision = fastest(torch) if precision == "auto" else precision
        location = source.name if source.path is None else str(source.path)
        if source.path is not None:
            # Nothing is asked of the hub, not even whether there is a newer file.
            os.environ.setdefault("HF_HUB_OFFLINE", "1")
        try:
            self.model: SentenceTransformer = SentenceTransformer(
                location,
                device="cpu",
                local_files_only=source.path is not None,
                model_kwargs={"dtype": self.precision},
            )
        except Exception as error:  # whatever the libraries raise for a broken directory
            raise ModelUnusable(f"The model {location} cannot be loaded: {error}.") from error
        self.model.eval()
        self.info = _describe(source, self.model)
        tokenizer: Any = self.model.tokenizer
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise ModelUnusable(f"The model {location} has no fast tokenizer (tokenizer.json).")
        self._subwords = Subwords(backend, self.info)
        self._pad_id = int(tokenizer.pad_token_id or 0)
        self._with_types = "token_type_ids" in tokenizer.model_input_names
        self._between_layers: Callable[[], None] | None = None
        for layer in _layers(self.model):
            layer.register_forward_pre_hook(self._before_layer)
        if self.precision != "float32":
            # The mean over hundreds of tokens would lose in bfloat16 what the layers kept.
            self.model[0].register_forward_hook(_widen)

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
        """See PassageEncoder. Memory and time grow with the longest text times the count."""
        torch = self._torch
        rows, mask = padded(ids, self._pad_id)
        features = {
            "input_ids": torch.from_numpy(rows),
            "attention_mask": torch.from_numpy(mask),
        }
        if self._with_types:
            features["token_type_ids"] = torch.zeros_like(features["input_ids"])
        outer, self._between_layers = self._between_layers, between_layers
        try:
            return self._forward(features)
        finally:
            self._between_layers = outer

    def _forward(self, features: dict[str, Any]) -> Vectors:
        torch = self._torch
        with torch.inference_mode():
            vectors = self.model(features)["sentence_embedding"]
            vectors = torch.nn.functional.normalize(vectors, p=2, dim=1)
        return np.asarray(vectors.numpy(), dtype=np.float32)

    def _before_layer(self, _layer: Any, _inputs: Any) -> None:
        # Taken off while it runs, so that an `embed` inside of it is not interrupted in turn.
        callback, self._between_layers = self._between_layers, None
        if callback is not None:
            try:
                callback()
            finally:
                self._between_layers = callback


def fastest(torch: Any) -> Literal["float32", "bfloat16"]:
    """The precision that this processor multiplies fastest."""
    has = torch.cpu.get_capabilities()
    return "bfloat16" if any(has.get(name) for name in BFLOAT16_INSTRUCTIONS) else "float32"


def _widen(_module: Any, _inputs: Any, features: dict[str, Any]) -> dict[str, Any]:
    features["token_embeddings"] = features["token_embeddings"].float()
    return features


def _layers(model: Any) -> list[Any]:
    """The transformer's layers: the longest list of modules; empty for a model without layers."""
    import torch

    lists = [module for module in model.modules() if isinstance(module, torch.nn.ModuleList)]
    return list(max(lists, key=len, default=[]))


def _describe(source: ModelSource, model: SentenceTransformer) -> EmbeddingModelInfo:
    """model_info.json where there is one, else what the loaded model says of itself."""
    given = None if source.path is None else read_model_info(source.path)
    # Renamed in sentence-transformers 6.
    ask = getattr(model, "get_embedding_dimension", None)
    dimension = int((ask or model.get_sentence_embedding_dimension)() or 0)
    if given is not None:
        if given.dimension != dimension:
            raise ModelUnusable(
                f"model_info.json says {given.dimension} dimensions, the model has {dimension}."
            )
        return given
    prompts = model.prompts or {}
    return EmbeddingModelInfo(
        name=source.name,
        revision=text_revision(source.name)
        if source.path is None
        else directory_revision(source.path),
        dimension=dimension,
        max_tokens=int(model.max_seq_length or 512),
        query_prefix=prompts.get("query") or "",
        passage_prefix=prompts.get("passage") or prompts.get("document") or "",
    )
