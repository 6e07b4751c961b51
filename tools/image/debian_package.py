"""Reads Debian binary packages: ar archives (deb(5)) with a control tar and a data tar."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

_MAGIC = b"!<arch>\n"
_HEADER = 60


def ar_members(package: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the archive's members."""
    with package.open("rb") as stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            raise ValueError(f"{package.name} is no Debian package")
        while header := stream.read(_HEADER):
            size = int(header[48:58])
            yield header[:16].decode().strip().rstrip("/"), stream.read(size)
            stream.read(size % 2)


def unpack_package(package: Path, root: Path) -> None:
    """Unpack the files below `root` and leave the control record where scanners look for it."""
    for name, data in ar_members(package):
        if not name.startswith(("control.tar", "data.tar")):
            continue
        with tarfile.open(fileobj=BytesIO(data)) as archive:
            if name.startswith("data.tar"):
                archive.extractall(root)
                continue
            member = archive.extractfile("./control")
            assert member is not None
            control = member.read()
            status = root / "var/lib/dpkg/status.d" / package.name.removesuffix(".deb")
            status.parent.mkdir(parents=True, exist_ok=True)
            status.write_bytes(control)


def packaged_files(package: Path) -> list[tarfile.TarInfo]:
    """The members of the data tar; their names begin with `./`."""
    for name, data in ar_members(package):
        if name.startswith("data.tar"):
            with tarfile.open(fileobj=BytesIO(data)) as archive:
                return archive.getmembers()
    return []
