from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tools.models.model_directory import (
    INFO_FILE,
    ModelDirectoryError,
    check_directory,
    content_revision,
    write_info,
    write_json,
)
from tools.models.stage_model import main, stage


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return a directory that has every file and no sense."""
    directory = tmp_path / "some-model"
    (directory / "1_Pooling").mkdir(parents=True)
    modules = [("", "models.Transformer"), ("1_Pooling", "models.Pooling")]
    files: dict[str, object] = {
        "modules.json": [{"path": path, "type": f"st.{kind}"} for path, kind in modules],
        "config.json": {"max_position_embeddings": 514},
        "tokenizer.json": {},
        "tokenizer_config.json": {"model_max_length": 512},
        "sentence_bert_config.json": {"max_seq_length": 128},
        "1_Pooling/config.json": {"word_embedding_dimension": 24, "pooling_mode_mean_tokens": True},
    }
    for name, content in files.items():
        write_json(directory / name, content)
    (directory / "model.safetensors").write_bytes(b"weights")
    return directory


def test_info_of_a_model_without_prompts(model: Path) -> None:
    info = write_info(model, "some-model")
    assert (info.dimension, info.max_tokens) == (24, 128)
    assert (info.query_prefix, info.passage_prefix) == ("", "")
    assert json.loads((model / INFO_FILE).read_text())["revision"] == info.revision


@pytest.mark.parametrize(
    ("prompts", "prefixes"),
    [
        ({"query": "q: ", "passage": "p: ", "document": ""}, ("q: ", "p: ")),
        ({"query": "q: ", "document": "d: "}, ("q: ", "d: ")),
        ({"query": "", "document": ""}, ("", "")),
        (None, ("", "")),
    ],
)
def test_prefixes_come_from_the_prompts(
    model: Path, prompts: dict[str, str] | None, prefixes: tuple[str, str]
) -> None:
    write_json(model / "config_sentence_transformers.json", {"prompts": prompts})
    info = write_info(model, "m")
    assert (info.query_prefix, info.passage_prefix) == prefixes


@pytest.mark.parametrize(
    ("config", "dimension"),
    [
        ({"embedding_dimension": 24, "pooling_mode": "mean"}, 24),
        ({"embedding_dimension": 24, "pooling_mode": ["mean", "max"]}, 48),
        (
            {
                "word_embedding_dimension": 24,
                "pooling_mode_cls_token": True,
                "pooling_mode_mean_tokens": True,
            },
            48,
        ),
    ],
)
def test_dimension_in_the_old_and_the_new_pooling_file(
    model: Path, config: dict[str, Any], dimension: int
) -> None:
    write_json(model / "1_Pooling/config.json", config)
    assert write_info(model, "m").dimension == dimension


def test_a_dense_module_sets_the_dimension(model: Path) -> None:
    modules = json.loads((model / "modules.json").read_text())
    write_json(model / "modules.json", [*modules, {"path": "2_Dense", "type": "models.Dense"}])
    (model / "2_Dense").mkdir()
    write_json(model / "2_Dense/config.json", {"in_features": 24, "out_features": 8})
    assert write_info(model, "m").dimension == 8


def test_max_tokens_without_a_limit_of_its_own(model: Path) -> None:
    (model / "sentence_bert_config.json").unlink()
    assert write_info(model, "m").max_tokens == 512


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("modules.json", "modules.json: missing"),
        ("config.json", "config.json: missing"),
        ("1_Pooling/config.json", "config.json: missing"),
        ("model.safetensors", "no weights"),
        ("tokenizer.json", "no tokenizer"),
    ],
)
def test_a_missing_file_is_named(model: Path, name: str, message: str) -> None:
    (model / name).unlink()
    with pytest.raises(ModelDirectoryError, match=message):
        write_info(model, "m")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("modules.json", "{}", "a list of modules"),
        ("modules.json", "[{}]", "needs `type` and `path`"),
        ("modules.json", '[{"path": "", "type": "a.Transformer"}]', "names no Pooling module"),
        ("config.json", "{", "not readable as JSON"),
        (
            "model.safetensors",
            "version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "Git LFS pointer",
        ),
    ],
)
def test_a_wrong_file_is_named(model: Path, name: str, content: str, message: str) -> None:
    (model / name).write_text(content)
    with pytest.raises(ModelDirectoryError, match=message):
        check_directory(model)


def test_the_revision_changes_with_what_changes_a_vector(model: Path) -> None:
    before = content_revision(model)
    (model / "README.md").write_text("a word about the model")
    write_info(model, "another name")
    assert content_revision(model) == before
    (model / "model.safetensors").write_bytes(b"Weights")
    assert content_revision(model) != before


def test_stage_copies_links_as_files(model: Path, tmp_path: Path) -> None:
    blob = tmp_path / "blob"
    os.rename(model / "model.safetensors", blob)
    (model / "model.safetensors").symlink_to(blob)
    (model / ".gitattributes").write_text("*.safetensors filter=lfs")
    output = tmp_path / "out"
    info = stage(model, output)
    assert info.name == "some-model"
    assert not (output / "model.safetensors").is_symlink()
    assert (output / "model.safetensors").read_bytes() == b"weights"
    assert not (output / ".gitattributes").exists()
    assert stage(output, tmp_path / "again", "some-model") == info


def test_stage_refuses_what_it_cannot_copy(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelDirectoryError, match="within the source"):
        stage(model, model / "copy")
    (model / "loop").symlink_to(model)
    with pytest.raises(ModelDirectoryError, match="loop: a symlink to a directory"):
        stage(model, tmp_path / "a")
    (model / "loop").unlink()
    (model / "vocab.json").symlink_to(tmp_path / "absent")
    with pytest.raises(ModelDirectoryError, match=r"vocab\.json: a broken symlink"):
        stage(model, tmp_path / "b")


def test_the_command_line(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out"
    assert main(["--source", str(model), "--output", str(output), "--name", "org/m"]) == 0
    assert capsys.readouterr().out.startswith("org/m revision ")
    assert main(["--source", str(model), "--output", str(output)]) == 1
    assert main(["--source", str(tmp_path / "none"), "--output", str(tmp_path / "x")]) == 1
    assert "not a directory" in capsys.readouterr().err
