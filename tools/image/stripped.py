"""ELF files without what no process maps: symbols, debugging data and the section table (elf(5)).

A quarter of torch and seven eighths of uvloop are such. strip(1) does the same, but is not part of
the locked tools.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import BinaryIO

_MAGIC = b"\x7fELF\x02\x01"
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")


def loaded_part(path: Path) -> tuple[bytes, int] | None:
    """The new ELF header and the bytes up to the last segment's end; None for what is no 64-bit
    little-endian ELF file."""
    with path.open("rb") as stream:
        head = stream.read(_HEADER.size)
        if len(head) < _HEADER.size or not head.startswith(_MAGIC):
            return None
        fields = list(_HEADER.unpack(head))
        table, entry_size, entries = fields[5], fields[9], fields[10]
        stream.seek(table)
        data = stream.read(entry_size * entries)
    end = table + len(data)
    for number in range(entries):
        segment = _PROGRAM_HEADER.unpack_from(data, number * entry_size)
        end = max(end, segment[2] + segment[5])
    # Section table: offset, entries and the index of its names. Its entry size may stay.
    fields[6] = fields[12] = fields[13] = 0
    return _HEADER.pack(*fields), end


class StrippedFile(io.RawIOBase):
    """A file with another beginning; the tar's size field ends it."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest
        rest.seek(len(head))

    def read(self, size: int = -1) -> bytes:
        piece, self._head = self._head[:size], self._head[size:]
        return piece + self._rest.read(size - len(piece))
