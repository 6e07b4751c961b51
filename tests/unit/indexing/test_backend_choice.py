from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from explanation_service.indexing.backends import load
from explanation_service.indexing.model_directory import ModelUnusable
from explanation_service.settings import SettingsError, load_settings

BACKENDS = "explanation_service.indexing.backends"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What is made, with modules in place of the real ones: nothing heavy is imported."""
    calls: list[tuple[object, ...]] = []
    for name, classes in {
        "torch": ("TorchEncoder",),
        "onnx": ("OnnxEncoder", "Precision"),
        "static": ("StaticEncoder",),
    }.items():
        module = ModuleType(f"{BACKENDS}.{name}")
        for one in classes:
            setattr(
                module,
                one,
                (lambda value: value)
                if one == "Precision"
                else (lambda *given, kind=one: calls.append((kind, *given))),
            )
        monkeypatch.setitem(sys.modules, f"{BACKENDS}.{name}", module)
    return calls


@pytest.mark.parametrize(
    ("backend", "kind", "rest"),
    [
        ("torch", "TorchEncoder", ("auto",)),
        ("onnx", "OnnxEncoder", ("onnx",)),
        ("onnx-int8", "OnnxEncoder", ("onnx-int8",)),
    ],
)
def test_the_setting_decides(
    made: list[SimpleNamespace], tmp_path: Path, backend: str, kind: str, rest: tuple[str, ...]
) -> None:
    load.load_encoder(load_settings(embedding_backend=backend, embedding_model_path=tmp_path))
    ((got, source, *others),) = made
    assert (got, source.path, tuple(others)) == (kind, tmp_path, rest)


def test_static_vectors_take_the_place_of_any_transformer(
    made: list[tuple[object, ...]], tmp_path: Path
) -> None:
    load.load_encoder(
        load_settings(embedding_backend="onnx", fasttext_model_path=tmp_path / "vectors")
    )
    assert made == [("StaticEncoder", tmp_path / "vectors")]


def test_torch_is_the_default_and_others_are_refused() -> None:
    assert load_settings().embedding_backend == "torch"
    with pytest.raises(SettingsError, match="EMBEDDING_BACKEND must be torch, onnx or onnx-int8"):
        load_settings(embedding_backend="tensorflow")


def test_onnx_without_an_export_stops_with_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "modules.json").write_text("[]")
    settings = load_settings(embedding_backend="onnx", embedding_model_path=tmp_path)
    with pytest.raises(ModelUnusable, match="export_onnx"):
        load.load_encoder(settings)
