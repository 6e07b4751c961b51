"""Writes one image layer as a deterministic tar.gz from Debian packages, folders and texts.

    layer SPECIFICATION_JSON OUTPUT_TAR_GZ

The same inputs give the same bytes: sorted names, no clock, owners from the specification alone.
Folders are read in place, so that a layer of 750 MB needs neither that much memory nor disk.
"""

from __future__ import annotations

import io
import json
import os
import py_compile
import shutil
import stat
import sys
import tarfile
import tempfile
from fnmatch import fnmatch
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import deflate

from tools.image.debian_package import unpack_package
from tools.image.loader_cache import libraries, loader_cache
from tools.image.stripped import StrippedFile, loaded_part

# A gzip file may have several members; each is compressed alone, so that memory stays small.
_MEMBER = 8 << 20


def compile_source(source: Path, installed: str, folder: Path) -> Path | None:
    """Bytecode that is never checked against its source; None where the source does not compile."""
    target = folder / installed.lstrip("/").replace("/", "%")
    try:
        py_compile.compile(
            str(source),
            cfile=str(target),
            dfile="/" + installed,
            doraise=True,
            quiet=2,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    except (py_compile.PyCompileError, ValueError):
        return None
    return target


class Layer:
    """What goes into the tar, by its name there without a leading slash."""

    def __init__(self, left_out: list[str], kept: list[str], strip: bool) -> None:
        self._left_out = left_out
        self._kept = kept
        self._strip = strip
        self._sources: dict[str, Path | bytes] = {}
        self._attributes: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}

    def add_tree(self, folder: Path, destination: str, keep_links: bool = False) -> None:
        """Add all below the folder; of names that two folders bring the first stays.

        `keep_links` for the tree of a system, whose absolute links mean the image's own files; the
        build's own folders are full of links into its caches, which are followed.
        """
        for path in sorted(folder.rglob("*")):
            name = str(PurePosixPath(destination.strip("/")) / path.relative_to(folder).as_posix())
            if path.is_dir() and not path.is_symlink():
                continue
            if self._is_left_out(name):
                continue
            if keep_links and path.is_symlink():
                self._links[name] = os.readlink(path)
            self._sources.setdefault(name, path)

    def _is_left_out(self, name: str) -> bool:
        if not any(fnmatch(name, pattern) for pattern in self._left_out):
            return False
        return not any(fnmatch(name, pattern) for pattern in self._kept)

    def add_file(self, path: Path, name: str) -> None:
        """Add one file; the patterns of what is left out do not apply."""
        self._sources[name.lstrip("/")] = path

    def add_bytes(self, name: str, data: bytes, mode: int = 0o644, owner: int = 0) -> None:
        """Add a small file; a name that ends with a slash is an empty folder."""
        self._sources[name.strip("/")] = b"/" if name.endswith("/") else data
        self._attributes[name.strip("/")] = (mode, owner)

    def add_link(self, name: str, target: str) -> None:
        """Add a symbolic link."""
        self._sources[name.strip("/")] = b""
        self._links[name.strip("/")] = target

    def compile_all(self, root: str, folder: Path) -> None:
        """Add bytecode for every source below `root` that has none."""
        for name, source in sorted(self._sources.items()):
            path = PurePosixPath(name)
            if not name.startswith(root.strip("/") + "/") or path.suffix != ".py":
                continue
            cached = str(path.parent / "__pycache__" / f"{path.stem}.cpython-311.pyc")
            if cached in self._sources or name in self._links or not isinstance(source, Path):
                continue
            if (bytecode := compile_source(source, name, folder)) is not None:
                self._sources[cached] = bytecode

    def write(self, stream: BinaryIO) -> None:
        """Write the tar, parents before their children."""
        names = set(self._sources)
        for name in self._sources:
            names.update(str(parent) for parent in PurePosixPath(name).parents)
        names.discard(".")
        with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            for name in sorted(names):
                self._write_member(archive, name)

    def _write_member(self, archive: tarfile.TarFile, name: str) -> None:
        member = tarfile.TarInfo(name)
        source = self._sources.get(name, b"/")
        mode, member.uid = self._attributes.get(name, (0, 0))
        member.gid = member.uid
        if source == b"/":
            member.type, member.mode = tarfile.DIRTYPE, mode or 0o755
            archive.addfile(member)
        elif name in self._links:
            member.type, member.linkname, member.mode = tarfile.SYMTYPE, self._links[name], 0o777
            archive.addfile(member)
        elif isinstance(source, bytes):
            member.size, member.mode = len(source), mode or 0o644
            archive.addfile(member, BytesIO(source))
        else:
            status = source.stat()
            member.size = status.st_size
            member.mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
            part = loaded_part(source) if self._strip else None
            with source.open("rb") as content:
                if part is None:
                    archive.addfile(member, content)
                else:
                    head, member.size = part
                    archive.addfile(member, StrippedFile(head, content))


class GzipStream(io.RawIOBase):
    """A deterministic gzip file: no name, no time."""

    def __init__(self, sink: BinaryIO, level: int) -> None:
        self._sink = sink
        self._level = level
        self._pending = bytearray()

    def write(self, data: Any) -> int:
        self._pending += data
        while len(self._pending) >= _MEMBER:
            self._sink.write(deflate.gzip_compress(bytes(self._pending[:_MEMBER]), self._level))
            del self._pending[:_MEMBER]
        return len(data)

    def close(self) -> None:
        if self._pending:
            self._sink.write(deflate.gzip_compress(bytes(self._pending), self._level))
            self._pending.clear()
        super().close()


def make_layer(specification: dict[str, Any], scratch: Path) -> Layer:
    """Collect what the specification names; `scratch` must outlive the writing."""
    layer = Layer(specification["left_out"], specification["kept"], specification["strip"])
    root = scratch / "root"
    for package in specification["packages"]:
        unpack_package(Path(package), root)
    if root.exists():
        layer.add_tree(root, "", keep_links=True)
        bundle = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
        if bundle:
            certificates = "".join(path.read_text().strip() + "\n" for path in bundle)
            layer.add_bytes("etc/ssl/certs/ca-certificates.crt", certificates.encode())
    for folder, destination in specification["trees"]:
        layer.add_tree(Path(folder), destination)
    for path, name in specification["files"]:
        layer.add_file(Path(path), name)
    for name, (text, mode, owner) in specification["texts"].items():
        layer.add_bytes(name, text.encode(), int(mode, 8), owner)
    for name, target in specification["links"].items():
        layer.add_link(name, target)
    if cached := specification["loader_cache"]:
        found = libraries(map(Path, cached["packages"]), cached["architecture"])
        layer.add_bytes("etc/ld.so.cache", loader_cache(found, cached["architecture"]))
    compiled = scratch / "compiled"
    compiled.mkdir()
    for folder in specification["compile"]:
        layer.compile_all(folder, compiled)
    return layer


def main() -> int:
    specification = json.loads(Path(sys.argv[1]).read_text())
    scratch = Path(tempfile.mkdtemp())
    try:
        layer = make_layer(specification, scratch)
        with (
            Path(sys.argv[2]).open("wb") as sink,
            GzipStream(sink, specification["compression"]) as stream,
        ):
            layer.write(stream)  # type: ignore[arg-type]
    finally:
        shutil.rmtree(scratch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
