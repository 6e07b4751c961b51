"""Forward reading of little-endian bytes, with errors that say what was being read."""

from __future__ import annotations

import struct
from typing import Any


class WeightsFormatError(ValueError):
    """The file is not a readable weights file; the message names the part that is wrong."""


class Cursor:
    """A position in `raw` that only moves forward."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def take(self, size: int, what: str) -> bytes:
        """Return the next `size` bytes. Raises WeightsFormatError if there are not so many."""
        if size < 0:
            raise WeightsFormatError(f"{what}: negative size {size}")
        if self._at + size > len(self._raw):
            raise WeightsFormatError(
                f"truncated in {what}: {size} bytes wanted at offset {self._at}, "
                f"there are {len(self._raw)}"
            )
        part = self._raw[self._at : self._at + size]
        self._at += size
        return part

    def unpack(self, codes: str, what: str) -> tuple[Any, ...]:
        """Return the numbers that the `struct` codes describe, without padding between them."""
        layout = struct.Struct(f"<{codes}")
        return layout.unpack(self.take(layout.size, what))

    def integer(self, code: str, what: str) -> int:
        return int(self.unpack(code, what)[0])
