"""What a model is called, from the directory that it is loaded from."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from explanation_service.settings import Settings
from explanation_service.stores.records import EmbeddingModelInfo

MODEL_INFO_FILE = "model_info.json"
# Files that change a model's vectors; a README or a time stamp does not.
_DECISIVE = ("*.safetensors", "*.bin", "*.json", "*.txt", "*.model")
_HASH_BLOCK = 1 << 20


class ModelUnusable(Exception):
    """The model cannot be loaded or described; the text is one sentence for the operator."""


@dataclass(frozen=True)
class ModelSource:
    """Where the model is loaded from: a directory, or a name that sentence-transformers resolves
    itself (from its cache, or from the hub where that is allowed)."""

    name: str
    path: Path | None


def locate_model(settings: Settings) -> ModelSource:
    """EMBEDDING_MODEL_PATH, else EMBEDDING_MODEL_NAME as a path where there is one, else as a name.

    Raises ModelUnusable when EMBEDDING_MODEL_PATH names no directory.
    """
    path = settings.embedding_model_path
    if path is not None:
        if not path.is_dir():
            raise ModelUnusable(f"EMBEDDING_MODEL_PATH names no directory: {path}.")
        return ModelSource(settings.embedding_model_name, path)
    named = Path(settings.embedding_model_name)
    if named.is_dir():
        return ModelSource(named.name, named)
    return ModelSource(settings.embedding_model_name, None)


def read_model_info(directory: Path) -> EmbeddingModelInfo | None:
    """The description in model_info.json; None without such a file.

    Raises ModelUnusable when the file is there but cannot be used.
    """
    file = directory / MODEL_INFO_FILE
    try:
        raw: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return EmbeddingModelInfo(
            name=str(raw["name"]),
            revision=str(raw["revision"]),
            dimension=int(raw["dimension"]),
            max_tokens=int(raw["max_tokens"]),
            query_prefix=str(raw.get("query_prefix", "")),
            passage_prefix=str(raw.get("passage_prefix", "")),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnusable(f"{file} cannot be used: {type(error).__name__} {error}.") from error


def directory_revision(directory: Path) -> str:
    """16 hexadecimal digits over the names and contents of the files that make the vectors."""
    digest = hashlib.sha256()
    files = {file for pattern in _DECISIVE for file in directory.rglob(pattern) if file.is_file()}
    for file in sorted(files - {directory / MODEL_INFO_FILE}):
        digest.update(f"{file.relative_to(directory).as_posix()}\0".encode())
        with file.open("rb") as stream:
            while block := stream.read(_HASH_BLOCK):
                digest.update(block)
    return digest.hexdigest()[:16]


def text_revision(text: str) -> str:
    """16 hexadecimal digits of a text: the revision of a model that is known by a name only."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
