from __future__ import annotations

import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from tools.image.debian_file import main


@pytest.fixture
def package(tmp_path: Path) -> Path:
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as archive:
        member = tarfile.TarInfo("./usr/bin/tool")
        member.mode, member.size = 0o755, 5
        archive.addfile(member, BytesIO(b"hello"))
    data = buffer.getvalue()
    path = tmp_path / "sample.deb"
    header = f"{'data.tar.xz':<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
    path.write_bytes(b"!<arch>\n" + header + data + b"\n" * (len(data) % 2))
    return path


def test_the_file_is_written_with_its_mode(package: Path, tmp_path: Path) -> None:
    output = tmp_path / "tool"
    assert main([str(package), "usr/bin/tool", str(output)]) == 0
    assert output.read_bytes() == b"hello"
    assert output.stat().st_mode & 0o777 == 0o755


def test_a_name_that_is_not_there_is_said(
    package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(package), "usr/bin/other", str(tmp_path / "other")]) == 1
    assert capsys.readouterr().err == "sample.deb has no file usr/bin/other\n"
    assert not (tmp_path / "other").exists()
