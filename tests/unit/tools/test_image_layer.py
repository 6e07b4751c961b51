"""The tars of image layers: the same bytes from the same inputs, nothing of the build's machine."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import Any

from tools.image.debian_package import unpack_package
from tools.image.layer import make_layer


def specification(**parts: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"packages": [], "trees": [], "files": [], "texts": {}}
    empty |= {"compile": [], "kept": [], "left_out": [], "links": {}}
    empty |= {"loader_cache": None, "strip": False}
    return empty | parts


def written(scratch: Path, **parts: Any) -> bytes:
    scratch.mkdir()
    stream = io.BytesIO()
    make_layer(specification(**parts), scratch).write(stream)
    return stream.getvalue()


def listing(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: member for member in archive}


def ar(*members: tuple[str, bytes]) -> bytes:
    parts = [b"!<arch>\n"]
    for name, data in members:
        parts.append(f"{name:<16}{0:<12}{0:<6}{0:<6}{0o100644:<8o}{len(data):<10}`\n".encode())
        parts.append(data + b"\n" * (len(data) % 2))
    return b"".join(parts)


def compressed_tar(entries: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:xz") as archive:
        for name, data in entries.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return stream.getvalue()


def debian_package(folder: Path) -> Path:
    path = folder / "sample.deb"
    data = compressed_tar({"./usr/lib/a.so": b"a"}, {"./lib64/loader": "/lib/loader"})
    control = compressed_tar({"./control": b"Package: sample\n"})
    members = (("debian-binary", b"2.0\n"), ("control.tar.xz", control), ("data.tar.xz", data))
    path.write_bytes(ar(*members))
    return path


def test_equal_inputs_give_equal_bytes_whatever_their_times_and_order(tmp_path: Path) -> None:
    for name, order in (("one", "abc"), ("two", "cba")):
        folder = tmp_path / name / "nested"
        folder.mkdir(parents=True)
        for letter in order:
            (folder / f"{letter}.py").write_text(f"x = '{letter}'\n")
        os.utime(folder / "a.py", (1, 1))
    first, second = (
        written(
            tmp_path / f"scratch-{name}",
            trees=[[str(tmp_path / name), "/opt"]],
            compile=["/opt"],
        )
        for name in ("one", "two")
    )
    assert first == second
    assert "opt/nested/__pycache__/a.cpython-311.pyc" in listing(first)


def test_parents_come_before_their_children(tmp_path: Path) -> None:
    data = written(tmp_path / "s", texts={"/etc/x/y.txt": ["y", "0644", 0]})
    assert list(listing(data)) == ["etc", "etc/x", "etc/x/y.txt"]


def test_texts_have_the_owner_and_mode_that_they_are_given(tmp_path: Path) -> None:
    data = written(tmp_path / "s", texts={"/home/nonroot/": ["", "0700", 65532]})
    home = listing(data)["home/nonroot"]
    assert (home.isdir(), home.mode, home.uid, home.gid) == (True, 0o700, 65532, 65532)


def test_links_of_a_package_stay_links_and_its_record_is_kept(tmp_path: Path) -> None:
    found = listing(written(tmp_path / "s", packages=[str(debian_package(tmp_path))]))
    # Followed, an absolute link would bring in a file of the machine that builds.
    assert found["lib64/loader"].linkname == "/lib/loader"
    assert found["var/lib/dpkg/status.d/sample"].size == len("Package: sample\n")


def test_links_of_the_build_s_folders_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("content")
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "file").symlink_to(tmp_path / "real")
    found = listing(written(tmp_path / "s", trees=[[str(folder), "/opt"]]))["opt/file"]
    assert found.isreg()
    assert found.size == len("content")


def test_patterns_leave_out(tmp_path: Path) -> None:
    folder = tmp_path / "tree"
    (folder / "doc").mkdir(parents=True)
    (folder / "doc" / "manual").touch()
    (folder / "kept").touch()
    data = written(tmp_path / "s", trees=[[str(folder), "/"]], left_out=["doc/*"])
    assert list(listing(data)) == ["kept"]


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(b"<html>")
    try:
        unpack_package(path, tmp_path / "root")
    except ValueError as error:
        assert "x.deb" in str(error)
    else:
        raise AssertionError("it was taken for a package")
