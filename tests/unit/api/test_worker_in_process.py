"""What the old monolith needs beside the API."""

from __future__ import annotations

import importlib.util
import sys
from types import SimpleNamespace

import pytest

from explanation_service.api import main, worker_in_process
from explanation_service.settings import Settings, SettingsError, load_settings


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


def test_the_heaps_are_limited_before_there_are_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def listen(_settings: Settings) -> None:
        done.append("listen")
        raise main.AddressUnusable

    heap = SimpleNamespace(limit_heaps=lambda: done.append("limit heaps"))
    monkeypatch.setitem(sys.modules, "explanation_service.indexing.heap", heap)
    monkeypatch.setattr(main, "configure_logging", lambda *_: done.append("log"))
    monkeypatch.setattr(main, "_listen", listen)
    for wanted, expected in ((True, ["limit heaps", "log", "listen"]), (False, ["log", "listen"])):
        settings = load_settings(start_embedding_worker=wanted)
        monkeypatch.setattr(main, "load_settings", lambda settings=settings: settings)
        done.clear()
        with pytest.raises(SystemExit):
            main.main()
        assert done == expected
