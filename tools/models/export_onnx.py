"""Export a sentence-transformers directory to ONNX, in 32 bits and with weights of 8 bits.

    export_onnx --model DIR [--output DIR]

Writes `onnx/model.onnx` and `onnx/model_qint8.onnx`: token ids and their mask in, vectors out,
pooled and L2-normalised. Into the model's own directory, or into `--output` together with the
files that a worker without torch needs beside them.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.models.model_directory import INFO_FILE, check_directory, read_info

# As in explanation_service/indexing/backends/onnx.py, which reads them.
REVISION_KEY = "revision"
SOURCE_REVISION_KEY = "source_revision"
OUTPUT = "sentence_embedding"

FLOAT32_FILE = "onnx/model.onnx"
INT8_FILE = "onnx/model_qint8.onnx"
BESIDE = ("tokenizer.json", "config.json", INFO_FILE)
OPSET = 17


def export(model: Path, output: Path) -> None:
    """Write both files. Raises ModelDirectoryError for a model that cannot be served."""
    check_directory(model)
    revision = read_info(model).revision
    (output / "onnx").mkdir(parents=True, exist_ok=True)
    if output.resolve() != model.resolve():
        for name in BESIDE:
            shutil.copyfile(model / name, output / name)
    full, small = output / FLOAT32_FILE, output / INT8_FILE
    with tempfile.TemporaryDirectory(dir=output / "onnx") as scratch:
        traced, quantised = Path(scratch) / "traced.onnx", Path(scratch) / "quantised.onnx"
        _trace(model, traced)
        _quantise(traced, quantised)
        # In 32 bits the vectors are the model's own, so the revision is, too.
        _stamp(traced, full, {REVISION_KEY: revision, SOURCE_REVISION_KEY: revision})
        own = hashlib.sha256(quantised.read_bytes()).hexdigest()[:16]
        _stamp(quantised, small, {REVISION_KEY: own, SOURCE_REVISION_KEY: revision})


def _trace(model: Path, file: Path) -> None:
    # Before the import: huggingface_hub reads it once. Nothing here may ask the network.
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    from sentence_transformers import SentenceTransformer

    # Fused attention has no counterpart in ONNX; eager attention computes the same.
    arguments = {"dtype": "float32", "attn_implementation": "eager"}
    loaded = SentenceTransformer(
        str(model), device="cpu", local_files_only=True, model_kwargs=arguments
    )
    inputs = _example(torch)
    with warnings.catch_warnings():
        # The tracer warns of every branch in Python, and of its successor, which needs onnxscript.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Whole(torch, loaded).eval(),
            inputs,
            str(file),
            input_names=["input_ids", "attention_mask"],
            output_names=[OUTPUT],
            dynamic_axes={
                "input_ids": {0: "texts", 1: "tokens"},
                "attention_mask": {0: "texts", 1: "tokens"},
                OUTPUT: {0: "texts"},
            },
            opset_version=OPSET,
            dynamo=False,
        )


def _example(torch: Any) -> tuple[Any, Any]:
    """Two texts, one of them padded, so that the mask is not traced away."""
    ids = torch.full((2, 4), 3, dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[1, 2:] = 0
    return ids, mask


def _Whole(torch: Any, model: Any) -> Any:
    """The transformer, its pooling and the normalising as one module."""

    class Whole(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            if "token_type_ids" in model.tokenizer.model_input_names:
                features["token_type_ids"] = torch.zeros_like(input_ids)
            vectors = self.model(features)[OUTPUT]
            return torch.nn.functional.normalize(vectors, p=2, dim=1)

    return Whole()


def _quantise(source: Path, target: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        source,
        target,
        # The matrices alone, a scale for each row: docs/performance.md has what else was tried.
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        weight_type=QuantType.QInt8,
        # 7 bits: without VNNI the sums of 8-bit products saturate.
        reduce_range=True,
    )


def _stamp(source: Path, target: Path, metadata: dict[str, str]) -> None:
    import onnx

    model = onnx.load(str(source))
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, str(target))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="sentence-transformers directory")
    parser.add_argument("--output", type=Path, help="a directory (default: the model's own)")
    options = parser.parse_args(arguments)
    output = options.output or options.model
    try:
        export(options.model, output)
    except (ImportError, OSError, ValueError) as error:
        print(f"export_onnx: {error}", file=sys.stderr)
        return 1
    for name in (FLOAT32_FILE, INT8_FILE):
        print(f"{output / name}: {(output / name).stat().st_size / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
