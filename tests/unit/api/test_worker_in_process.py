"""What the old monolith needs beside the API."""

from __future__ import annotations

import importlib.util

import pytest

from explanation_service.api import worker_in_process
from explanation_service.settings import SettingsError, load_settings


@pytest.fixture(autouse=True)
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this environment has: a worker without torch."""
    torch = ("sentence_transformers", "torch")
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in torch else object()
    )


def test_the_default_backend_needs_torch() -> None:
    with pytest.raises(SettingsError, match="sentence_transformers is missing"):
        worker_in_process.check_worker_can_run(load_settings())


@pytest.mark.parametrize(
    "backend",
    [{"embedding_backend": "onnx-int8"}, {"fasttext_model_path": "words.bin"}],
)
def test_the_other_backends_do_not(backend: dict[str, str]) -> None:
    worker_in_process.check_worker_can_run(load_settings(**backend))
