"""Q4_0, the 4-bit format of llama.cpp: blocks of 32 weights in 18 bytes.

A block is a float16 scale and 16 bytes of nibbles. Byte j holds weight j (low nibble) and weight
j + 16 (high nibble); a weight is (nibble - 8) * scale.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK_WEIGHTS = 32
BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", (BLOCK_WEIGHTS // 2,))])


def dequantise(blocks: NDArray[Any]) -> NDArray[np.float32]:
    """Blocks of dtype BLOCK and shape (n,) -> weights of shape (n, 32)."""
    nibbles = blocks["nibbles"]
    weights = np.empty((len(blocks), BLOCK_WEIGHTS), np.float32)
    weights[:, : BLOCK_WEIGHTS // 2] = nibbles & 15
    weights[:, BLOCK_WEIGHTS // 2 :] = nibbles >> 4
    weights -= 8
    weights *= blocks["scale"].astype(np.float32)[:, None]
    return weights
