"""The parts of a layer: the loader's cache, stripped ELF files, gzip streams."""

from __future__ import annotations

import ctypes
import gzip
import io
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.image.layer import GzipStream
from tools.image.loader_cache import loader_cache
from tools.image.stripped import StrippedFile, loaded_part

PYTHON = Path(sys.executable).resolve()


def extension_module() -> Path:
    """An ELF shared library that this interpreter loads."""
    import _decimal

    assert _decimal.__file__ is not None
    return Path(_decimal.__file__).resolve()


def stripped(path: Path) -> bytes:
    part = loaded_part(path)
    assert part is not None
    head, size = part
    with path.open("rb") as rest:
        return StrippedFile(head, rest).read(size)


def test_a_stripped_library_loads_and_works(tmp_path: Path) -> None:
    original = extension_module()
    # Symbols and debugging data lie behind the last segment, as this does.
    padded = tmp_path / "padded.so"
    padded.write_bytes(original.read_bytes() + b"debug" * 1000)
    target = tmp_path / "small.so"
    target.write_bytes(stripped(padded))
    assert target.stat().st_size < padded.stat().st_size - 5000 + 1
    assert ctypes.PyDLL(str(target)).PyInit__decimal


def test_reading_in_pieces_gives_the_same_bytes() -> None:
    path = extension_module()
    part = loaded_part(path)
    assert part is not None
    with path.open("rb") as rest:
        stream = StrippedFile(part[0], rest)
        pieces = b"".join(iter(lambda: stream.read(7), b""))
    assert pieces[: part[1]] == stripped(path)


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"#!/usr/bin/python3\n" * 10])
def test_what_is_no_elf_file_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert loaded_part(path) is None


def test_a_gzip_stream_of_many_members_reads_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.image.layer._MEMBER", 1000)
    sink = io.BytesIO()
    data = bytes(range(256)) * 20
    with GzipStream(sink, 6) as stream:
        for start in range(0, len(data), 700):
            assert stream.write(data[start : start + 700]) == len(data[start : start + 700])
    assert gzip.decompress(sink.getvalue()) == data
    assert sink.getvalue()[4:8] == bytes(4), "the time of the making"


@pytest.mark.skipif(shutil.which("ldconfig", path="/sbin:/usr/sbin") is None, reason="no ldconfig")
def test_ldconfig_reads_the_cache(tmp_path: Path) -> None:
    names = ["libz.so.1", "libfoo.so.10", "libfoo.so.9", "libfoo-2.so"]
    path = tmp_path / "ld.so.cache"
    path.write_bytes(loader_cache({name: f"/usr/lib/{name}" for name in names}, "amd64"))
    ldconfig = shutil.which("ldconfig", path="/sbin:/usr/sbin")
    command = [str(ldconfig), "-p", "-C", str(path)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert lines[0].startswith("4 libs found")
    # The loader searches by halves and takes a number for greater than any letter.
    assert [line.split()[0] for line in lines[1:5]] == [
        "libz.so.1",
        "libfoo.so.10",
        "libfoo.so.9",
        "libfoo-2.so",
    ]
    assert "libz.so.1 (libc6,x86-64) => /usr/lib/libz.so.1" in lines[1]
