from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from explanation_service.standalone.data_directory import DataDirectory
from explanation_service.standalone.faults import CannotStart, DataDirectoryInUse

HOLD = (
    "import sys; from pathlib import Path; "
    "from explanation_service.standalone.data_directory import DataDirectory; "
    "d = DataDirectory(Path(sys.argv[1])); d.__enter__(); print('held', flush=True); "
    "sys.stdin.read()"
)


def test_a_new_directory_is_made_and_marked(tmp_path: Path) -> None:
    with DataDirectory(tmp_path / "a" / "b") as data:
        assert data.folder("redis").is_dir()
    assert (tmp_path / "a" / "b" / "explanation-standalone.json").is_file()


def test_a_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    for fresh in (False, True):
        with pytest.raises(CannotStart, match="did not make"), DataDirectory(tmp_path, fresh):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_fresh_removes_our_data_and_nothing_else(tmp_path: Path) -> None:
    with DataDirectory(tmp_path) as data:
        (data.folder("mongodb") / "file").write_text("x")
        (data.folder("bytecode") / "file").write_text("x")
    (tmp_path / "notes.txt").write_text("mine")
    with DataDirectory(tmp_path, fresh=True):
        assert not (tmp_path / "mongodb").exists()
        assert (tmp_path / "bytecode" / "file").exists()
        assert (tmp_path / "notes.txt").exists()


def test_fresh_does_not_follow_a_link(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("x")
    with DataDirectory(tmp_path / "data"):
        pass
    (tmp_path / "data" / "mongodb").symlink_to(elsewhere)
    with pytest.raises(CannotStart), DataDirectory(tmp_path / "data", fresh=True):
        pass
    assert (elsewhere / "file").exists()


def test_the_second_one_learns_who_holds_it(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(DataDirectoryInUse) as refusal, DataDirectory(tmp_path, fresh=True):
            pass
        assert f"process {holder.pid})" in str(refusal.value)
        assert refusal.value.exit_code == 1
    finally:
        holder.kill()
        holder.communicate()
    # The lock ends with its process, however that ended.
    with DataDirectory(tmp_path):
        pass


def test_a_file_in_its_place_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(CannotStart, match="cannot be used"), DataDirectory(tmp_path / "data"):
        pass
