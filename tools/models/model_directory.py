"""What a usable sentence-transformers directory is, and `model_info.json`, its short description.

The services read model_info.json instead of the library's own files: its keys do not change from
one release of sentence-transformers to the next, and reading it needs no ML package.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

INFO_FILE = "model_info.json"
WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "sentencepiece.bpe.model")
PASSAGE_PROMPTS = ("passage", "document", "corpus")
"""The names under which models keep the prompt of an indexed text, e5's own first."""
WITHOUT_INFLUENCE = (INFO_FILE, "README.md")
"""Not in the revision: it must change exactly when vectors may change, or a corrected sentence in
the README would re-embed the whole rule book."""
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


class ModelDirectoryError(ValueError):
    """The directory cannot be served; the message names the file that is missing or wrong."""


@dataclass(frozen=True)
class ModelInfo:
    """model_info.json. `revision` is part of every cache key and names the index."""

    name: str
    revision: str
    dimension: int
    max_tokens: int
    query_prefix: str
    passage_prefix: str


def write_json(path: Path, content: object) -> None:
    """Write JSON that is the same bytes for the same content: sorted keys, one final newline."""
    text = json.dumps(content, ensure_ascii=False, indent=2, sort_keys=True)
    path.write_text(f"{text}\n", encoding="utf-8")


def write_info(directory: Path, name: str) -> ModelInfo:
    """Check `directory`, write its model_info.json and return what it says.

    Raises ModelDirectoryError.
    """
    check_directory(directory)
    prompts = _prompts(directory)
    info = ModelInfo(
        name=name,
        revision=content_revision(directory),
        dimension=_dimension(directory),
        max_tokens=_max_tokens(directory),
        query_prefix=prompts.get("query", ""),
        passage_prefix=next((prompts[key] for key in PASSAGE_PROMPTS if key in prompts), ""),
    )
    write_json(directory / INFO_FILE, asdict(info))
    return info


def read_info(directory: Path) -> ModelInfo:
    """What model_info.json says. Raises ModelDirectoryError without a usable one."""
    content = _read_object(directory / INFO_FILE)
    try:
        return ModelInfo(**content)
    except TypeError as error:
        raise ModelDirectoryError(f"{directory / INFO_FILE}: {error}") from error


def check_directory(directory: Path) -> None:
    """Raise ModelDirectoryError unless `directory` has what SentenceTransformer needs offline."""
    if not directory.is_dir():
        raise ModelDirectoryError(f"{directory}: not a directory")
    transformer = _module_path(directory, "Transformer")
    _module_path(directory, "Pooling")
    _read_object(transformer / "config.json")
    for names, what in ((WEIGHT_FILES, "weights"), (TOKENIZER_FILES, "tokenizer")):
        found = [transformer / name for name in names if (transformer / name).is_file()]
        if not found:
            raise ModelDirectoryError(f"{directory}: no {what} ({', '.join(names)})")
        for path in found:
            _refuse_pointer(path)


def content_revision(directory: Path) -> str:
    """Return 16 hex digits of the sha256 over the files that can change a vector.

    Files come in the order of their relative paths. Path and size are hashed with each content, so
    that a byte cannot move from one file to the next unseen.
    """
    digest = hashlib.sha256()
    paths = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*")}
    for relative, path in sorted(paths.items()):
        if path.is_file() and relative not in WITHOUT_INFLUENCE:
            digest.update(f"{relative}\0{path.stat().st_size}\0".encode())
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()[:16]


def _modules(directory: Path) -> Iterator[tuple[str, Path]]:
    """Yield (class name, folder) of every module, in the order a text passes through them."""
    path = directory / "modules.json"
    modules = _read_json(path)
    if not isinstance(modules, list) or not modules:
        raise ModelDirectoryError(f"{path}: a list of modules was expected")
    for module in modules:
        if not isinstance(module, dict) or not {"type", "path"} <= module.keys():
            raise ModelDirectoryError(f"{path}: every module needs `type` and `path`")
        yield str(module["type"]).rpartition(".")[2], directory / str(module["path"])


def _module_path(directory: Path, kind: str) -> Path:
    for name, path in _modules(directory):
        if name == kind:
            return path
    raise ModelDirectoryError(f"{directory}: modules.json names no {kind} module")


def _dimension(directory: Path) -> int:
    """Return the length of a vector: what Pooling gives, changed by every Dense after it."""
    dimension: object = None
    for name, path in _modules(directory):
        if name == "Pooling":
            config = _read_object(path / "config.json")
            # The first key is sentence-transformers up to 5, the second is 6.
            width = config.get("word_embedding_dimension", config.get("embedding_dimension"))
            dimension = width * _pooled_parts(config) if isinstance(width, int) else None
        elif name == "Dense":
            dimension = _read_object(path / "config.json").get("out_features")
    if not isinstance(dimension, int):
        raise ModelDirectoryError(f"{directory}: the pooling configuration states no dimension")
    return dimension


def _pooled_parts(config: dict[str, Any]) -> int:
    """Return how many pooled vectors are laid end to end (nearly always one)."""
    mode = config.get("pooling_mode")
    if mode is not None:
        return 1 if isinstance(mode, str) else len(mode)
    flags = [key for key, value in config.items() if key.startswith("pooling_mode_") and value]
    return max(1, len(flags))


def _max_tokens(directory: Path) -> int:
    """Return where a text is cut, special tokens included.

    Without a limit of its own the library takes the lower of the two that the transformer has.
    """
    transformer = _module_path(directory, "Transformer")
    own = transformer / "sentence_bert_config.json"
    limit = _read_object(own).get("max_seq_length") if own.is_file() else None
    if isinstance(limit, int):
        return limit
    limits = [_read_object(transformer / "config.json").get("max_position_embeddings")]
    tokenizer = transformer / "tokenizer_config.json"
    if tokenizer.is_file():
        limits.append(_read_object(tokenizer).get("model_max_length"))
    stated = [value for value in limits if isinstance(value, int)]
    if not stated:
        raise ModelDirectoryError(f"{directory}: no file states the maximum number of tokens")
    return min(stated)


def _prompts(directory: Path) -> dict[str, str]:
    path = directory / "config_sentence_transformers.json"
    prompts = _read_object(path).get("prompts") if path.is_file() else None
    if not isinstance(prompts, dict):
        return {}
    return {str(key): text for key, text in prompts.items() if isinstance(text, str)}


def _refuse_pointer(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(len(_LFS_POINTER)) == _LFS_POINTER:
            raise ModelDirectoryError(f"{path}: a Git LFS pointer, not the file (git lfs pull)")


def _read_object(path: Path) -> dict[str, Any]:
    content = _read_json(path)
    if not isinstance(content, dict):
        raise ModelDirectoryError(f"{path}: a JSON object was expected")
    return content


def _read_json(path: Path) -> object:
    try:
        content: object = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelDirectoryError(f"{path}: missing") from None
    except (OSError, ValueError) as error:
        raise ModelDirectoryError(f"{path}: not readable as JSON ({error})") from error
    return content
