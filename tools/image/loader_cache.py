"""Writes /etc/ld.so.cache, which ldconfig(8) can make only on the machine that it is for.

The format is `struct cache_file_new` 1.1 of glibc (elf/cache.c, sysdeps/generic/dl-cache.h).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from tools.image.debian_package import packaged_files

_MAGIC = b"glibc-ld.so.cache1.1"
_LITTLE_ENDIAN = 2
# Magic, libraries, bytes of the strings, flags, padding, extension offset, unused.
_HEADER = struct.Struct("<20sIIB3xI12x")
# Flags, offsets of name and path from the file's start, OS version, hardware capabilities.
_ENTRY = struct.Struct("<iIIIQ")
# FLAG_ELF_LIBC6 and the machine's 64-bit ABI.
_FLAGS = {"amd64": 0x0303, "arm64": 0x0A03}
_TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
_LIBRARY = re.compile(r"^(lib|ld-).*\.so(\.|$)")
_PIECE = re.compile(r"\d+|\D")


def _order(name: str) -> list[tuple[int, int]]:
    """The loader's own order of names: numbers by value, and above every other character."""
    pieces: list[str] = _PIECE.findall(name)
    return [(1, int(piece)) if piece.isdigit() else (0, ord(piece)) for piece in pieces]


def libraries(packages: Iterable[Path], architecture: str) -> dict[str, str]:
    """Name -> path of each shared library in the folders that the loader trusts."""
    folders = [f"{top}/{_TRIPLETS[architecture]}" for top in ("/lib", "/usr/lib")]
    found: dict[str, str] = {}
    targets: set[str] = set()
    for package in packages:
        for member in packaged_files(package):
            path = PurePosixPath("/", member.name)
            if str(path.parent) not in folders or not _LIBRARY.match(path.name):
                continue
            if member.issym():
                targets.add(PurePosixPath(member.linkname).name)
            if member.issym() or member.isfile():
                found.setdefault(path.name, str(path))
    # Programs ask for the name that a link bears; the file behind it has the full version.
    return {name: path for name, path in found.items() if name not in targets}


def loader_cache(found: dict[str, str], architecture: str) -> bytes:
    """The cache's bytes; entries lie in descending order, as the loader's binary search wants."""
    names = sorted(found, key=_order, reverse=True)
    start = _HEADER.size + _ENTRY.size * len(names)
    entries, strings = b"", b""
    for name in names:
        offset = start + len(strings)
        text = f"{name}\0{found[name]}\0".encode()
        entries += _ENTRY.pack(_FLAGS[architecture], offset, offset + len(name) + 1, 0, 0)
        strings += text
    header = _HEADER.pack(_MAGIC, len(names), len(strings), _LITTLE_ENDIAN, 0)
    return header + entries + strings
