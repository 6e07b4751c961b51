from __future__ import annotations

import json
from pathlib import Path

import pytest

from explanation_service.indexing.model_directory import (
    ModelUnusable,
    directory_revision,
    locate_model,
    read_model_info,
)
from explanation_service.settings import load_settings

INFO = {"name": "toy", "revision": "r1", "dimension": 2, "max_tokens": 64}


def test_a_path_comes_before_a_name(tmp_path: Path) -> None:
    source = locate_model(load_settings(embedding_model_path=tmp_path))
    assert source.path == tmp_path and source.name == "intfloat/multilingual-e5-small"
    assert locate_model(load_settings(embedding_model_name=str(tmp_path))).path == tmp_path
    assert locate_model(load_settings(embedding_model_name="a/b")).path is None


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match="EMBEDDING_MODEL_PATH"):
        locate_model(load_settings(embedding_model_path=tmp_path / "absent"))


def test_the_description_is_read(tmp_path: Path) -> None:
    assert read_model_info(tmp_path) is None
    (tmp_path / "model_info.json").write_text(json.dumps(INFO))
    info = read_model_info(tmp_path)
    assert info is not None and (info.revision, info.query_prefix) == ("r1", "")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": 1, "revision": 2, "dimension": "x"}'])
def test_a_broken_description_is_no_model_without_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "model_info.json").write_text(text)
    with pytest.raises(ModelUnusable):
        read_model_info(tmp_path)


def test_the_revision_changes_with_what_makes_the_vectors(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    before = directory_revision(tmp_path)
    (tmp_path / "README.md").write_text("more words")
    assert directory_revision(tmp_path) == before
    (tmp_path / "model.safetensors").write_bytes(b"others")
    assert directory_revision(tmp_path) != before
