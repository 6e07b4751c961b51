"""Whether a fastText file is whole, before the library reads it.

The library checks the first eight bytes only: of a file that was cut short it makes vectors of
whatever lies in memory, or ends the process with SIGFPE, and neither says which file is wrong.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

# fasttext.cc: FASTTEXT_FILEFORMAT_MAGIC_INT32 and FASTTEXT_VERSION, little endian.
MAGIC = struct.pack("<i", 793_712_314)
_NEWEST_VERSION = 12
# args.cc: twelve int32 and a double. dictionary.cc: three int32 and two int64, then each word with
# a zero byte, its count (int64) and its type (int8).
_ARGS = struct.calcsize("<12id")
_DICTIONARY = "<iiiqq"
_AFTER_WORD = 9
_FLOAT = 4


def why_unreadable(file: Path) -> str | None:
    """Half a sentence about what is wrong; None for a file with all of its parts.

    A second for two million words. Of a quantised model (.ftz) only the dictionary is looked at.
    """
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return _fault(data)
        except (struct.error, ValueError):
            return "it is cut short"


def _fault(data: mmap.mmap) -> str | None:
    (version,) = struct.unpack_from("<i", data, len(MAGIC))
    if not 0 < version <= _NEWEST_VERSION:
        return f"it has the format {version}, {_NEWEST_VERSION} is known"
    at = _after_dictionary(data, len(MAGIC) + 4 + _ARGS)
    if data[at : at + 1] == b"\1":
        return None
    for _ in ("input", "output"):
        # Whether it is quantised, rows, columns, and the numbers.
        at += 1
        rows, columns = struct.unpack_from("<qq", data, at)
        if rows < 0 or columns < 0:
            return "it is damaged"
        at += 16 + rows * columns * _FLOAT
    return None if at == len(data) else "it is cut short" if at > len(data) else "it is too long"


def _after_dictionary(data: mmap.mmap, at: int) -> int:
    counts: tuple[int, ...] = struct.unpack_from(_DICTIONARY, data, at)
    words, pruned = counts[0], counts[-1]
    at += struct.calcsize(_DICTIONARY)
    for _ in range(words):
        end = data.find(b"\0", at)
        if end < 0:
            raise ValueError("no further word")
        at = end + 1 + _AFTER_WORD
    return at + max(0, pruned) * 8
