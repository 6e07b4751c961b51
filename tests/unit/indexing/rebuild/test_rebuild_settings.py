"""Which model a rebuild loads."""

from __future__ import annotations

from pathlib import Path

import pytest

from explanation_service.indexing.rebuild.main import settings_for
from explanation_service.indexing.rebuild.options import parse


@pytest.mark.parametrize(
    ("arguments", "directory", "word_vectors"),
    [
        ([], Path("old"), Path("words.bin")),
        (["--model-path", "new"], Path("new"), None),
    ],
)
def test_the_model_that_is_named_goes_before_the_settings(
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    directory: Path,
    word_vectors: Path | None,
) -> None:
    monkeypatch.setenv("EMBEDDING_MODEL_PATH", "old")
    monkeypatch.setenv("FASTTEXT_MODEL_PATH", "words.bin")
    settings = settings_for(parse(arguments))
    assert settings.embedding_model_path == directory
    assert settings.fasttext_model_path == word_vectors
