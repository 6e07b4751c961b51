"""What the linter of BUILD files is given to read and to write; a script stands in for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.lint.buildifier import check, fix, main, read_files

FILES = {"BUILD.bazel": 'name = "корень"\n', "a/b/defs.bzl": "x = 1\n"}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Notes its arguments and what it reads, adds a line to each file, and ends with 4."""
    script = tmp_path / "buildifier"
    script.write_text(
        "#!/bin/sh\n"
        "for a; do case $a in -*) echo $a;; *) echo $a; cat $a; echo '#' >>$a;; esac; done"
        f" >{tmp_path}/noted\n"
        "exit 4\n"
    )
    script.chmod(0o755)
    return script


@pytest.fixture
def files_json(tmp_path: Path) -> Path:
    path = tmp_path / "files.json"
    path.write_text(json.dumps(FILES, ensure_ascii=False), encoding="utf-8")
    return path


def test_the_check_sees_every_file_under_its_own_name(program: Path, files_json: Path) -> None:
    assert check(program, read_files(files_json)) == 4
    assert (program.parent / "noted").read_text(encoding="utf-8").splitlines() == [
        "-mode=check",
        "-lint=warn",
        "BUILD.bazel",
        'name = "корень"',
        "a/b/defs.bzl",
        "x = 1",
    ]


def test_fixing_writes_into_the_work_tree(program: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    for path, content in FILES.items():
        (workspace / path).parent.mkdir(parents=True, exist_ok=True)
        (workspace / path).write_text(content, encoding="utf-8")
    assert fix(program, FILES, workspace) == 4
    assert (program.parent / "noted").read_text(encoding="utf-8").startswith("-mode=fix\n")
    assert (workspace / "a/b/defs.bzl").read_text() == "x = 1\n#\n"


def test_a_failed_check_names_the_way_out(
    program: Path,
    files_json: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["buildifier", str(program), str(files_json)])
    assert main() == 4
    assert "//tools:format" in capsys.readouterr().err
